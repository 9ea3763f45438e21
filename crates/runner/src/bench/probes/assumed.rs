//! What docs/kernels.md assumes of four laptop GPUs, as numbers to lay beside measured ones.

use serde::Serialize;

/// A number for each of the GPUs whose times docs/kernels.md predicts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Assumed {
    /// Apple M2 with 10 cores.
    pub m2: f64,
    /// Intel Iris Xe of Tiger Lake with 96 EUs.
    pub iris_xe: f64,
    /// NVIDIA RTX 3050 Laptop.
    pub rtx_3050: f64,
    /// AMD Radeon 780M.
    pub radeon_780m: f64,
}

/// Published figures, and A4.
struct Gpu {
    cores: f64,
    /// Of a core, of f32.
    lanes: f64,
    clock: f64,
    /// Bytes a second.
    memory: f64,
    /// Bytes a clock and core.
    cache: f64,
}

const M2: Gpu = Gpu {
    cores: 10.0,
    lanes: 128.0,
    clock: 1.398e9,
    memory: 102.4e9,
    cache: 32.0,
};
const IRIS_XE: Gpu = Gpu {
    cores: 6.0,
    lanes: 128.0,
    clock: 1.35e9,
    memory: 68.3e9,
    cache: 64.0,
};
const RTX_3050: Gpu = Gpu {
    cores: 16.0,
    lanes: 128.0,
    clock: 1.485e9,
    memory: 192e9,
    cache: 128.0,
};
const RADEON_780M: Gpu = Gpu {
    cores: 12.0,
    lanes: 64.0,
    clock: 2.7e9,
    memory: 89.6e9,
    cache: 64.0,
};

/// A1: slots in which a product makes the 16 multiply-adds of a factor.
const PRODUCT_SLOTS: f64 = 22.0;

/// A3: slots that a core fills in a second.
fn slots(gpu: &Gpu) -> f64 {
    0.7 * gpu.lanes * gpu.clock
}

impl Assumed {
    fn of(number: impl Fn(&Gpu) -> f64) -> Self {
        Self {
            m2: number(&M2),
            iris_xe: number(&IRIS_XE),
            rtx_3050: number(&RTX_3050),
            radeon_780m: number(&RADEON_780M),
        }
    }

    /// The same number everywhere.
    pub fn everywhere(number: f64) -> Self {
        Self::of(|_| number)
    }

    /// A1, A3 and A4: seconds of a step's product for an LSTM of H 64 with so many tiles.
    pub fn product(tiles: usize) -> Self {
        Self::of(|gpu| {
            let busiest = (tiles as f64 / gpu.cores).ceil();
            let computing = 64.0 * 64.0 * PRODUCT_SLOTS / slots(gpu);
            busiest * f64::max(computing, 65_536.0 / (gpu.cache * gpu.clock))
        })
    }

    /// A4: bytes a second from where U lies, to one core or to all.
    pub fn cache(all: bool) -> Self {
        Self::of(|gpu| gpu.cache * gpu.clock * if all { gpu.cores } else { 1.0 })
    }

    /// A1: bytes a second of workgroup memory that a product takes, 16 for each factor of an invocation, in one
    /// core or in all.
    pub fn exchanged(all: bool) -> Self {
        Self::of(|gpu| slots(gpu) / PRODUCT_SLOTS * 16.0 * if all { gpu.cores } else { 1.0 })
    }

    /// A6: seconds of a barrier and of an exchange.
    pub fn exchange() -> Self {
        Self::of(|gpu| (40.0 + 60.0) / gpu.clock)
    }

    /// A7: bytes a second from and to memory.
    pub fn memory() -> Self {
        Self::of(|gpu| 0.75 * gpu.memory)
    }

    /// Cores, whose slots (A3) and cache ports (A4) their workgroups share.
    pub fn cores() -> Self {
        Self::of(|gpu| gpu.cores)
    }

    /// Each number through `f`.
    pub fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Self {
            m2: f(self.m2),
            iris_xe: f(self.iris_xe),
            rtx_3050: f(self.rtx_3050),
            radeon_780m: f(self.radeon_780m),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_takes_what_the_page_says() {
        let microseconds = Assumed::product(32).map(|seconds| (seconds * 1e7).round() / 10.0);
        let expected = Assumed {
            m2: 5.9,
            iris_xe: 4.6,
            rtx_3050: 1.4,
            radeon_780m: 2.2,
        };
        assert_eq!(microseconds, expected);
    }
}
