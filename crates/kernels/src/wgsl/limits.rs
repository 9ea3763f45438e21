//! What an adapter allows, and which kernels fit into it.

use std::sync::LazyLock;

use burn_cubecl::cubecl::client::Client;

use super::shader::{ROWS, SPLIT, Walk};
use crate::cell::Cell;
use crate::kernel_choices::{Pass, Product};

/// The limits of an adapter that the kernels meet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Invocations of a workgroup.
    pub invocations: usize,
    /// Bytes of workgroup memory.
    pub workgroup_bytes: usize,
    /// Storage buffers of a kernel.
    pub buffers: usize,
    /// Invocations that run side by side, at most.
    pub subgroup: usize,
}

/// As many run side by side on a processor's vectors, which have no registers to hold weights in.
const VECTOR: usize = 8;

impl Limits {
    /// What WebGPU promises everywhere.
    pub const WEBGPU: Self = Self {
        invocations: 256,
        workgroup_bytes: 16_384,
        buffers: 8,
        subgroup: 1,
    };

    pub fn of(client: &Client) -> Self {
        let hardware = &client.properties().hardware;
        Self {
            invocations: hardware.max_units_per_cube.min(hardware.max_cube_dim.0) as usize,
            workgroup_bytes: hardware.max_shared_memory_size,
            // CubeCL leaves one out for its own kernels' metadata; ours have theirs in a uniform.
            buffers: hardware.max_bindings as usize + 1,
            subgroup: hardware.plane_size_max as usize,
        }
    }

    /// Whether the kernels that no variant replaces fit.
    pub fn suffice(&self) -> bool {
        self.buffers >= Self::WEBGPU.buffers && self.invocations >= Self::WEBGPU.invocations
    }

    /// How a cell is walked: all steps in one dispatch where a workgroup can hold what a step exchanges, unless the
    /// recurrent weights are large and many tiles would each read them at every step.
    pub fn walk(&self, cell: Cell, pass: Pass, batch: usize, hidden: usize) -> Walk {
        let walk = |product, groups| Walk {
            cell,
            product,
            hidden,
            groups,
            blocks: 1,
            apart: false,
        };
        if !cell.has_recurrent_weight() {
            return walk(Product::None, 1);
        }
        let split = walk(Product::Split, 1);
        if hidden <= SPLIT && self.subgroup > VECTOR && self.fit(&split, pass) {
            return split;
        }
        let fused = walk(Product::Fused, 1);
        let worth_it = hidden <= 256 || hidden <= 512 && batch.div_ceil(ROWS) <= 8;
        let apart = Walk {
            apart: pass == Pass::Backward,
            ..fused
        };
        for fused in [apart, fused] {
            if worth_it && self.fit(&fused, pass) {
                return fused;
            }
        }
        // The tiles of a workgroup share the weights that they read.
        let step = walk(Product::Step, 4.min(batch.div_ceil(ROWS)));
        if self.fit(&step, pass) {
            return step;
        }
        walk(Product::Step, 1)
    }

    /// The layouts of a walk that give the same bits, at most six, the usual one first: their sums have one accumulator each,
    /// and the same order.
    pub fn candidates(&self, cell: Cell, pass: Pass, batch: usize, hidden: usize) -> Vec<Walk> {
        let usual = self.walk(cell, pass, batch, hidden);
        let mut candidates = vec![usual];
        if let Product::Split | Product::None = usual.product {
            return candidates;
        }
        let walk = |product, [groups, blocks]: [usize; 2], apart| Walk {
            product,
            groups,
            blocks,
            apart,
            ..usual
        };
        let mut fused: Vec<Walk> = [[1, 1], [1, 2], [2, 1], [2, 2], [4, 1]]
            .into_iter()
            .flat_map(|tiles| [true, false].map(|apart| walk(Product::Fused, tiles, apart)))
            .collect();
        let mut step = [4, 2, 1]
            .map(|groups| walk(Product::Step, [groups, 1], false))
            .to_vec();
        let tiles = batch.div_ceil(ROWS).next_power_of_two();
        for walks in [&mut fused, &mut step] {
            walks.retain(|walk| walk.tiles() <= tiles && self.allow(walk, pass));
        }
        match hidden {
            ..=256 => step.clear(),
            257..=512 => fused.truncate(2),
            _ => fused.clear(),
        }
        candidates.extend(fused.into_iter().chain(step).filter(|walk| *walk != usual));
        candidates.truncate(6);
        candidates
    }

    /// Whether a walk can be laid out so.
    pub fn allow(&self, walk: &Walk, pass: Pass) -> bool {
        let is_fused = walk.product == Product::Fused;
        let is_possible = match walk.product {
            Product::Split => walk.hidden <= SPLIT && walk.groups == 1,
            Product::Fused | Product::Step => true,
            Product::None => walk.groups == 1,
        };
        let blocks = if is_fused { 1..=2 } else { 1..=1 };
        let apart = is_fused && pass == Pass::Backward;
        is_possible
            && walk.cell.has_recurrent_weight() == (walk.product != Product::None)
            && (1..=4).contains(&walk.groups)
            && blocks.contains(&walk.blocks)
            && (apart || !walk.apart)
            && self.fit(walk, pass)
    }

    /// Whether a workgroup fits.
    fn fit(&self, walk: &Walk, pass: Pass) -> bool {
        walk.workgroup() <= self.invocations && walk.exchanged(pass) <= self.workgroup_bytes
    }
}

/// Steps of a walk in one dispatch, unless it goes step by step. Drivers end what takes too long, from some 0.1 s (macOS)
/// to 2 s (Windows), so a long walk is cut at 2^33 issue slots, which are 0.04 s where 0.2 T are issued a
/// second and half a second on the slowest integrated GPUs, and at 2^13 steps, because a step takes 10 µs
/// however small it is.
/// `GATEFOLD_DISPATCH_SLOTS` sets another limit than 2^33, for a GPU that is slower or a driver less
/// patient; the gates' slots count as multiply-adds.
pub(super) fn steps_a_dispatch(cell: Cell, batch: usize, hidden: usize) -> usize {
    static SLOTS: LazyLock<u64> = LazyLock::new(|| {
        let given = std::env::var("GATEFOLD_DISPATCH_SLOTS").ok();
        given
            .and_then(|count| count.parse().ok())
            .unwrap_or(1 << 33)
    });
    (*SLOTS / slots_a_step(cell, batch, hidden)).clamp(1, 1 << 13) as usize
}

/// Steps of a walk after which what was launched is handed to the driver: CubeCL puts up to 32 dispatches into
/// one command buffer, and drivers mind how long that takes too.
pub(super) fn steps_a_submission(cell: Cell, batch: usize, hidden: usize) -> usize {
    (steps_a_dispatch(cell, batch, hidden) / 4).max(1)
}

/// Slots of the issue of instructions that a step of the whole batch takes.
fn slots_a_step(cell: Cell, batch: usize, hidden: usize) -> u64 {
    let [a_product, gates] = cell.slots();
    let (tiles, hidden) = (batch.div_ceil(ROWS) as u64, hidden as u64);
    let a_unit = hidden.saturating_mul(a_product).saturating_add(gates);
    tiles.saturating_mul(hidden).saturating_mul(a_unit).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_sizes_up_to_256_are_fused_within_the_limits_of_webgpu() {
        let multiply = |cell: &Cell| cell.has_recurrent_weight();
        for cell in Cell::ALL.into_iter().filter(multiply) {
            for pass in [Pass::Forward, Pass::Backward] {
                let product = |hidden| Limits::WEBGPU.walk(cell, pass, 128, hidden).product;
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
            subgroup: 32,
        };
        let product = |batch, hidden| {
            limits
                .walk(Cell::Lstm, Pass::Backward, batch, hidden)
                .product
        };
        assert_eq!(product(32, 512), Product::Fused);
        assert_eq!(product(33, 512), Product::Step);
        assert_eq!(product(1, 513), Product::Step);
    }

    #[test]
    fn a_dispatch_stays_within_its_slots_and_steps() {
        // The lesson's: 32 tiles, 64 units, 23 slots for each of 64 factors and 600 for the gates.
        assert_eq!(slots_a_step(Cell::Lstm, 128, 64), 32 * 64 * (23 * 64 + 600));
        assert_eq!(steps_a_dispatch(Cell::Lstm, 128, 64), 2024);
        for (cell, batch, hidden) in [
            (Cell::Lstm, 4096, 256),
            (Cell::Gru, 33, 100),
            (Cell::Rnn, 5000, 16),
        ] {
            let steps = steps_a_dispatch(cell, batch, hidden) as u64;
            let slots = slots_a_step(cell, batch, hidden);
            assert!(
                steps * slots <= 1 << 33 && (steps + 1) * slots > 1 << 33,
                "{cell:?}"
            );
        }
        // Gates alone: as much as the product at H 26.
        assert!(steps_a_dispatch(Cell::Lstm, 1 << 20, 1) < 64);
        assert_eq!(steps_a_dispatch(Cell::Lstm, 1 << 20, 512), 1);
        assert_eq!(steps_a_dispatch(Cell::Rnn, 1, 1), 1 << 13);
        assert_eq!(steps_a_dispatch(Cell::Lstm, usize::MAX, 1 << 20), 1);
        assert_eq!(steps_a_submission(Cell::Lstm, usize::MAX, 1 << 20), 1);
    }
}
