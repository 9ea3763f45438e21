//! Memory that tensors leave behind, for those of the next step.
//!
//! A training step makes the same large tensors again and again. Memory fresh from the system costs a
//! page fault every few kilobytes, and a zero for every value that is then overwritten; together that
//! took longer than the arithmetic. Freed buffers stay here with the values they held.

use std::sync::{Mutex, PoisonError};

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};

/// More than a layer's training step frees at once, so that none of its buffers is lost; a network of many
/// layers takes more, and gets the rest from the system.
const KEPT: usize = 8;
/// Values below which the system's allocator is as fast.
const SMALL: usize = 1 << 16;

static FREE: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// `length` values, of which nothing is known.
pub(super) fn take(length: usize) -> Vec<f32> {
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    let fitting = (0..free.len())
        .filter(|&i| free[i].capacity() >= length && free[i].capacity() / 2 <= length)
        .min_by_key(|&i| free[i].capacity());
    let mut buffer = match fitting {
        Some(i) if length >= SMALL => free.swap_remove(i),
        _ => return vec![0.0; length],
    };
    drop(free);
    buffer.resize(length, 0.0);
    buffer
}

/// Keeps the memory of `tensor` if nobody else holds it.
pub(super) fn give(tensor: FloatTensor<Flex>) {
    let length = tensor.shape().num_elements();
    if length < SMALL || !tensor.is_unique() || tensor.as_slice::<f32>().is_none() {
        return;
    }
    let Ok(buffer) = tensor.into_data().try_into_vec::<f32>() else {
        return;
    };
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    free.push(buffer);
    if free.len() > KEPT {
        // The one that waited longest: sizes change with the length of a batch's reviews.
        free.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tensor;
    use super::*;

    #[test]
    fn memory_comes_back_unless_somebody_holds_it() {
        // A length of this test alone.
        let length = 100_003;
        let buffer = vec![7.0; length];
        let held = tensor(buffer, [length]);
        give(held.clone());
        assert_eq!(take(length)[0], 0.0);
        give(held);
        let again = take(length - 1);
        assert_eq!((again.len(), again[0]), (length - 1, 7.0));
        assert_eq!(take(length)[0], 0.0);
    }
}
