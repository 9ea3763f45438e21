//! A cell's walk through time: the dispatches that it takes, their buffers and their order.

use std::ops::Range;

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{Shape, Slice};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::choices;
use super::heartbeat;
use super::launch::{Buffers, Shared, as_i32, grid};
use super::limits::{steps_a_dispatch, steps_a_submission};
use super::shader::{Packing, ROWS, Shader, Walk as Layout, units};
use super::weight_gradients::{self, Walked};
use crate::cell::Cell;
use crate::kernel_choices::{Pass, Product};
use crate::tensors::{
    Direction, Input, Optional, Projections, WalkGradients, WalkInputs, WalkOutputGradients,
    WalkOutputs, WalkSaved, WalkTraining, Wanted,
};

pub(super) struct Walk {
    pub cell: Cell,
    pub batch: usize,
    pub time: usize,
    pub hidden: usize,
    pub lengths: CubeTensor,
    pub direction: Direction,
    /// Whether there is an initial state.
    pub given: bool,
}

/// `training`: whether what the backward pass needs is kept.
pub(super) fn forward(
    inputs: WalkInputs<CubeBackend>,
    cell: Cell,
    direction: Direction,
    training: bool,
) -> WalkTraining<CubeBackend> {
    let [batch, time] = inputs.projections.input.sequence();
    let walk = Walk {
        cell,
        batch,
        time,
        hidden: inputs.projections.width() / cell.gates(),
        lengths: as_i32(inputs.lengths),
        direction,
        given: inputs.initial_hidden.as_option().is_some(),
    };
    walk.check();
    let packed = walk.pack(
        inputs.recurrent_weight,
        [inputs.projections.bias.clone(), inputs.recurrent_bias],
        [inputs.initial_hidden, inputs.initial_cell],
        inputs.projections.tensor(),
    );
    walk.forward(
        walk.layout(Pass::Forward),
        inputs.projections,
        packed,
        training,
    )
}

pub(super) fn backward(
    walked: WalkSaved<CubeBackend>,
    output_gradients: WalkOutputGradients<CubeBackend>,
    cell: Cell,
    direction: Direction,
    wanted: Wanted,
) -> WalkGradients<CubeBackend> {
    let [batch, time, hidden] = walked.hidden_states.shape().dims();
    let walk = Walk {
        cell,
        batch,
        time,
        hidden,
        lengths: as_i32(walked.lengths.clone()),
        direction,
        given: walked.initial_hidden.as_option().is_some(),
    };
    walk.check();
    walk.backward(walked, output_gradients, wanted)
}

impl Walk {
    /// # Panics
    /// If a size is zero, or T more than walks count in floats.
    fn check(&self) {
        let [batch, time, hidden] = [self.batch, self.time, self.hidden];
        assert!(
            batch > 0 && time > 0 && hidden > 0,
            "a recurrent layer needs rows, timesteps and hidden units: B {batch}, T {time}, H {hidden}"
        );
        assert!(
            time <= 1 << 24,
            "a recurrent layer on a GPU walks at most 2^24 timesteps, not {time}: cut the sequence"
        );
    }

    /// What the walks read again and again; `biases`: of the projections, and of the recurrent product.
    pub fn pack(
        &self,
        weight: Optional<CubeBackend>,
        biases: [Optional<CubeBackend>; 2],
        initial: [Optional<CubeBackend>; 2],
        like: &CubeTensor,
    ) -> CubeTensor {
        let packing = Packing::of(self.cell, self.hidden);
        let states = usize::from(self.given) * (1 + usize::from(self.cell.has_cell_state()));
        let tiles = self.batch.div_ceil(ROWS);
        let count = packing.initial + states * tiles * units(self.hidden);
        // Lazy operations know it as the recurrent weights, which have two dimensions.
        let packed = Shared::new(like, [Shape::from([count, 4])]);
        let [bias, recurrent_bias] = biases;
        let [hidden, cell] = initial;
        let is_given = |tensor: &Optional<CubeBackend>| tensor.as_option().is_some();
        let shader = Shader::Pack {
            cell: self.cell,
            hidden: self.hidden,
            given: [&bias, &hidden, &cell].map(is_given),
        };
        let buffers = Buffers::default().write(&packed.handle);
        [weight, bias, recurrent_bias, hidden, cell]
            .into_iter()
            .filter_map(Optional::into_option)
            .map(into_contiguous)
            .fold(buffers, |buffers, tensor| buffers.read(&tensor))
            .launch_many(
                &like.client,
                shader,
                count,
                &[self.batch as u32, count as u32],
            );
        packed.tensor(0)
    }

    pub fn forward(
        &self,
        walk: Layout,
        projections: Projections<CubeBackend>,
        packed: CubeTensor,
        training: bool,
    ) -> WalkTraining<CubeBackend> {
        let weight = projections.weight.into_option();
        let project = |vectors: CubeTensor| match weight {
            None => into_contiguous(vectors),
            Some(weight) => {
                let shape = vectors.shape();
                let width = shape[shape.num_dims() - 1];
                let rows = Shape::from([shape.num_elements() / width, width]);
                let vectors = CubeBackend::float_reshape(vectors, rows);
                into_contiguous(CubeBackend::float_matmul(vectors, weight))
            }
        };
        let (projections, ids) = match projections.input {
            Input::PerToken(vectors) => (project(vectors), None),
            Input::PerWord { table, tokens } => (project(table), Some(as_i32(tokens.ids))),
        };
        let keeps = training && self.cell.saved() > 0;
        let shader = Shader::Forward {
            walk,
            words: ids.is_some(),
            keeps,
        };
        let sequence = |count| Shape::from([self.batch, self.time, count * self.hidden]);
        let hidden_states = Shared::new(&projections, [sequence(1)]);
        let saved = keeps.then(|| Shared::new(&projections, [sequence(self.cell.saved())]));
        let count = 1 + usize::from(self.cell.has_cell_state());
        let states = Shared::new(&projections, vec![self.state(); count]);
        let uniform = Uniform {
            words: ids.as_ref().map_or(0, |_| projections.shape()[0]),
            second: states.offset(count - 1),
            states: 0,
        };
        for part in self.parts(walk.product) {
            let buffers = Buffers::default()
                .read(&projections)
                .read(&self.lengths)
                .write(&hidden_states.handle)
                .write(&states.handle)
                .read(&packed);
            let buffers = ids.iter().fold(buffers, Buffers::read);
            let buffers = saved
                .iter()
                .fold(buffers, |buffers, saved| buffers.write(&saved.handle));
            self.launch(buffers, shader, uniform, part);
        }
        WalkTraining {
            outputs: WalkOutputs {
                hidden_states: hidden_states.tensor(0),
                final_hidden: states.tensor(0),
                final_cell: Optional::new((count > 1).then(|| states.tensor(1))),
            },
            saved: Optional::new(saved.map(|saved| saved.tensor(0))),
            recurrent_weight: match self.cell.has_recurrent_weight() {
                true => Optional::Given(packed),
                false => Optional::Absent,
            },
        }
    }

    fn backward(
        &self,
        walked: WalkSaved<CubeBackend>,
        output_gradients: WalkOutputGradients<CubeBackend>,
        wanted: Wanted,
    ) -> WalkGradients<CubeBackend> {
        let hidden_states = into_contiguous(walked.hidden_states);
        let packed = walked.recurrent_weight.into_option();
        // What was packed holds it.
        let initial = walked.initial_hidden.into_option();
        let initial = initial.filter(|_| packed.is_none()).map(into_contiguous);
        let d_outputs = [
            output_gradients.final_hidden,
            output_gradients.final_cell,
            output_gradients.hidden_states,
        ]
        .map(|gradient| gradient.into_option().map(into_contiguous));
        let saved = walked.saved.into_option();
        let projections = walked.projections;
        let gradients = self.back(
            self.layout(Pass::Backward),
            &hidden_states,
            [&packed, &initial],
            &saved,
            &d_outputs,
        );
        let states = 1 + usize::from(self.cell.has_cell_state());
        let state = |place| match self.given && place <= states {
            true => Optional::Given(gradients.tensor(place)),
            false => Optional::Absent,
        };
        let initial = [state(1), state(2)];
        let walked = Walked {
            cell: self.cell,
            direction: self.direction,
            given: self.given,
            gradients: gradients.tensor(0),
            lengths: &self.lengths,
            hidden_states,
            packed,
        };
        let weights = weight_gradients::of(&walked, &projections, wanted);
        let of_input = match wanted {
            Wanted::Input => {
                Optional::Given(of_input(projections, walked.gradients, weights.input))
            }
            Wanted::WeightsAlone => Optional::Absent,
        };
        let [initial_hidden, initial_cell] = initial;
        WalkGradients {
            input: of_input,
            input_weight: weights.input_weight,
            bias: weights.bias,
            recurrent_weight: weights.recurrent_weight,
            recurrent_bias: weights.recurrent_bias,
            initial_hidden,
            initial_cell,
        }
    }

    /// The gradients of the preactivations, then of the initial states. `before`: what was packed, or the initial hidden
    /// state of a cell of which nothing was.
    pub fn back(
        &self,
        walk: Layout,
        hidden_states: &CubeTensor,
        before: [&Option<CubeTensor>; 2],
        saved: &Option<CubeTensor>,
        d_outputs: &[Option<CubeTensor>; 3],
    ) -> Shared {
        let shader = Shader::Backward {
            walk,
            given: d_outputs.each_ref().map(Option::is_some),
            initial: before[1].is_some(),
        };
        let recorded = self.cell.gradients() * self.hidden;
        let states = 1 + usize::from(self.cell.has_cell_state());
        let mut shapes = vec![Shape::from([self.batch, self.time, recorded])];
        shapes.resize(1 + states, self.state());
        let gradients = Shared::new(hidden_states, shapes);
        let uniform = Uniform {
            words: 0,
            second: gradients.offset(states) - gradients.offset(1),
            states: gradients.offset(1),
        };
        let mut parts = self.parts(walk.product);
        if walk.product == Product::Step && self.given {
            // What the first step leaves for the initial state.
            parts.insert(0, Part::none());
        }
        for part in parts.into_iter().rev() {
            let buffers = Buffers::default().read(&self.lengths);
            let buffers = match self.cell.has_cell_state() {
                true => buffers,
                false => buffers.read(hidden_states),
            };
            let before = before.into_iter().flatten();
            let buffers = before.fold(buffers, Buffers::read);
            let buffers = buffers.write(&gradients.handle);
            let read = saved.iter().chain(d_outputs.iter().flatten());
            let buffers = read.fold(buffers, Buffers::read);
            self.launch(buffers, shader, uniform, part);
        }
        gradients
    }

    fn layout(&self, pass: Pass) -> Layout {
        choices::layout(&self.lengths, self.cell, pass, self.batch, self.hidden)
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
            Product::Split | Product::Fused | Product::None => most,
            Product::Step => 1,
        };
        let part = |first: usize| {
            let steps = first..(first + count).min(self.time);
            let submit = match product {
                Product::Split | Product::Fused | Product::None => self.time >= submission,
                Product::Step => steps.end.is_multiple_of(submission),
            };
            Part { steps, submit }
        };
        (0..self.time).step_by(count).map(part).collect()
    }

    fn launch(&self, buffers: Buffers, shader: Shader, uniform: Uniform, part: Part) {
        let client = &self.lengths.client;
        let (Shader::Forward { walk, .. } | Shader::Backward { walk, .. }) = shader else {
            panic!("{shader:?} is no walk")
        };
        let steps = part.steps;
        let sizes = [self.batch, self.time, steps.start, steps.end].map(|value| value as u32);
        let mut info = Vec::from(sizes);
        info.extend([
            u32::from(self.direction == Direction::Reverse),
            u32::from(self.given),
            uniform.words as u32,
            uniform.second,
            uniform.states,
        ]);
        let [x, z] = grid(self.batch.div_ceil(ROWS * walk.tiles()));
        let workgroups = [x, self.hidden.div_ceil(walk.lanes()), z];
        buffers
            .count(&heartbeat::expect(client, workgroups))
            .launch(client, shader, workgroups, &info);
        if part.submit {
            // A device that is lost says so when a result is read.
            let _ = client.flush();
        }
    }
}

/// What a walk's kernel is told beside its sizes.
#[derive(Clone, Copy)]
struct Uniform {
    /// V, where a word has a projection.
    words: usize,
    /// Where the cell states begin behind the hidden ones, in elements.
    second: u32,
    /// Where the gradients of the initial states begin.
    states: u32,
}

/// What one dispatch walks.
struct Part {
    steps: Range<usize>,
    /// Whether the driver gets what was launched up to and with it.
    submit: bool,
}

impl Part {
    /// No step.
    fn none() -> Self {
        Self {
            steps: 0..0,
            submit: false,
        }
    }
}

/// The gradient of the projections' input: of the vectors, where weights made the projections of them, else of the
/// projections themselves.
fn of_input(
    projections: Projections<CubeBackend>,
    of_preactivations: CubeTensor,
    of_vectors: Option<CubeTensor>,
) -> CubeTensor {
    let of_input = of_vectors.unwrap_or_else(|| {
        // A recurrent product's own last gate stands behind the projections'.
        let [batch, time, _] = of_preactivations.shape().dims();
        let width = projections.width();
        let ranges = [batch, time, width].map(|end| Slice::from(0..end));
        CubeBackend::float_slice(of_preactivations, &ranges)
    });
    projections.input.gradient(of_input)
}
