//! What an adapter can compute and move at most, measured by CubeCL.

use burn::tensor::{Device, MemoryAccess, ThroughputKey, ThroughputMode};
use burn_cubecl::cubecl::ir::{ElemType, FloatKind};

use super::work::Work;

/// An adapter's measured peaks; none on the CPU, or where a measurement failed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Peaks {
    /// Bytes read plus bytes written in a second, while a large buffer is copied.
    pub bytes_per_second: Option<f64>,
    /// Multiply-adds of f32 in a second, in registers.
    pub multiply_adds_per_second: Option<f64>,
}

impl Peaks {
    /// Measures `device`, in a few seconds.
    pub fn measure(device: &Device) -> Self {
        let copy = ThroughputKey {
            mode: ThroughputMode::memory(MemoryAccess::Copy),
        };
        let multiply_add = ThroughputKey {
            mode: ThroughputMode::ComputeDirect {
                dtype: ElemType::Float(FloatKind::F32),
            },
        };
        let peak = |key| device.performance_stats(&[key]).pop()?.value.ok();
        Self {
            bytes_per_second: peak(copy).map(|value| value.bytes_per_s(&copy)),
            // CubeCL counts the two apart.
            multiply_adds_per_second: peak(multiply_add).map(|value| value.ops_per_s() / 2.0),
        }
    }

    /// Which shares of the peaks, for moving and for computing, `work` reaches in `seconds`.
    pub fn shares(&self, work: Work, seconds: f64) -> [Option<f64>; 2] {
        [
            self.bytes_per_second
                .map(|peak| work.bytes / seconds / peak),
            self.multiply_adds_per_second
                .map(|peak| work.multiply_adds / seconds / peak),
        ]
    }
}
