//! What an adapter allows, and which kernels fit into it.

use std::sync::LazyLock;

use burn_cubecl::cubecl::client::Client;

use super::shader::{Cell, Pass, Product, ROWS};

/// The limits of an adapter that the kernels meet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Invocations of a workgroup.
    pub invocations: usize,
    /// Bytes of workgroup memory.
    pub workgroup_bytes: usize,
    /// Storage buffers of a kernel.
    pub buffers: usize,
}

impl Limits {
    /// What WebGPU promises everywhere.
    pub const WEBGPU: Self = Self {
        invocations: 256,
        workgroup_bytes: 16_384,
        buffers: 8,
    };

    pub fn of(client: &Client) -> Self {
        let hardware = &client.properties().hardware;
        Self {
            invocations: hardware.max_units_per_cube.min(hardware.max_cube_dim.0) as usize,
            workgroup_bytes: hardware.max_shared_memory_size,
            // CubeCL leaves one out for its own kernels' metadata; ours have theirs in a uniform.
            buffers: hardware.max_bindings as usize + 1,
        }
    }

    /// Whether the kernels that no variant replaces fit.
    pub fn suffice(&self) -> bool {
        self.buffers >= Self::WEBGPU.buffers && self.invocations >= Self::WEBGPU.invocations
    }

    /// All steps in one dispatch where a workgroup can hold what a step exchanges, unless the
    /// recurrent weights are large and many tiles would each read them at every step: then two
    /// dispatches a step cost less.
    pub fn product(&self, cell: Cell, pass: Pass, batch: usize, hidden: usize) -> Product {
        let worth_it = hidden <= 256 || hidden <= 512 && batch.div_ceil(ROWS) <= 8;
        let fits = Product::fused_workgroup(hidden) <= self.invocations
            && Product::exchange(cell, pass, hidden) * size_of::<[f32; 4]>()
                <= self.workgroup_bytes;
        if worth_it && fits {
            Product::Fused
        } else {
            Product::Step
        }
    }
}

/// Steps of a fused walk in one dispatch. Drivers end a dispatch that takes seconds, so a huge walk is
/// cut at 2^36 multiply-adds, a third of a second at 0.2 T a second, and at 2^16 steps.
/// `GATEFOLD_DISPATCH_MULTIPLY_ADDS` sets another limit, for a GPU that is slower or a driver less
/// patient.
pub(super) fn steps_a_dispatch(cell: Cell, batch: usize, hidden: usize) -> usize {
    static MULTIPLY_ADDS: LazyLock<usize> = LazyLock::new(|| {
        let given = std::env::var("GATEFOLD_DISPATCH_MULTIPLY_ADDS").ok();
        given
            .and_then(|count| count.parse().ok())
            .unwrap_or(1 << 36)
    });
    let a_step = batch.next_multiple_of(ROWS) * hidden * hidden * cell.gates();
    (*MULTIPLY_ADDS / a_step).clamp(1, 1 << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_sizes_up_to_256_are_fused_within_the_limits_of_webgpu() {
        for cell in Cell::ALL {
            for pass in [Pass::Forward, Pass::Backward] {
                let product = |hidden| Limits::WEBGPU.product(cell, pass, 128, hidden);
                assert_eq!(product(256), Product::Fused, "{cell:?} {pass:?}");
                assert_eq!(product(257), Product::Step, "{cell:?} {pass:?}");
            }
        }
    }

    #[test]
    fn larger_limits_fuse_larger_sizes() {
        let limits = Limits {
            invocations: 1024,
            workgroup_bytes: 32_768,
            buffers: 8,
        };
        let product = |batch, hidden| limits.product(Cell::Lstm, Pass::Backward, batch, hidden);
        assert_eq!(product(32, 512), Product::Fused);
        assert_eq!(product(33, 512), Product::Step);
        assert_eq!(product(1, 513), Product::Step);
    }

    #[test]
    fn a_walk_is_cut_when_it_would_take_seconds() {
        assert!(steps_a_dispatch(Cell::Lstm, 128, 64) > 1024);
        assert!(steps_a_dispatch(Cell::Lstm, 4096, 256) < 256);
        assert_eq!(steps_a_dispatch(Cell::Lstm, 1 << 20, 512), 1);
        assert_eq!(steps_a_dispatch(Cell::SimpleRnn, 1, 1), 1 << 16);
    }
}
