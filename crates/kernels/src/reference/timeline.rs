//! The walk through time that the three cells share: its order, and which rows are valid when.

use burn::backend::Backend;
use burn::backend::tensor::IntTensor;

use super::array::Array;
use crate::backend::Direction;

pub(super) struct Timeline<B: Backend> {
    /// See [`valid`](Self::valid).
    valid: Array<B>,
    direction: Direction,
    time: usize,
}

impl<B: Backend> Timeline<B> {
    /// `like`: any float `[B, T, _]` of the operation.
    pub fn new(like: &Array<B>, lengths: IntTensor<B>, direction: Direction) -> Self {
        let [_, time, _] = like.dims();
        let steps = like.timesteps(time, &lengths);
        let valid = (like.lengths_of(lengths) - steps).clamp_to_unit();
        Self {
            valid,
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

    /// 1 where a timestep of a row is valid and 0 elsewhere, `[B, T, 1]`.
    pub fn valid(&self) -> Array<B> {
        self.valid.clone()
    }

    /// Two factors `[B, 1]` for timestep `t`: 1 where a row is valid, and 1 where it is not and so
    /// carries its state on.
    pub fn valid_and_carried_at(&self, t: usize) -> (Array<B>, Array<B>) {
        let valid = self.at(&self.valid, t);
        (valid.clone(), valid.one_minus())
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

    /// What each valid timestep starts from: the state `[B, T, H]` of the timestep walked before,
    /// and `initial` `[B, H]` at a row's first valid one. Elsewhere the value has no meaning.
    pub fn previous(&self, states: &Array<B>, initial: Array<B>) -> Array<B> {
        let [batch, width] = initial.dims();
        let started = self.shift(&self.valid);
        self.shift(states) + started.one_minus() * initial.reshape([batch, 1, width])
    }

    /// The sequence moved one step along the walk; the first step is zero.
    fn shift(&self, sequence: &Array<B>) -> Array<B> {
        let [batch, time, width] = sequence.dims();
        let zero = sequence.zeros([batch, 1, width]);
        if time == 1 {
            return zero;
        }
        match self.direction {
            Direction::Forward => Array::concat(vec![zero, sequence.narrow(1, 0..time - 1)], 1),
            Direction::Reverse => Array::concat(vec![sequence.narrow(1, 1..time), zero], 1),
        }
    }
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
