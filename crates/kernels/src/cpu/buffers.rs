//! Memory that tensors leave behind, for those of the next step.
//!
//! A training step makes the same large tensors again and again. Memory fresh from the system costs a
//! page fault every few kilobytes, and a zero for every value that is then overwritten; together that
//! took longer than the arithmetic. Freed buffers stay here with the values they held.

use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};

use super::tensors::tensor;

/// More than a layer's training step frees at once, so that none of its buffers is lost; a network of many
/// layers takes more, and gets the rest from the system.
const KEPT: usize = 8;
/// Values kept in all, 256 MiB, and lent in all: what a layer of 256 units frees in a training step of 128 rows of
/// 256 tokens.
const VALUES: usize = 1 << 26;
/// Values below which the system's allocator is as fast.
const SMALL: usize = 1 << 16;

static FREE: Mutex<Free> = Mutex::new(Free(Vec::new()));

/// Tensors that others drop where nothing can be given back, the one lent longest ago first. Their memory is free
/// once nobody else holds them.
static LENT: Mutex<Vec<FloatTensor<Flex>>> = Mutex::new(Vec::new());

/// Buffers, the one that waited longest first.
struct Free(Vec<Vec<f32>>);

impl Free {
    /// One that `length` values fill by half or more.
    fn take(&mut self, length: usize) -> Option<Vec<f32>> {
        let fitting = (0..self.0.len())
            .filter(|&i| self.0[i].capacity() >= length && self.0[i].capacity() / 2 <= length)
            .min_by_key(|&i| self.0[i].capacity());
        fitting.map(|i| self.0.remove(i))
    }

    /// Sizes change with the length of a batch's reviews, so that those go which waited longest.
    fn give(&mut self, buffer: Vec<f32>) {
        // It would push all others out, and then go itself.
        if buffer.capacity() > VALUES {
            return;
        }
        self.0.push(buffer);
        let mut values: usize = self.0.iter().map(Vec::capacity).sum();
        while values > VALUES || self.0.len() > KEPT {
            values -= self.0.remove(0).capacity();
        }
    }
}

fn free() -> MutexGuard<'static, Free> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lent() -> MutexGuard<'static, Vec<FloatTensor<Flex>>> {
    LENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the memory back to the system that the recurrent operations on the CPU keep for the next step: at most
/// 512 MiB for the whole process.
pub fn release_memory() {
    let lent = std::mem::take(&mut *lent());
    let free = std::mem::take(&mut free().0);
    drop((lent, free));
}

/// `length` values, of which nothing is known.
pub(super) fn take(length: usize) -> Vec<f32> {
    if length < SMALL {
        return vec![0.0; length];
    }
    let returned: Vec<_> = lent().extract_if(.., |tensor| tensor.is_unique()).collect();
    returned.into_iter().for_each(give);
    let Some(mut buffer) = free().take(length) else {
        return vec![0.0; length];
    };
    buffer.resize(length, 0.0);
    buffer
}

/// The values of `tensor`: its own memory if nobody else holds it, else a copy.
pub(super) fn take_from(tensor: FloatTensor<Flex>) -> Vec<f32> {
    if tensor.is_unique() && tensor.as_slice::<f32>().is_some() {
        let values = tensor.into_data().try_into_vec::<f32>();
        return values.expect("32-bit floats");
    }
    let tensor = tensor.to_contiguous();
    let values = tensor.as_slice::<f32>().expect("contiguous 32-bit floats");
    let mut copy = take(values.len());
    copy.copy_from_slice(values);
    copy
}

/// `values` as a tensor, whose memory comes back when it is dropped. Nobody else can write to it in place: for what is
/// only read.
pub(super) fn lend<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FloatTensor<Flex> {
    let length = values.len();
    let tensor = tensor(values, shape);
    if (SMALL..=VALUES).contains(&length) {
        let mut lent = lent();
        lent.push(tensor.clone());
        let count = |tensor: &FloatTensor<Flex>| tensor.shape().num_elements();
        let mut values: usize = lent.iter().map(count).sum();
        while values > VALUES || lent.len() > KEPT {
            values -= count(&lent.remove(0));
        }
    }
    tensor
}

/// Keeps the memory of `tensor` if nobody else holds it.
pub(super) fn give(tensor: FloatTensor<Flex>) {
    let length = tensor.shape().num_elements();
    if length < SMALL || !tensor.is_unique() || tensor.as_slice::<f32>().is_none() {
        return;
    }
    if let Ok(buffer) = tensor.into_data().try_into_vec::<f32>() {
        free().give(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, because memory that is released anywhere is released for all.
    #[test]
    fn memory_comes_back_unless_somebody_holds_it_or_it_was_released() {
        what_was_lent_comes_back_once_everybody_dropped_it();
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
        give(tensor(again, [length - 1]));
        release_memory();
        assert_eq!(take(length - 1)[0], 0.0);
    }

    fn what_was_lent_comes_back_once_everybody_dropped_it() {
        // A length of this test alone.
        let length = 200_003;
        let lent = lend(vec![7.0; length], [length]);
        let other = lent.clone();
        drop(lent);
        assert_eq!(take(length)[0], 0.0);
        drop(other);
        assert_eq!(take(length)[0], 7.0);
        assert_eq!(take(length)[0], 0.0);
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_oldest_goes_first() {
        // Memory that nothing is written to takes no room.
        let buffer = |values: usize| Vec::with_capacity(values);
        let kept = |free: &Free| free.0.iter().map(Vec::capacity).collect::<Vec<_>>();
        let mut free = Free(Vec::new());
        for values in 1..=KEPT + 2 {
            free.give(buffer(values));
        }
        assert_eq!(kept(&free), (3..=KEPT + 2).collect::<Vec<_>>());
        free.give(buffer(VALUES / 2));
        free.give(buffer(VALUES / 2));
        assert_eq!(kept(&free), [VALUES / 2, VALUES / 2]);
        free.give(buffer(VALUES + 1));
        assert_eq!(kept(&free), [VALUES / 2, VALUES / 2]);
        free.give(buffer(10));
        assert_eq!(kept(&free), [VALUES / 2, 10]);
        assert!(free.take(4).is_none() && free.take(11).is_none());
        assert_eq!(free.take(5).map(|buffer| buffer.capacity()), Some(10));
        assert!(free.take(5).is_none());
    }
}
