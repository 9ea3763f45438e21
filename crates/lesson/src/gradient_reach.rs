//! How far back the gradient reaches: the norm of dLoss/dh_t for every timestep t.
//!
//! Backpropagation through time (Werbos 1990) carries the gradient from the last state to the first, one
//! Jacobian a timestep. Where these shrink it, it vanishes geometrically, and what was read long ago
//! teaches nothing (Hochreiter 1991; Bengio, Simard and Frasconi 1994).
//!
//! ```text
//! s_t = step(x_t, s_{t-1})                    s_t: h_t, and beside it c_t in an LSTM
//! dLoss/ds_{t-1} = dLoss/ds_t · ds_t/ds_{t-1}
//! ```
//!
//! s_t is what timestep t hands on. In an LSTM h_t and c_t are two variables: dLoss/dh_t counts every path
//! that leaves timestep t through h_t, by the gates of timestep t+1 into h_{t+1}, c_{t+1} and all that
//! follows; dLoss/dc_t those that leave through c_t, which are what keeps an LSTM's memory (Hochreiter and
//! Schmidhuber 1997). So the norm over both is given too.

use burn::module::Module;
use burn::tensor::{Device, Gradients, Tensor};
use gatefold_data::{Batch, Batching, Example, Padding, Sequence};
use gatefold_model::{Network, Reading, RecurrentCell, State};
use gatefold_training::batch::network_input;
use gatefold_training::{LossOptions, Objective};
use itertools::Itertools;

use crate::error::{LessonError, Result, unfit};

/// Norms for every timestep, the first token's first, each the mean over a batch's rows.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientReach {
    /// ‖dLoss/dh_t‖₂, `[T]`.
    pub hidden: Vec<f64>,
    /// The norm over the whole state that a timestep hands on, ‖(dLoss/dh_t, dLoss/dc_t)‖₂ in an LSTM, `[T]`;
    /// without a cell state, as `hidden`.
    pub state: Vec<f64>,
}

/// Rows of `length` timesteps each to measure on: examples joined end to end, of which the last timesteps stay,
/// with the last one's target.
///
/// # Panics
/// If there is no example, or no timestep in any.
pub fn joined(examples: &[Example], length: usize, rows: usize) -> Batch {
    let steps = |example: &Example| example.input.len();
    assert!(
        examples.iter().map(steps).sum::<usize>() > 0,
        "there is nothing to join"
    );
    let row = |row: usize| {
        let mut all = examples.iter().cycle().skip(row * examples.len() / rows);
        let mut joined = all.next().expect("there is an example").clone();
        while joined.input.len() < length {
            let next = all.next().expect("they are repeated");
            append(&mut joined.input, &next.input);
            joined.target.clone_from(&next.target);
        }
        joined.input.keep_last(length);
        joined
    };
    let joined: Vec<Example> = (0..rows).map(row).collect();
    let batching = Batching {
        batch_size: rows,
        padding: Padding::Longest,
    };
    batching.batch(&joined, &(0..rows).collect::<Vec<_>>())
}

fn append(sequence: &mut Sequence, next: &Sequence) {
    match (sequence, next) {
        (Sequence::Tokens(ids), Sequence::Tokens(next)) => ids.extend(next),
        (Sequence::Values { values, .. }, Sequence::Values { values: next, .. }) => {
            values.extend(next);
        }
        _ => panic!("examples are of one kind"),
    }
}

/// The recurrent layer of which the reach can be measured: one alone that walks forward alone, of whose states one
/// answer a sequence is made.
pub fn measured_layer(network: &Network) -> Option<&RecurrentCell> {
    let layer = network.stack.single_layer();
    layer.filter(|_| network.head.reading() != Reading::EveryStep)
}

/// ‖dLoss/dh_t‖₂ for every timestep of a batch of equally long sequences, the mean over its rows; Loss is
/// each row's own.
///
/// # Errors
/// If the network is not of one layer that walks forward alone and answers once a sequence, if the sequences are not equally long, if the network can't read them, or if a gradient is not finite.
pub fn gradient_reach(
    network: &Network,
    objective: Objective,
    batch: &Batch,
    device: &Device,
) -> Result<Vec<f64>> {
    Ok(state_gradient_reach(network, objective, batch, device)?.hidden)
}

/// [`gradient_reach`], and beside it the norm over the whole state.
///
/// # Errors
/// As [`gradient_reach`].
pub fn state_gradient_reach(
    network: &Network,
    objective: Objective,
    batch: &Batch,
    device: &Device,
) -> Result<GradientReach> {
    let network = network.valid();
    let device = device.clone().inner();
    let layer = measured_layer(&network).ok_or_else(|| {
        unfit(
            "how far the gradient reaches is measured in a network of one recurrent layer in one direction that \
             answers once a sequence: set layers = 1 and bidirectional = false",
        )
    })?;
    let Some(targets) = batch.targets.as_ref().filter(|_| batch.time > 0) else {
        return Err(unfit(
            "how far the gradient reaches can't be measured without a timestep and a target",
        ));
    };
    let shortest = batch.lengths.iter().min().copied().unwrap_or_default();
    if shortest != batch.time as i32 {
        return Err(unfit(format!(
            "how far the gradient reaches is measured on sequences of one length, not on some of {shortest} and some of {}",
            batch.time,
        )));
    }

    let input = network_input(&network, batch, &device)?;
    let projections = layer.project(network.input.vectors(input)?);
    let projection = |time| projections.clone().slice_dim(1, time..time + 1);
    let mut states: Vec<State> = Vec::with_capacity(batch.time);
    for time in 0..batch.time {
        states.push(after(layer, projection(time), states.last().cloned()));
    }

    let all = states
        .iter()
        .map(|state| state.hidden.clone().unsqueeze_dim(1));
    let all = Tensor::<3>::cat(all.collect(), 1).autodiff().require_grad();
    let last = as_leaf(&states.pop().expect("there is a timestep"));
    let lengths = Tensor::from_data(&batch.lengths[..], &device);
    let read = network.head.read(all.clone(), last.hidden.clone(), lengths);
    let answers = network.head.answers(read);
    let losses = objective.loss(answers, targets, LossOptions::default()) * batch.size as f64;
    let gradients = losses.backward();
    // What the head reads of each state by itself, beside the last one.
    let of_read = all.grad(&gradients);
    let of_step = |time| {
        let all = of_read.clone()?;
        Some(all.slice_dim(1, time..time + 1).squeeze_dim::<2>(1))
    };
    let mut gradient = gradient_of(&last, &gradients);
    let mut reach = Norms::new(batch);
    reach.add(&mut gradient, of_step(batch.time - 1));
    reach.push(&mut gradient)?;
    // The state before timestep `time` is the one that timestep `time` - 1 handed on.
    for (time, before) in states.into_iter().enumerate().rev() {
        let before = as_leaf(&before);
        let after = after(layer, projection(time + 1), Some(before.clone()));
        gradient = gradient_of(&before, &dot(after, gradient).backward());
        reach.add(&mut gradient, of_step(time));
        reach.push(&mut gradient)?;
    }
    Ok(reach.finish())
}

/// The state after one timestep, from its projection `[B, 1, G·H]` and the state before it.
fn after(layer: &RecurrentCell, projection: Tensor<3>, before: Option<State>) -> State {
    layer
        .forward_projected(projection, None, before)
        .final_state
}

/// The same numbers as a variable to differentiate by.
fn as_leaf(state: &State) -> State {
    state.map(|tensor| tensor.autodiff().require_grad())
}

/// The gradient with respect to a leaf; zero where it has none.
fn gradient_of(leaf: &State, gradients: &Gradients) -> State {
    leaf.map(|leaf| {
        leaf.grad(gradients)
            .unwrap_or_else(|| leaf.inner().zeros_like())
    })
}

/// The inner product of a state with `other`: its gradient is the vector-Jacobian product of `other`.
fn dot(state: State, other: State) -> Tensor<1> {
    let hidden = (state.hidden * other.hidden).sum();
    match state.cell.zip(other.cell) {
        Some((cell, other)) => hidden + (cell * other).sum(),
        None => hidden,
    }
}

/// Norms as they come, from the last timestep to the first.
///
/// Each row's gradient is kept at norm 1 and its own norm beside it in f64: after some hundred timesteps an
/// f32 would hold nothing but zeros.
struct Norms {
    /// A row's norm over the state, `[B]`.
    scales: Vec<f64>,
    reach: GradientReach,
}

impl Norms {
    fn new(batch: &Batch) -> Self {
        Self {
            scales: vec![1.0; batch.size],
            reach: GradientReach {
                hidden: Vec::with_capacity(batch.time),
                state: Vec::with_capacity(batch.time),
            },
        }
    }

    /// Adds to `gradient`, which came through later timesteps, what the head reads of the hidden state itself, `[B, H]`.
    fn add(&mut self, gradient: &mut State, of_read: Option<Tensor<2>>) {
        let Some(of_read) = of_read else {
            return;
        };
        let scales: Vec<f32> = self.scales.iter().map(|&scale| scale as f32).collect();
        let scales = Tensor::<1>::from_data(&scales[..], &of_read.device()).unsqueeze_dim::<2>(1);
        *gradient = gradient.map(|tensor| tensor * scales.clone());
        gradient.hidden = gradient.hidden.clone() + of_read;
        self.scales.fill(1.0);
    }

    /// Notes the norms of `gradient` and brings its rows to norm 1; a row of zeros stays.
    fn push(&mut self, gradient: &mut State) -> Result<()> {
        let squares = |tensor: &Tensor<2>| tensor.clone().square().sum_dim(1);
        let hidden = squares(&gradient.hidden);
        let state = match &gradient.cell {
            Some(cell) => hidden.clone() + squares(cell),
            None => hidden.clone(),
        };
        let divisors = state.clone().mask_fill(state.clone().equal_elem(0.0), 1.0);
        let norms = Tensor::cat(vec![hidden, state], 1).sqrt().try_into_data();
        let norms = norms.map_err(|error| LessonError::Device(error.to_string()))?;
        let (mut hidden_sum, mut state_sum) = (0.0, 0.0);
        for (scale, (hidden, state)) in self.scales.iter_mut().zip(norms.iter::<f64>().tuples()) {
            if !state.is_finite() {
                return Err(unfit(format!(
                    "the gradient is not finite {} timesteps before the last: the weights are of no use; train \
                     with a lower learning rate",
                    self.reach.state.len()
                )));
            }
            hidden_sum += *scale * hidden;
            *scale *= state;
            state_sum += *scale;
        }
        let rows = self.scales.len() as f64;
        self.reach.hidden.push(hidden_sum / rows);
        self.reach.state.push(state_sum / rows);
        *gradient = gradient.map(|tensor| tensor / divisors.clone().sqrt());
        Ok(())
    }

    fn finish(mut self) -> GradientReach {
        self.reach.hidden.reverse();
        self.reach.state.reverse();
        self.reach
    }
}

#[cfg(test)]
mod tests {
    use burn::module::{ModuleMapper, Param};
    use gatefold_data::{BatchInput, BatchTargets};
    use gatefold_model::{Cell, NetworkConfig};

    use super::*;

    fn config(cell: Cell) -> NetworkConfig {
        NetworkConfig {
            cell,
            vocabulary_size: 9,
            embedding_size: 4,
            hidden_size: 3,
            dense_size: 5,
            initializers: gatefold_model::Initializers::PyTorch,
            ..Default::default()
        }
    }

    fn batch(size: usize, time: usize) -> Batch {
        Batch {
            input: BatchInput::Tokens((0..size * time).map(|i| (i * i % 7 + 2) as i32).collect()),
            lengths: vec![time as i32; size],
            targets: Some(BatchTargets::Classes(
                (0..size).map(|row| (row % 2) as i32).collect(),
            )),
            size,
            time,
            indices: (0..size).collect(),
        }
    }

    /// The sum of the rows' losses, with `nudge` added to one number of the state after timestep `time`:
    /// that of a row and, of h's units followed by c's, of a unit.
    fn nudged_loss(
        network: &Network,
        batch: &Batch,
        time: usize,
        (row, unit): (usize, usize),
        nudge: f32,
    ) -> f64 {
        let device = Device::flex();
        let layer = network.stack.single_layer().unwrap();
        let input = network_input(network, batch, &device).unwrap();
        let projections = layer.project(network.input.vectors(input).unwrap());
        let add = |tensor: Tensor<2>, first_unit: usize| {
            let [rows, units] = tensor.dims();
            let mut nudges = vec![0.0; rows * units];
            if (first_unit..first_unit + units).contains(&unit) {
                nudges[row * units + unit - first_unit] = nudge;
            }
            tensor + Tensor::<1>::from_data(&nudges[..], &device).reshape([rows, units])
        };
        let (mut state, mut all) = (None, Vec::new());
        for t in 0..batch.time {
            let projection = projections.clone().slice_dim(1, t..t + 1);
            let mut after = super::after(layer, projection, state);
            if t == time {
                let units = after.hidden.dims()[1];
                after.hidden = add(after.hidden, 0);
                after.cell = after.cell.map(|cell| add(cell, units));
            }
            all.push(after.hidden.clone().unsqueeze_dim(1));
            state = Some(after);
        }
        let lengths = Tensor::from_data(&batch.lengths[..], &device);
        let last = state.unwrap().hidden;
        let read = network.head.read(Tensor::cat(all, 1), last, lengths);
        let answers = network.head.answers(read);
        let targets = batch.targets.as_ref().unwrap();
        let loss = Objective::Binary.loss(answers, targets, LossOptions::default());
        loss.into_scalar::<f64>() * batch.size as f64
    }

    #[test]
    fn the_reach_is_what_the_loss_does_when_a_state_is_nudged() {
        let batch = batch(2, 6);
        let pooled = [(Cell::Lstm, Reading::Mean), (Cell::Gru, Reading::Concat)];
        let all = Cell::ALL.map(|cell| (cell, Reading::Last));
        for (cell, reading) in all.into_iter().chain(pooled) {
            let config = NetworkConfig {
                reading,
                ..config(cell)
            };
            let network = config.init(3, &Device::flex()).unwrap();
            let found =
                state_gradient_reach(&network, Objective::Binary, &batch, &Device::flex()).unwrap();
            let units = if cell == Cell::Lstm { 6 } else { 3 };
            for time in 0..batch.time {
                let norm = |row: usize, units: usize| {
                    let slope = |unit: usize| {
                        let loss = |nudge| nudged_loss(&network, &batch, time, (row, unit), nudge);
                        (loss(0.02) - loss(-0.02)) / 0.04
                    };
                    (0..units)
                        .map(|unit| slope(unit).powi(2))
                        .sum::<f64>()
                        .sqrt()
                };
                for (found, units) in [(found.hidden[time], 3), (found.state[time], units)] {
                    let expected = (norm(0, units) + norm(1, units)) / 2.0;
                    assert!(
                        (found - expected).abs() < 0.01 * expected + 2e-5,
                        "{cell:?} {reading:?}, timestep {time}: {found}, expected {expected}"
                    );
                }
            }
            assert_eq!(found.state == found.hidden, cell != Cell::Lstm);
        }
    }

    #[test]
    fn through_small_recurrent_weights_it_decays_geometrically_below_the_smallest_f32() {
        struct Halve;
        impl ModuleMapper for Halve {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                param.map(|weight| weight * 0.5)
            }
        }
        // Keras's recurrent weight is orthogonal: it keeps norms, its half halves them. With inputs this
        // small, tanh changes next to nothing.
        let config = NetworkConfig {
            initializers: gatefold_model::Initializers::Keras,
            ..config(Cell::Rnn)
        };
        let network = config.init(3, &Device::flex()).unwrap().map(&mut Halve);
        let reach =
            gradient_reach(&network, Objective::Binary, &batch(3, 300), &Device::flex()).unwrap();
        assert_eq!(reach.len(), 300);
        assert!(reach[0] > 0.0 && reach[0] < 1e-80, "{}", reach[0]);
        for pair in reach.windows(2) {
            let ratio = pair[0] / pair[1];
            assert!((ratio - 0.5).abs() < 0.01, "{ratio}");
        }
    }

    #[test]
    fn a_network_that_records_gradients_reaches_as_far() {
        let config = NetworkConfig {
            dropout: 0.5,
            ..config(Cell::Gru)
        };
        let device = Device::flex();
        let network = config.init(3, &device.clone().autodiff()).unwrap();
        let reach = |network: &Network, device: &Device| {
            gradient_reach(network, Objective::Binary, &batch(4, 20), device).unwrap()
        };
        let expected = reach(&network.valid(), &device);
        assert_eq!(reach(&network, &device.autodiff()), expected);
    }

    #[test]
    fn what_has_no_single_chain_of_states_is_refused() {
        let refused = |config: NetworkConfig, batch: &Batch| {
            let network = config.init(3, &Device::flex()).unwrap();
            let result = gradient_reach(&network, Objective::Binary, batch, &Device::flex());
            result.unwrap_err().to_string()
        };
        let batch = batch(2, 5);
        let deep = NetworkConfig {
            layers: 2,
            ..config(Cell::Lstm)
        };
        assert!(refused(deep, &batch).contains("set layers = 1"));
        let both = NetworkConfig {
            bidirectional: true,
            ..config(Cell::Lstm)
        };
        assert!(refused(both, &batch).contains("bidirectional = false"));
        let uneven = Batch {
            lengths: vec![5, 3],
            ..batch.clone()
        };
        assert!(refused(config(Cell::Rnn), &uneven).contains("some of 3 and some of 5"));
        let unknown = Batch {
            input: BatchInput::Tokens(vec![9; 10]),
            ..batch
        };
        assert!(refused(config(Cell::Rnn), &unknown).contains('9'));
    }
}
