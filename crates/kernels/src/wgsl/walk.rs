//! A cell's walk through time: the dispatches that it takes, their buffers and their order.

use std::ops::Range;

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::launch::{Buffers, Shared, as_i32, grid};
use super::limits::{Limits, steps_a_dispatch, steps_a_submission};
use super::shader::{Pass, Previous, Product, ROWS, Shader, previous};
use super::{heartbeat, weight_gradient};
use crate::cell::Cell;
use crate::tensors::{
    Direction, Optional, WalkGradients, WalkInputs, WalkOutputGradients, WalkOutputs, WalkSaved,
    WalkTraining,
};

struct Walk {
    cell: Cell,
    batch: usize,
    time: usize,
    hidden: usize,
    lengths: CubeTensor,
    direction: Direction,
}

/// `training`: whether what the backward pass needs is kept.
pub(super) fn forward(
    inputs: WalkInputs<CubeBackend>,
    cell: Cell,
    direction: Direction,
    training: bool,
) -> WalkTraining<CubeBackend> {
    let [_, hidden] = inputs.initial_hidden.shape().dims();
    let projections = inputs.projections.per_token();
    let [batch, time, _] = projections.shape().dims();
    let walk = Walk::new(cell, [batch, time, hidden], inputs.lengths, direction);
    let weight = inputs.recurrent_weight.into_option();
    let bias = inputs.recurrent_bias.into_option();
    let states = states(inputs.initial_hidden, inputs.initial_cell);
    walk.forward(projections, weight, bias, states, training)
}

pub(super) fn backward(
    walked: WalkSaved<CubeBackend>,
    output_gradients: WalkOutputGradients<CubeBackend>,
    cell: Cell,
    direction: Direction,
) -> WalkGradients<CubeBackend> {
    let walk = Walk::new(
        cell,
        walked.hidden_states.shape().dims(),
        walked.lengths.clone(),
        direction,
    );
    let d_states = states(output_gradients.final_hidden, output_gradients.final_cell);
    let d_hidden_states = output_gradients.hidden_states.into_option();
    walk.backward(walked, d_states, d_hidden_states)
}

/// The hidden one first.
fn states(hidden: CubeTensor, cell: Optional<CubeBackend>) -> Vec<CubeTensor> {
    let states = [Some(hidden), cell.into_option()];
    states.into_iter().flatten().collect()
}

impl Walk {
    /// `lengths`: `[B]`.
    ///
    /// # Panics
    /// If a size is zero.
    fn new(
        cell: Cell,
        [batch, time, hidden]: [usize; 3],
        lengths: CubeTensor,
        direction: Direction,
    ) -> Self {
        assert!(
            batch > 0 && time > 0 && hidden > 0,
            "a recurrent layer needs rows, timesteps and hidden units: B {batch}, T {time}, H {hidden}"
        );
        Self {
            cell,
            batch,
            time,
            hidden,
            lengths: as_i32(lengths),
            direction,
        }
    }

    /// `states`: the initial ones, the hidden one first.
    fn forward(
        &self,
        projections: CubeTensor,
        weight: Option<CubeTensor>,
        bias: Option<CubeTensor>,
        states: Vec<CubeTensor>,
        training: bool,
    ) -> WalkTraining<CubeBackend> {
        let projections = into_contiguous(projections);
        let weight = weight.map(into_contiguous);
        let bias = bias.map(into_contiguous);
        let mut states = contiguous(states);
        let saves = training && self.cell.saved() > 0;
        let product = self.product(&projections, Pass::Forward);
        let shader = self.shader(Pass::Forward, product, saves);
        let sequence = |count| Shape::from([self.batch, self.time, count * self.hidden]);
        let hidden_states = Shared::new(&projections, [sequence(1)]);
        let saved = saves.then(|| Shared::new(&projections, [sequence(self.cell.saved())]));

        for part in self.parts(product) {
            let factor = weight.clone().map(|weight| match product {
                Product::Step => {
                    into_contiguous(CubeBackend::float_matmul(states[0].clone(), weight))
                }
                Product::Fused | Product::None => weight,
            });
            let next = Shared::new(&projections, states.iter().map(|_| self.state()));
            let buffers = Buffers::default().read(&projections);
            let buffers = factor.iter().chain(&bias).fold(buffers, Buffers::read);
            let buffers = states
                .iter()
                .fold(buffers, Buffers::read)
                .read(&self.lengths)
                .write(&hidden_states.handle)
                .write(&next.handle);
            let buffers = saved
                .iter()
                .fold(buffers, |buffers, saved| buffers.write(&saved.handle));
            let offsets = Offsets {
                state: next.offset(states.len() - 1),
                ..Default::default()
            };
            self.launch(buffers, shader, offsets, part);
            states = (0..states.len()).map(|state| next.tensor(state)).collect();
        }
        let mut states = states.into_iter();
        WalkTraining {
            outputs: WalkOutputs {
                hidden_states: hidden_states.tensor(0),
                final_hidden: states.next().expect("there is a hidden state"),
                final_cell: Optional::new(states.next()),
            },
            saved: Optional::new(saved.map(|saved| saved.tensor(0))),
        }
    }

    /// - `d_states`: the gradients of the final states, the hidden one first;
    /// - `d_hidden_states`: `[B, T, H]`.
    fn backward(
        &self,
        walked: WalkSaved<CubeBackend>,
        d_states: Vec<CubeTensor>,
        d_hidden_states: Option<CubeTensor>,
    ) -> WalkGradients<CubeBackend> {
        let hidden_states = walked.hidden_states;
        // A cell that keeps nothing for it goes by its hidden states.
        let saved = walked.saved.into_option();
        let saved = into_contiguous(saved.unwrap_or_else(|| hidden_states.clone()));
        let weight = walked.recurrent_weight.into_option();
        let started_from = match previous(self.cell) {
            Previous::Cell => walked.initial_cell.into_option().into_iter().collect(),
            Previous::Hidden => vec![hidden_states.clone(), walked.initial_hidden.clone()],
            Previous::Nothing => vec![],
        };
        let started_from = contiguous(started_from);
        let d_states = contiguous(d_states);
        let d_hidden_states = d_hidden_states.map(into_contiguous);
        let product = self.product(&saved, Pass::Backward);
        let transposed = weight.map(|weight| match product {
            Product::Step => into_contiguous(CubeBackend::float_transpose(weight)),
            Product::Fused | Product::None => self.transposed(weight),
        });
        let shader = self.shader(Pass::Backward, product, d_hidden_states.is_some());

        let gradients = Gradients::new(self, &saved, d_states.len(), product);
        let offsets = gradients.offsets(self.cell);
        let zeros = || CubeBackend::float_zeros(self.state(), &saved.device, DType::F32.into());
        let mut d_product = gradients.step.map(|_| zeros());

        for part in self.parts(product).into_iter().rev() {
            let factor = d_product.as_ref().or(transposed.as_ref());
            let buffers = Buffers::default().read(&saved);
            let buffers = factor
                .into_iter()
                .chain(&started_from)
                .chain([&self.lengths])
                .chain(&d_states)
                .fold(buffers, Buffers::read)
                .write(&gradients.shared.handle);
            let buffers = d_hidden_states.iter().fold(buffers, Buffers::read);
            self.launch(buffers, shader, offsets, part);
            if let (Some(step), Some(transposed)) = (gradients.step, &transposed) {
                let d_step = gradients.shared.tensor(step);
                d_product = Some(into_contiguous(CubeBackend::float_matmul(
                    d_step,
                    transposed.clone(),
                )));
            }
        }
        let part = |part| gradients.shared.tensor(part);
        let mut states = gradients.states.clone().map(part);
        let mut d_hidden = states.next().expect("there is a hidden state");
        if let Some(d_product) = d_product {
            d_hidden = CubeBackend::float_add(d_hidden, d_product);
        }
        let d_recurrent = part(gradients.recurrent);
        let bias = self.cell.has_recurrent_bias();
        let bias = bias.then(|| weight_gradient::bias(d_recurrent.clone()));
        let weight = transposed.map(|_| {
            let previous = weight_gradient::previous_hidden(
                hidden_states,
                walked.initial_hidden,
                &self.lengths,
                self.direction,
            );
            weight_gradient::weight(previous, d_recurrent)
        });
        WalkGradients {
            projections: part(0),
            recurrent_weight: Optional::new(weight),
            recurrent_bias: Optional::new(bias),
            initial_hidden: d_hidden,
            initial_cell: Optional::new(states.next()),
        }
    }

    /// The recurrent weights as the fused backward pass reads them.
    fn transposed(&self, weight: CubeTensor) -> CubeTensor {
        let weight = into_contiguous(weight);
        let [hidden, columns] = weight.shape().dims();
        let shape = Shape::from([columns, hidden.next_multiple_of(4)]);
        let shader = Shader::TransposedWeight { hidden, columns };
        let workgroups = [shape.num_elements().div_ceil(shader.workgroup()), 1, 1];
        let transposed = Shared::new(&weight, [shape]);
        Buffers::default()
            .read(&weight)
            .write(&transposed.handle)
            .launch(&weight.client, shader, workgroups, &[]);
        transposed.tensor(0)
    }

    fn product(&self, like: &CubeTensor, pass: Pass) -> Product {
        Limits::of(&like.client).product(self.cell, pass, self.batch, self.hidden)
    }

    fn shader(&self, pass: Pass, product: Product, extra: bool) -> Shader {
        Shader::Walk {
            cell: self.cell,
            pass,
            product,
            hidden: self.hidden,
            extra,
            heartbeat: Limits::of(&self.lengths.client).heartbeat(),
        }
    }

    /// The shape of a state.
    fn state(&self) -> Shape {
        [self.batch, self.hidden].into()
    }

    /// What every dispatch walks, in the order of the forward pass.
    fn parts(&self, product: Product) -> Vec<Part> {
        let most = steps_a_dispatch(self.cell, self.batch, self.hidden);
        let submission = steps_a_submission(self.cell, self.batch, self.hidden);
        let count = match product {
            Product::Fused | Product::None => most,
            Product::Step => 1,
        };
        let part = |first: usize| {
            let steps = first..(first + count).min(self.time);
            let submit = match product {
                Product::Fused | Product::None => self.time >= submission,
                Product::Step => steps.end.is_multiple_of(submission),
            };
            Part { steps, submit }
        };
        (0..self.time).step_by(count).map(part).collect()
    }

    fn launch(&self, buffers: Buffers, shader: Shader, offsets: Offsets, part: Part) {
        let client = &self.lengths.client;
        let mut info = vec![offsets.state, offsets.second, offsets.step, 0];
        let steps = part.steps;
        info.extend([self.batch, self.time, steps.start, steps.end].map(|value| value as u32));
        // To a whole number of 16 bytes.
        info.extend([u32::from(self.direction == Direction::Reverse), 0, 0, 0]);
        let [x, z] = grid(self.batch.div_ceil(ROWS));
        let workgroups = [x, self.hidden.div_ceil(shader.workgroup()), z];
        let buffers = if Limits::of(client).heartbeat() {
            buffers.count(&heartbeat::expect(client, workgroups))
        } else {
            buffers
        };
        buffers.launch(client, shader, workgroups, &info);
        if part.submit {
            // A device that is lost says so when a result is read.
            let _ = client.flush();
        }
    }
}

/// A backward walk's gradients in one memory, that of the projections first, and which of its parts they are.
struct Gradients {
    shared: Shared,
    /// Of the recurrent product: a GRU's own, elsewhere the projections'.
    recurrent: usize,
    /// Of the initial states. One dispatch leaves them to the next in place.
    states: Range<usize>,
    /// What the product after a dispatch needs, where it is not made in the kernel.
    step: Option<usize>,
}

impl Gradients {
    fn new(walk: &Walk, like: &CubeTensor, states: usize, product: Product) -> Self {
        let width = walk.cell.gates() * walk.hidden;
        let recurrent = usize::from(walk.cell.has_recurrent_bias());
        let states = recurrent + 1..recurrent + 1 + states;
        let step = (product == Product::Step).then_some(states.end);
        let mut shapes = vec![Shape::from([walk.batch, walk.time, width]); states.start];
        shapes.resize(states.end, walk.state());
        shapes.extend(step.map(|_| Shape::from([walk.batch, width])));
        Self {
            shared: Shared::new(like, shapes),
            recurrent,
            states,
            step,
        }
    }

    fn offsets(&self, cell: Cell) -> Offsets {
        let offset = |part| self.shared.offset(part);
        Offsets {
            state: offset(self.states.start),
            second: if cell.has_cell_state() {
                offset(self.states.start + 1)
            } else {
                offset(self.recurrent)
            },
            step: self.step.map_or(0, offset),
        }
    }
}

/// Where parts of an output begin, in elements: `offsets` in the kernels.
#[derive(Clone, Copy, Default)]
struct Offsets {
    /// Forward the last of the final states, backward the gradient of the initial hidden one.
    state: u32,
    /// Backward: an LSTM's gradient of the initial cell state, a GRU's of the recurrent product.
    second: u32,
    /// See [`Gradients::step`].
    step: u32,
}

/// What one dispatch walks.
struct Part {
    steps: Range<usize>,
    /// Whether the driver gets what was launched up to and with it.
    submit: bool,
}

fn contiguous(tensors: Vec<CubeTensor>) -> Vec<CubeTensor> {
    tensors.into_iter().map(into_contiguous).collect()
}
