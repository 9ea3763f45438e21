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
use super::shader::{Cell, Pass, Product, ROWS, Shader};
use super::{heartbeat, weight_gradient};
use crate::tensors::Direction;

pub(super) struct Walk {
    cell: Cell,
    batch: usize,
    time: usize,
    hidden: usize,
    lengths: CubeTensor,
    direction: Direction,
}

pub(super) struct Forward {
    /// `[B, T, H]`.
    pub hidden_states: CubeTensor,
    /// Hidden, then the cell of an LSTM, each `[B, H]`.
    pub final_states: Vec<CubeTensor>,
    /// `[B, T, _]`.
    pub saved: Option<CubeTensor>,
}

pub(super) struct Backward {
    /// `[B, T, G·H]`.
    pub projections: CubeTensor,
    /// Of `h U` (a GRU's with its bias), `[B, T, G·H]`.
    pub recurrent: CubeTensor,
    /// In the order of [`Forward::final_states`].
    pub initial_states: Vec<CubeTensor>,
}

impl Walk {
    /// `lengths`: `[B]`.
    ///
    /// # Panics
    /// If a size is zero.
    pub fn new(
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

    /// - `constants`: what the kernel reads between the weights and the states;
    /// - `states`: the initial ones, the hidden one first.
    pub fn forward(
        &self,
        projections: CubeTensor,
        weight: &CubeTensor,
        constants: Vec<CubeTensor>,
        states: Vec<CubeTensor>,
        training: bool,
    ) -> Forward {
        let projections = into_contiguous(projections);
        let weight = into_contiguous(weight.clone());
        let constants = contiguous(constants);
        let mut states = contiguous(states);
        let product = self.product(&projections, Pass::Forward);
        let shader = self.shader(Pass::Forward, product, training);
        let sequence = |count| Shape::from([self.batch, self.time, count * self.hidden]);
        let hidden_states = Shared::new(&projections, [sequence(1)]);
        let saved = training.then(|| Shared::new(&projections, [sequence(self.cell.saved())]));

        for part in self.parts(product) {
            let factor = match product {
                Product::Fused => weight.clone(),
                Product::Step => {
                    into_contiguous(CubeBackend::float_matmul(states[0].clone(), weight.clone()))
                }
            };
            let next = Shared::new(&projections, states.iter().map(|_| self.state()));
            let buffers = Buffers::default().read(&projections).read(&factor);
            let buffers = constants.iter().fold(buffers, Buffers::read);
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
        Forward {
            hidden_states: hidden_states.tensor(0),
            final_states: states,
            saved: saved.map(|saved| saved.tensor(0)),
        }
    }

    /// - `saved`: from the forward pass; a simple RNN's are its hidden states;
    /// - `constants`: what the kernel reads between the weights and the lengths;
    /// - `d_states`: the gradients of the final states, the hidden one first;
    /// - `d_hidden_states`: `[B, T, H]`.
    pub fn backward(
        &self,
        saved: CubeTensor,
        weight: &CubeTensor,
        constants: Vec<CubeTensor>,
        d_states: Vec<CubeTensor>,
        d_hidden_states: Option<CubeTensor>,
    ) -> Backward {
        let saved = into_contiguous(saved);
        let constants = contiguous(constants);
        let d_states = contiguous(d_states);
        let d_hidden_states = d_hidden_states.map(into_contiguous);
        let product = self.product(&saved, Pass::Backward);
        let transposed = match product {
            Product::Fused => self.transposed(weight.clone()),
            Product::Step => into_contiguous(CubeBackend::float_transpose(weight.clone())),
        };
        let shader = self.shader(Pass::Backward, product, d_hidden_states.is_some());

        let gradients = Gradients::new(self, &saved, d_states.len(), product);
        let offsets = gradients.offsets(self.cell);
        let zeros = || CubeBackend::float_zeros(self.state(), &saved.device, DType::F32.into());
        let mut d_product = gradients.step.map(|_| zeros());

        for part in self.parts(product).into_iter().rev() {
            let factor = d_product.as_ref().unwrap_or(&transposed);
            let buffers = Buffers::default().read(&saved).read(factor);
            let buffers = constants
                .iter()
                .fold(buffers, Buffers::read)
                .read(&self.lengths);
            let buffers = d_states
                .iter()
                .fold(buffers, Buffers::read)
                .write(&gradients.shared.handle);
            let buffers = d_hidden_states.iter().fold(buffers, Buffers::read);
            self.launch(buffers, shader, offsets, part);
            if let Some(step) = gradients.step {
                let d_step = gradients.shared.tensor(step);
                d_product = Some(into_contiguous(CubeBackend::float_matmul(
                    d_step,
                    transposed.clone(),
                )));
            }
        }
        let part = |part| gradients.shared.tensor(part);
        let mut initial_states: Vec<_> = gradients.states.clone().map(part).collect();
        if let Some(d_product) = d_product {
            initial_states[0] = CubeBackend::float_add(initial_states[0].clone(), d_product);
        }
        Backward {
            projections: part(0),
            recurrent: part(gradients.recurrent),
            initial_states,
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

    /// See [`weight_gradient::weight`].
    pub fn weight_gradient(
        &self,
        hidden_states: CubeTensor,
        initial_hidden: CubeTensor,
        recurrent: CubeTensor,
    ) -> CubeTensor {
        let previous = weight_gradient::previous_hidden(
            hidden_states,
            initial_hidden,
            &self.lengths,
            self.direction,
        );
        weight_gradient::weight(previous, recurrent)
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
            Product::Fused => most,
            Product::Step => 1,
        };
        let part = |first: usize| {
            let steps = first..(first + count).min(self.time);
            let submit = match product {
                Product::Fused => self.time >= submission,
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
        let recurrent = usize::from(walk.cell == Cell::Gru);
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
            second: match cell {
                Cell::Lstm => offset(self.states.start + 1),
                Cell::Gru => offset(self.recurrent),
                Cell::SimpleRnn => 0,
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
