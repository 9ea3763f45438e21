//! Whether a device did what it was given.

use std::sync::atomic::{AtomicU32, Ordering};

use burn::backend::Dispatch;
use burn::tensor::{Device, Tensor};
use thiserror::Error;

use crate::backend::RecurrentBackend;

/// A device dropped work without an error of its own.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[error(
    "the device dropped work that it was given: its driver ended what took too long, or was reset (heartbeat {found} instead of {expected})"
)]
pub struct LostWork {
    /// The number that was read.
    pub found: f32,
    /// What it would be had everything been done.
    pub expected: f32,
}

/// A number on a device that goes up by one a [`beat`](Self::beat), as long as the device does what it is given.
///
/// Some drivers end what takes too long and call it done; results are then what the memory held before, and
/// nothing says so. On Burn's WGPU backend every workgroup of a walk counts itself at its end, and a beat goes
/// on only if the count is right. The number is read together with results, and has to be
/// [`checked`](Self::check) before they are believed. A beat costs a dispatch; on a CPU, next to nothing.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use gatefold_kernels::Heartbeat;
///
/// # fn main() -> Result<(), gatefold_kernels::LostWork> {
/// let device = Device::flex();
/// let mut heartbeat = Heartbeat::new(&device);
/// let result = Tensor::<1>::ones([3], &device) * 2.0;
/// heartbeat.beat(result.clone());
/// let read = Tensor::cat(vec![result, heartbeat.number()], 0).into_data();
/// let values: Vec<f32> = read.iter().collect();
/// heartbeat.check(values[3])?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// `[1]`.
    number: Tensor<1>,
    expected: f32,
}

impl Heartbeat {
    /// The largest number from which a heartbeat goes on: floats count to twice as many.
    const MOST: f32 = (1 << 23) as f32;

    /// A heartbeat on `device` outside any graph. It starts from a number that a reading left in memory by
    /// another one is unlikely to be.
    pub fn new(device: &Device) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let started = STARTED.fetch_add(1, Ordering::Relaxed);
        let expected = (started % 1024 * 1024) as f32;
        Self {
            number: Tensor::from_data([expected], &device.clone().inner()),
            expected,
        }
    }

    /// The next number, once `after` is there.
    pub fn beat(&mut self, after: Tensor<1>) {
        let number = self.number.clone().into_dispatch();
        let next = Dispatch::heartbeat(number, after.into_dispatch());
        self.number = Tensor::from_dispatch(next);
        self.expected += 1.0;
    }

    /// The number on the device, `[1]`.
    pub fn number(&self) -> Tensor<1> {
        self.number.clone()
    }

    /// Whether everything was done up to the last beat, whose [`number`](Self::number) was read as `found`.
    ///
    /// # Errors
    /// [`LostWork`] if not: no result since the last check can be believed.
    pub fn check(&mut self, found: f32) -> Result<(), LostWork> {
        let expected = self.expected;
        if found != expected {
            return Err(LostWork { found, expected });
        }
        if expected >= Self::MOST {
            *self = Self::new(&self.number.device());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(heartbeat: &Heartbeat) -> f32 {
        heartbeat.number().into_scalar()
    }

    #[test]
    fn a_number_that_is_behind_is_lost_work() {
        let device = Device::flex();
        let after = Tensor::<1>::zeros([2], &device);
        let mut heartbeat = Heartbeat::new(&device);
        let before = read(&heartbeat);
        heartbeat.check(before).unwrap();
        heartbeat.beat(after.clone());
        heartbeat.beat(after);
        for found in [before, before + 1.0, f32::NAN] {
            let lost = heartbeat.check(found).unwrap_err();
            assert_eq!(lost.expected, before + 2.0);
        }
        let found = read(&heartbeat);
        heartbeat.check(found).unwrap();
    }

    #[test]
    fn a_heartbeat_starts_again_before_floats_count_no_further() {
        let device = Device::flex();
        let expected = Heartbeat::MOST;
        let number = Tensor::from_data([expected], &device);
        let mut heartbeat = Heartbeat { number, expected };
        heartbeat.check(expected).unwrap();
        let found = read(&heartbeat);
        assert!(found < expected);
        heartbeat.check(found).unwrap();
    }

    #[test]
    fn two_heartbeats_start_apart() {
        let device = Device::flex();
        let [first, second] = [(); 2].map(|()| read(&Heartbeat::new(&device)));
        assert_ne!(first, second);
    }
}
