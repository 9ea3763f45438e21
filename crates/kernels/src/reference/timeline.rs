//! The timesteps in the order walked, and which rows are valid when.

use burn::backend::tensor::IntTensor;
use burn::backend::{Backend, TensorMetadata, get_device_settings};
use burn::tensor::Shape;

use super::array::{Array, Mask};
use crate::tensors::Direction;

pub(super) struct Timeline<B: Backend> {
    /// See [`padding`](Self::padding).
    padding: Mask<B>,
    lengths: IntTensor<B>,
    direction: Direction,
    time: usize,
}

impl<B: Backend> Timeline<B> {
    pub fn new(time: usize, lengths: IntTensor<B>, direction: Direction) -> Self {
        Self {
            padding: past(&lengths, 0, time),
            lengths,
            direction,
            time,
        }
    }

    /// The timesteps in the order walked.
    pub fn steps(&self) -> Vec<usize> {
        match self.direction {
            Direction::Forward => (0..self.time).collect(),
            Direction::Reverse => (0..self.time).rev().collect(),
        }
    }

    /// Where a timestep lies past its row's length, `[B, T, 1]`.
    pub fn padding(&self) -> &Mask<B> {
        &self.padding
    }

    /// The part of a `[B, T, N]` sequence at timestep `t`, `[B, N]`.
    pub fn at(&self, sequence: &Array<B>, t: usize) -> Array<B> {
        let [batch, _, width] = sequence.dims();
        sequence.narrow(1, t..t + 1).reshape([batch, width])
    }

    /// One `[B, N]` a step, in the order walked, as `[B, T, N]`.
    pub fn stack(&self, mut steps: Vec<Array<B>>) -> Array<B> {
        if self.direction == Direction::Reverse {
            steps.reverse();
        }
        let parts = steps
            .into_iter()
            .map(|step| {
                let [batch, width] = step.dims();
                step.reshape([batch, 1, width])
            })
            .collect();
        Array::concat(parts, 1)
    }

    /// What each timestep starts from: the state `[B, T, H]` of the timestep walked before, and `initial`
    /// `[B, H]` at a row's first valid one; zero in the padding.
    pub fn previous(&self, states: &Array<B>, initial: Array<B>) -> Array<B> {
        let [batch, width] = initial.dims();
        let initial = initial.reshape([batch, 1, width]);
        let rest = match self.direction {
            Direction::Forward => 0..self.time - 1,
            Direction::Reverse => 1..self.time,
        };
        let mut parts = vec![initial.clone()];
        if !rest.is_empty() {
            parts.push(states.narrow(1, rest));
        }
        let previous = match self.direction {
            Direction::Forward => Array::concat(parts, 1),
            Direction::Reverse => {
                parts.reverse();
                // Where the timestep after is padding or past T.
                let last = past(&self.lengths, 1, self.time);
                Array::concat(parts, 1).replaced_where(&last, initial)
            }
        };
        previous.zero_where(&self.padding)
    }
}

/// Where the timestep `first` after each lies past its row's length, `[B, T, 1]`.
fn past<B: Backend>(lengths: &IntTensor<B>, first: i64, time: usize) -> Mask<B> {
    let device = lengths.device();
    let bools = get_device_settings::<B>(&device).bool_dtype;
    let [batch] = lengths.shape().dims();
    let steps = first..first + time as i64;
    let steps = B::int_arange(steps, &device, lengths.dtype().into());
    let steps = B::int_reshape(steps, Shape::from([1, time, 1]));
    let lengths = B::int_reshape(lengths.clone(), Shape::from([batch, 1, 1]));
    Mask(B::int_greater_equal(steps, lengths, bools))
}

/// `sum over rows of leftᵀ right` for two `[B, T, _]` sequences: one matrix product over B·T rows.
pub(super) fn outer_product<B: Backend>(left: Array<B>, right: Array<B>) -> Array<B> {
    flatten(left).transpose().matmul(flatten(right))
}

/// `[B, T, N]` as `[B·T, N]`.
pub(super) fn flatten<B: Backend>(sequence: Array<B>) -> Array<B> {
    let [batch, time, width] = sequence.dims();
    sequence.reshape([batch * time, width])
}
