//! One timestep after the other in plain vectors, without tensors: what a stream wants.

// Plain indices: iterators are not always inlined here, where they cost most.
#![allow(clippy::needless_range_loop)]

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use super::product::{Packed, product};
use super::simd::arch;
use super::timestep::{Timestep, of_cell};
use super::walk::{ForwardRow, OfGates, RowInput, States, TILE, pack_forward};
use crate::cell::Cell;
use crate::error::InputError;

/// A layer on the CPU that goes a timestep at a time. Its weights are packed once, and its state stays with it.
///
/// Every step of a row gives the same bits whatever the number of rows, and the same as the whole sequence in one
/// [`walk`](Self::walk).
///
/// ```
/// use gatefold_kernels::{Cell, LayerWeights, Stepper};
///
/// # fn main() -> Result<(), gatefold_kernels::InputError> {
/// let weights = LayerWeights {
///     input_weight: &[0.5, -0.5],
///     bias: &[0.0],
///     recurrent_weight: &[1.0],
///     recurrent_bias: &[],
/// };
/// let mut stepper = Stepper::new(Cell::Rnn, [2, 1], 1, weights)?;
/// let hidden = stepper.step(&[1.0, 0.0]);
/// assert!((hidden[0] - 0.5f32.tanh()).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Stepper {
    cell: Cell,
    sizes: [usize; 2],
    batch: usize,
    input_weight: Packed,
    recurrent_weight: Option<Packed>,
    states: States,
    /// `x W + b` of all rows, which a step makes on its way.
    projections: Vec<f32>,
    /// `h U + b_r` of all rows.
    products: Vec<f32>,
    /// Whether its next product goes back.
    back: bool,
    /// `[B, H]`.
    hidden: Vec<f32>,
    /// `[H]`: where a row of a batch hands its state on, which stays in `states` here.
    unused: Vec<f32>,
}

/// A layer's weights, row-major.
#[derive(Clone, Copy, Debug)]
pub struct LayerWeights<'a> {
    /// W, `[in, G·H]`.
    pub input_weight: &'a [f32],
    /// b, `[G·H]`.
    pub bias: &'a [f32],
    /// U, `[H, G·H]`; empty where the cell has none.
    pub recurrent_weight: &'a [f32],
    /// `b_r`, `[G·H]`; empty where the cell has none.
    pub recurrent_bias: &'a [f32],
}

impl Stepper {
    /// A layer of `[in, H]` for `batch` rows, its states zero.
    ///
    /// # Errors
    /// [`InputError::Shape`] if a size is 0 or weights are not of these sizes.
    pub fn new(
        cell: Cell,
        [input, hidden]: [usize; 2],
        batch: usize,
        weights: LayerWeights,
    ) -> Result<Self, InputError> {
        let width = cell.gates() * hidden;
        let check = |input, found: usize, expected: usize, meaning| {
            if found == expected {
                return Ok(());
            }
            Err(InputError::Shape {
                operation: cell.operation(),
                input,
                found: vec![found],
                expected: vec![expected],
                meaning,
            })
        };
        check("rows", batch, batch.max(1), "B, not 0")?;
        check("input size", input, input.max(1), "not 0")?;
        check("hidden size", hidden, hidden.max(1), "H, not 0")?;
        let LayerWeights {
            input_weight,
            bias,
            recurrent_weight,
            recurrent_bias,
        } = weights;
        check(
            "input weight",
            input_weight.len(),
            input * width,
            "in · G·H",
        )?;
        check("bias", bias.len(), width, "G·H")?;
        let count = if cell.has_recurrent_weight() {
            hidden * width
        } else {
            0
        };
        check("recurrent weight", recurrent_weight.len(), count, "H · G·H")?;
        let count = if cell.has_recurrent_bias() { width } else { 0 };
        check("recurrent bias", recurrent_bias.len(), count, "G·H")?;

        let pack = |weight, bias| of_cell!(cell, pack_forward(hidden, weight, bias));
        let input_weight = pack(input_weight, bias);
        let recurrent_weight =
            (!recurrent_weight.is_empty()).then(|| pack(recurrent_weight, recurrent_bias));
        let columns = recurrent_weight.as_ref().map_or(0, |packed| packed.columns);
        Ok(Self {
            cell,
            sizes: [input, hidden],
            batch,
            projections: vec![0.0; batch * input_weight.columns],
            products: vec![0.0; batch * columns],
            back: false,
            input_weight,
            recurrent_weight,
            states: States::zeros(batch, hidden),
            hidden: vec![0.0; batch * hidden],
            unused: vec![0.0; hidden],
        })
    }

    /// B, in and H.
    pub fn dims(&self) -> [usize; 3] {
        let [input, hidden] = self.sizes;
        [self.batch, input, hidden]
    }

    /// The next timestep of all rows: `input` `[B, in]` gives the hidden states `[B, H]`.
    ///
    /// # Panics
    /// If `input` is not B · in numbers.
    pub fn step(&mut self, input: &[f32]) -> &[f32] {
        let expected = self.batch * self.sizes[0];
        assert_eq!(
            input.len(),
            expected,
            "{}: a step reads B · in numbers",
            self.cell
        );
        of_cell!(self.cell, step(self, input));
        &self.hidden
    }

    /// The next timesteps, one after the other: `input` `[T, B, in]` gives the hidden states `[T, B, H]`.
    ///
    /// # Panics
    /// If `input` is not a whole number of timesteps.
    pub fn walk(&mut self, input: &[f32]) -> Vec<f32> {
        let count = self.batch * self.sizes[0];
        assert!(
            input.len().is_multiple_of(count),
            "{}: {} numbers are no whole timesteps of B · in = {count}",
            self.cell,
            input.len()
        );
        let steps = input.chunks(count);
        steps.flat_map(|input| self.step(input).to_vec()).collect()
    }

    /// The hidden states `[B, H]` that the last step left; zeros at the start.
    pub fn hidden(&self) -> &[f32] {
        &self.hidden
    }

    /// An LSTM's cell states, `[B, H]`; of other cells `None`.
    pub fn cell_state(&self) -> Option<Vec<f32>> {
        let of_row = |row| self.states.cell_of(row, self.sizes[1]);
        let rows = (0..self.batch).flat_map(of_row).copied();
        self.cell.has_cell_state().then(|| rows.collect())
    }

    /// Goes on from these states, each `[B, H]`.
    ///
    /// # Panics
    /// If one is not B · H numbers, or the cell state is missing where there is one, or given where there is none.
    pub fn set_state(&mut self, hidden: &[f32], cell: Option<&[f32]>) {
        let count = self.hidden.len();
        assert!(
            hidden.len() == count && cell.is_none_or(|cell| cell.len() == count),
            "{}: a state is B · H = {count} numbers",
            self.cell
        );
        assert_eq!(
            cell.is_some(),
            self.cell.has_cell_state(),
            "{}: an LSTM's state has a cell, and no other's",
            self.cell
        );
        self.hidden.copy_from_slice(hidden);
        let size = self.sizes[1];
        for (row, hidden) in hidden.chunks_exact(size).enumerate() {
            let cell = cell.map_or(&[][..], |cell| &cell[row * size..][..size]);
            self.states.set(row, hidden, cell);
        }
    }

    /// Starts again from states of zeros.
    pub fn reset(&mut self) {
        let zeros = vec![0.0; self.hidden.len()];
        let cell = self.cell.has_cell_state().then_some(&zeros[..]);
        self.set_state(&zeros, cell);
    }
}

fn step<C: Timestep>(stepper: &mut Stepper, input: &[f32]) {
    arch().dispatch(Step::<C> {
        stepper,
        input,
        cell: PhantomData,
    });
}

struct Step<'a, C> {
    stepper: &'a mut Stepper,
    input: &'a [f32],
    cell: PhantomData<C>,
}

impl<C: Timestep> WithSimd for Step<'_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { stepper, input, .. } = self;
        let ([size, hidden], rows) = (stepper.sizes, stepper.batch);
        let weight = &stepper.input_weight;
        for first in (0..rows).step_by(TILE) {
            let count = TILE.min(rows - first);
            let mut left: [&[f32]; TILE] = [&[]; TILE];
            for row in 0..count {
                left[row] = &input[(first + row) * size..][..size];
            }
            let out = &mut stepper.projections[first * weight.columns..];
            product(simd, &left[..count], weight, out, false);
            if let Some(packed) = &stepper.recurrent_weight {
                for row in 0..count {
                    left[row] = stepper.states.hidden_of(first + row, hidden);
                }
                let out = &mut stepper.products[first * packed.columns..];
                product(simd, &left[..count], packed, out, stepper.back);
            }
        }
        stepper.back = !stepper.back;
        let columns = stepper.products.len() / rows;
        for row in 0..rows {
            let projections = &stepper.projections[row * weight.columns..][..weight.columns];
            let product = &stepper.products[row * columns..][..columns];
            let mut walked = ForwardRow {
                length: 1,
                input: RowInput::Steps(&[]),
                hidden_states: &mut stepper.hidden[row * hidden..][..hidden],
                saved: &mut [],
                hidden: &mut stepper.unused,
                cell: &mut [],
            };
            let states = stepper.states.of(row);
            let projections = OfGates::padded(projections, C::GATES);
            walked.step::<C, S>(simd, 0, projections, product, states);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(count: usize, seed: usize) -> Vec<f32> {
        let value = |i: usize| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0;
        (0..count).map(value).collect()
    }

    fn stepper(cell: Cell, [input, hidden]: [usize; 2], batch: usize) -> Stepper {
        let width = cell.gates() * hidden;
        let count = |there, count| if there { count } else { 0 };
        let weights = LayerWeights {
            input_weight: &values(input * width, 1),
            bias: &values(width, 2),
            recurrent_weight: &values(count(cell.has_recurrent_weight(), hidden * width), 3),
            recurrent_bias: &values(count(cell.has_recurrent_bias(), width), 4),
        };
        Stepper::new(cell, [input, hidden], batch, weights).unwrap()
    }

    #[test]
    fn a_row_streams_alone_as_it_does_among_others() {
        let (sizes, time) = ([3, 21], 9);
        for cell in Cell::ALL {
            let input = values(time * 5 * sizes[0], 5);
            let together = stepper(cell, sizes, 5).walk(&input);
            for row in 0..5 {
                let mut alone = stepper(cell, sizes, 1);
                for t in 0..time {
                    let from = (t * 5 + row) * sizes[0];
                    let hidden = alone.step(&input[from..from + sizes[0]]);
                    let expected = &together[(t * 5 + row) * sizes[1]..][..sizes[1]];
                    assert_eq!(hidden, expected, "{cell}, row {row}, timestep {t}");
                }
            }
        }
    }

    #[test]
    fn a_state_that_was_kept_goes_on() {
        for cell in Cell::ALL {
            let input = values(6 * 2 * 4, 6);
            let (first, rest) = input.split_at(3 * 2 * 4);
            let mut stepper = stepper(cell, [4, 7], 2);
            let whole = stepper.walk(&input);
            stepper.reset();
            stepper.walk(first);
            let (hidden, state) = (stepper.hidden().to_vec(), stepper.cell_state());
            stepper.walk(rest);
            stepper.set_state(&hidden, state.as_deref());
            assert_eq!(stepper.walk(rest), whole[3 * 2 * 7..], "{cell}");
        }
    }

    #[test]
    fn weights_of_other_sizes_are_named() {
        let weights = LayerWeights {
            input_weight: &[0.0; 6],
            bias: &[0.0; 2],
            recurrent_weight: &[0.0; 4],
            recurrent_bias: &[],
        };
        let message = |cell, sizes| {
            Stepper::new(cell, sizes, 1, weights)
                .map(|_| ())
                .unwrap_err()
                .to_string()
        };
        assert!(Stepper::new(Cell::Rnn, [3, 2], 1, weights).is_ok());
        assert_eq!(
            message(Cell::Rnn, [4, 2]),
            "simple_rnn: input weight has shape [6], expected [8] (in · G·H)"
        );
        assert!(message(Cell::Rnn, [0, 2]).contains("input size"));
        assert!(message(Cell::Lstm, [3, 2]).contains("expected [24]"));
    }
}
