//! The operations composed of a backend's own operations: the plain version that every
//! fast version is tested against, and what a backend without kernels of its own runs.

pub(crate) mod adam;
mod array;
pub(crate) mod cross_entropy;
pub(crate) mod embedding;
mod gru;
pub(crate) mod linear;
mod lstm;
mod min_gru;
pub(crate) mod perceptron;
mod simple_rnn;
mod timeline;
mod walk;

use crate::backend::RecurrentBackend;
use crate::cell::Cell;
use crate::tensors::{
    Direction, WalkGradients, WalkInputs, WalkOutputGradients, WalkOutputs, WalkSaved,
    WalkTraining, Wanted,
};

/// Calls a function of [`walk`] with the cell's equations.
macro_rules! of_cell {
    ($cell:expr, $function:ident($($argument:expr),*)) => {
        match $cell {
            Cell::Rnn => walk::$function::<B, simple_rnn::SimpleRnn>($($argument),*),
            Cell::Lstm => walk::$function::<B, lstm::Lstm>($($argument),*),
            Cell::Gru => walk::$function::<B, gru::Gru>($($argument),*),
            Cell::MinGru => walk::$function::<B, min_gru::MinGru>($($argument),*),
        }
    };
}

pub(crate) fn walk<B: RecurrentBackend>(
    inputs: WalkInputs<B>,
    cell: Cell,
    direction: Direction,
) -> WalkOutputs<B> {
    of_cell!(cell, forward(inputs, direction, false)).outputs
}

pub(crate) fn walk_training<B: RecurrentBackend>(
    inputs: WalkInputs<B>,
    cell: Cell,
    direction: Direction,
) -> WalkTraining<B> {
    of_cell!(cell, forward(inputs, direction, true))
}

pub(crate) fn walk_backward<B: RecurrentBackend>(
    saved: WalkSaved<B>,
    output_gradients: WalkOutputGradients<B>,
    cell: Cell,
    direction: Direction,
    wanted: Wanted,
) -> WalkGradients<B> {
    of_cell!(cell, backward(saved, output_gradients, direction, wanted))
}
