//! What an adapter allows, and which kernels fit into it.

use burn_cubecl::cubecl::client::Client;

use super::shader::{Cell, Pass, Product};

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
            buffers: hardware.max_bindings as usize,
        }
    }

    /// Whether any of the kernels fits.
    pub fn suffice(&self) -> bool {
        self.buffers >= Self::WEBGPU.buffers && self.invocations >= 64
    }

    /// All steps in one dispatch where a workgroup can hold what a step exchanges, up to the size from
    /// which on reading the recurrent weights once a tile and step costs more than two dispatches.
    pub fn product(&self, cell: Cell, pass: Pass, hidden: usize) -> Product {
        const LARGEST_FUSED: usize = 512;
        let fits = Product::fused_workgroup(hidden) <= self.invocations
            && Product::exchange(cell, pass, hidden) * size_of::<[f32; 4]>()
                <= self.workgroup_bytes;
        if hidden <= LARGEST_FUSED && fits {
            Product::Fused
        } else {
            Product::Step
        }
    }
}

/// Steps of a walk in one dispatch. Drivers end a dispatch that takes seconds, so a huge walk is cut at
/// 2^36 multiply-adds, a third of a second at 0.2 T a second.
pub(super) fn steps_a_dispatch(cell: Cell, batch: usize, hidden: usize) -> usize {
    const MULTIPLY_ADDS: usize = 1 << 36;
    let a_step = batch * hidden * hidden * cell.gates();
    (MULTIPLY_ADDS / a_step).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_sizes_up_to_256_are_fused_within_the_limits_of_webgpu() {
        for cell in Cell::ALL {
            for pass in [Pass::Forward, Pass::Backward] {
                let product = |hidden| Limits::WEBGPU.product(cell, pass, hidden);
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
        assert_eq!(
            limits.product(Cell::Lstm, Pass::Backward, 512),
            Product::Fused
        );
        assert_eq!(
            limits.product(Cell::Lstm, Pass::Backward, 513),
            Product::Step
        );
    }

    #[test]
    fn a_walk_is_cut_when_it_would_take_seconds() {
        assert!(steps_a_dispatch(Cell::Lstm, 128, 64) > 1024);
        assert!(steps_a_dispatch(Cell::Lstm, 4096, 256) < 256);
        assert_eq!(steps_a_dispatch(Cell::Lstm, 1 << 20, 512), 1);
    }
}
