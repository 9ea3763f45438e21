//! Floats in memory that begin with a line of the cache: a vector that reaches over two lines is read as two.

use std::ops::{Deref, DerefMut};

/// Bytes of a line, and of the longest vector.
const LINE: usize = 64;

/// Values whose first stands at the beginning of a line.
#[derive(Debug)]
pub(super) struct Aligned {
    values: Vec<f32>,
    first: usize,
}

impl Aligned {
    pub fn zeros(length: usize) -> Self {
        let mut values = vec![0.0; length + LINE / size_of::<f32>() - 1];
        let first = values.as_ptr().align_offset(LINE);
        values.truncate(first + length);
        Self { values, first }
    }
}

impl Clone for Aligned {
    fn clone(&self) -> Self {
        let mut clone = Self::zeros(self.len());
        clone.copy_from_slice(self);
        clone
    }
}

impl Deref for Aligned {
    type Target = [f32];

    #[inline(always)]
    fn deref(&self) -> &[f32] {
        &self.values[self.first..]
    }
}

impl DerefMut for Aligned {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.first..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_begin_with_a_line_and_so_do_those_of_a_clone() {
        for length in [0, 1, 16, 1000] {
            let mut values = Aligned::zeros(length);
            values.fill(2.0);
            let clone = values.clone();
            assert_eq!(*clone, vec![2.0; length]);
            for values in [values, clone] {
                assert_eq!(values.as_ptr().addr() % LINE, 0);
            }
        }
    }
}
