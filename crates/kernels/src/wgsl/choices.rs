//! Which layout a walk has on a device: the usual one, or what was chosen for it.

use std::sync::{Mutex, PoisonError};

use burn_cubecl::CubeDevice;
use burn_cubecl::tensor::CubeTensor;

use super::limits::Limits;
use super::shader::Walk as Layout;
use crate::cell::Cell;
use crate::kernel_choices::{KernelChoice, Pass, UnfitChoice};

/// The least rows of batches that share a layout.
const LEAST_ROWS: [usize; 5] = [1, 2, 9, 33, 65];

static CHOSEN: Mutex<Vec<(CubeDevice, KernelChoice)>> = Mutex::new(Vec::new());

impl KernelChoice {
    pub(super) fn of(layout: Layout, pass: Pass, batch: usize) -> Self {
        let Layout {
            cell,
            product,
            hidden,
            groups,
            blocks,
            apart,
        } = layout;
        Self {
            cell,
            pass,
            hidden,
            rows: least_rows(batch),
            product,
            groups,
            blocks,
            apart,
        }
    }

    fn layout(&self) -> Layout {
        Layout {
            cell: self.cell,
            product: self.product,
            hidden: self.hidden,
            groups: self.groups,
            blocks: self.blocks,
            apart: self.apart,
        }
    }
}

fn least_rows(batch: usize) -> usize {
    let least = LEAST_ROWS.into_iter().rev().find(|&rows| rows <= batch);
    least.unwrap_or(1)
}

/// The layout of a walk where `like` is.
pub(super) fn layout(
    like: &CubeTensor,
    cell: Cell,
    pass: Pass,
    batch: usize,
    hidden: usize,
) -> Layout {
    let rows = least_rows(batch);
    let is_ours = |(on, choice): &&(CubeDevice, KernelChoice)| {
        let of = (choice.cell, choice.pass, choice.hidden, choice.rows);
        *on == like.device && of == (cell, pass, hidden, rows)
    };
    let chosen = CHOSEN.lock().unwrap_or_else(PoisonError::into_inner);
    match chosen.iter().find(is_ours) {
        Some((_, choice)) => choice.layout(),
        None => Limits::of(&like.client).walk(cell, pass, batch, hidden),
    }
}

pub(crate) fn candidates(
    device: &CubeDevice,
    cell: Cell,
    pass: Pass,
    hidden: usize,
    batch: usize,
) -> Vec<KernelChoice> {
    let candidates = Limits::of(&device.client()).candidates(cell, pass, batch, hidden);
    let choice = |layout| KernelChoice::of(layout, pass, batch);
    candidates.into_iter().map(choice).collect()
}

pub(crate) fn choose(device: &CubeDevice, choices: &[KernelChoice]) -> Result<(), UnfitChoice> {
    let limits = Limits::of(&device.client());
    for choice in choices {
        if !limits.allow(&choice.layout(), choice.pass) {
            return Err(UnfitChoice { choice: *choice });
        }
    }
    let mut chosen = CHOSEN.lock().unwrap_or_else(PoisonError::into_inner);
    chosen.retain(|(on, _)| on != device);
    chosen.extend(choices.iter().map(|choice| (device.clone(), *choice)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_of_about_the_same_size_share_a_layout() {
        let rows = [1, 2, 8, 9, 32, 33, 64, 65, 1 << 20].map(least_rows);
        assert_eq!(rows, [1, 2, 2, 9, 9, 33, 33, 65, 65]);
    }
}
