//! How a recurrent layer's walk is laid out on a GPU: a choice that changes the time that it takes, and, among layouts of
//! which none or all are [split](Product::Split), no bit of what it computes.

use burn::backend::DispatchDevice;
use burn::tensor::Device;
use burn_cubecl::CubeDevice;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cell::Cell;
use crate::wgsl::{self, choices};

/// A pass of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pass {
    /// From the first step of a walk to the last.
    Forward,
    /// Back through them.
    Backward,
}

/// Where the product with the recurrent weights is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Product {
    /// In the kernel, which walks many steps a dispatch: four invocations a unit hold its weights in registers.
    Split,
    /// In the kernel, which walks many steps a dispatch and reads the weights from the cache.
    Fused,
    /// In the kernel, which walks one step a dispatch: its workgroups share the units of a tile.
    Step,
    /// There is none: units walk by themselves.
    None,
}

/// The layout of one pass of the walks of a cell, a hidden size and batches of about the same size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelChoice {
    /// The cell.
    pub cell: Cell,
    /// The pass.
    pub pass: Pass,
    /// H.
    pub hidden: usize,
    /// B, the least of those that it is for: 1, 2 (to 8), 9 (to 32), 33 (to 64) or 65.
    pub rows: usize,
    /// Where the product is made.
    pub product: Product,
    /// Groups of a workgroup's invocations that have tiles of their own.
    pub groups: usize,
    /// Tiles of an invocation, one or two.
    pub blocks: usize,
    /// Whether a walk back adds sums in workgroup memory of their own.
    pub apart: bool,
}

/// A choice that a device can't follow.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "this adapter has no kernel for the {} walk {:?} of {} units, rows from {}: {:?}, {} groups of {} tiles",
    choice.cell, choice.pass, choice.hidden, choice.rows, choice.product, choice.groups, choice.blocks
)]
pub struct UnfitChoice {
    /// The choice.
    pub choice: KernelChoice,
}

/// The layouts among which [`measure`] chooses for a pass of a layer with `hidden` units over `batch` rows, the usual one
/// first. They give the same bits. None where no kernel of this crate runs on `device`.
pub fn candidates(
    device: &Device,
    cell: Cell,
    pass: Pass,
    hidden: usize,
    batch: usize,
) -> Vec<KernelChoice> {
    on_gpu(device, |device| {
        choices::candidates(device, cell, pass, hidden, batch)
    })
    .unwrap_or_default()
}

/// The fastest layouts of both passes of a layer with `hidden` units over `batch` rows on `device`. Each candidate walks
/// 32 steps of made-up data in three rounds; the usual layout stays unless another is more than 7 % faster in all. A pass
/// without a choice is not measured, and not among what is returned.
///
/// # Errors
/// If the device fails.
pub fn measure(
    device: &Device,
    cell: Cell,
    hidden: usize,
    batch: usize,
) -> Result<Vec<KernelChoice>, String> {
    on_gpu(device, |device| {
        let measured = wgsl::measure::measure(device, cell, hidden, batch);
        // What was made up for it is no use to what follows.
        let _ = device.client().memory_cleanup();
        measured
    })
    .unwrap_or(Ok(Vec::new()))
}

/// Walks on `device` are laid out so from here on, those of which nothing is said as usual. A device without kernels of this
/// crate has no choice, and takes any. All but [`Product::Split`] beside the others give the same bits.
///
/// # Errors
/// If the device can't; then nothing changes.
pub fn choose(device: &Device, choices: &[KernelChoice]) -> Result<(), UnfitChoice> {
    on_gpu(device, |device| choices::choose(device, choices)).unwrap_or(Ok(()))
}

fn on_gpu<T>(device: &Device, act: impl FnOnce(&CubeDevice) -> T) -> Option<T> {
    match device.clone().inner().as_dispatch() {
        DispatchDevice::Cube(device) if wgsl::runs_on(&device.client()) => Some(act(device)),
        #[allow(unreachable_patterns)] // Burn has as many backends as features.
        _ => None,
    }
}
