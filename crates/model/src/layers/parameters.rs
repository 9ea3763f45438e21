//! What is the same for the layers of all cells: their checks, and the way from an input to hidden states.

use burn::module::Param;
use burn::nn::Dropout;
use burn::tensor::{Device, Int, Tensor};
use gatefold_kernels::error::Agreement;
use gatefold_kernels::{
    Cell, Direction, InputError, InputWeights, LayerWeights, Projections, RecurrentWeights, State,
    Stepper, WalkOutput, linear, walk,
};

use crate::dropout::Masks;

/// A layer's weights, and what else its walks depend on.
pub(crate) struct Parameters<'a> {
    pub cell: Cell,
    /// The layer's name in messages.
    pub name: &'static str,
    /// Which of the projections' parts are gates that open and close: their names and places.
    pub gates: &'static [(&'static str, usize)],
    /// W, `[in, G·H]`.
    pub input_weight: &'a Param<Tensor<2>>,
    /// b, `[G·H]`.
    pub bias: &'a Param<Tensor<1>>,
    /// U, `[H, G·H]`.
    pub recurrent_weight: Option<&'a Param<Tensor<2>>>,
    /// b_r, `[G·H]`.
    pub recurrent_bias: Option<&'a Param<Tensor<1>>>,
    /// Of the hidden units in the recurrent products, and of U's numbers.
    pub dropouts: Option<[&'a Dropout; 2]>,
    pub reverse: bool,
    pub batch_first: bool,
}

impl Parameters<'_> {
    /// Input and hidden. Reads no weights: those of a blank layer stay unmade.
    pub fn sizes(&self) -> [usize; 2] {
        let shape = self.input_weight.lazy_shape();
        [shape[0], shape[1] / self.cell.gates()]
    }

    /// `x W + b` for every row: `[N, in]` → `[N, G·H]`.
    pub fn project_rows(&self, rows: Tensor<2>) -> Tensor<2> {
        linear(rows, self.input_weight.val(), self.bias.val())
    }

    /// `x W + b` for every timestep: `[B, T, in]` → `[B, T, G·H]`.
    pub fn project(&self, input: Tensor<3>) -> Tensor<3> {
        let [batch, time, size] = input.dims();
        let projected = self.project_rows(input.reshape([batch * time, size]));
        let [_, width] = projected.dims();
        projected.reshape([batch, time, width])
    }

    /// [`project`](Self::project), left to the walk to make.
    pub fn of_vectors(&self, input: Tensor<3>) -> Projections {
        Projections::of_vectors(input, self.input_weights())
    }

    pub fn input_weights(&self) -> InputWeights {
        InputWeights {
            weight: self.input_weight.val(),
            bias: self.bias.val(),
        }
    }

    /// A sequence as the layer reads it and gives it, or from that, batch first.
    pub fn batch_first(&self, sequence: Tensor<3>) -> Tensor<3> {
        match self.batch_first {
            true => sequence,
            false => sequence.swap_dims(0, 1),
        }
    }

    /// `lengths`: all timesteps if `None`.
    pub fn forward(
        &self,
        input: Tensor<3>,
        lengths: Option<Tensor<1, Int>>,
        state: Option<State>,
        masks: &mut impl Masks,
    ) -> Result<WalkOutput, InputError> {
        self.check_sequence(&input)?;
        let projections = self.of_vectors(self.batch_first(input));
        let mut walked = self.walk(projections, lengths, state, masks)?;
        walked.hidden_states = self.batch_first(walked.hidden_states);
        Ok(walked)
    }

    /// [`forward`](Self::forward) of a layer that walks forward in time.
    pub fn seq(
        &self,
        input: Tensor<3>,
        state: State,
        masks: &mut impl Masks,
    ) -> Result<WalkOutput, InputError> {
        self.forward_only()?;
        self.forward(input, None, Some(state), masks)
    }

    /// From projections of `[B, T]`.
    pub fn walk(
        &self,
        projections: Projections,
        lengths: Option<Tensor<1, Int>>,
        state: Option<State>,
        masks: &mut impl Masks,
    ) -> Result<WalkOutput, InputError> {
        let lengths =
            lengths.unwrap_or_else(|| whole_time(projections.dims(), &projections.device()));
        let weight = self.recurrent_weight.map(Param::val);
        let weight = match (weight, self.dropouts) {
            (Some(weight), Some([of_units, of_weights])) => {
                let weight = masks.drop_rows(of_units, weight);
                Some(masks.drop_values(of_weights, weight))
            }
            (weight, _) => weight,
        };
        let recurrent = RecurrentWeights {
            weight,
            bias: self.recurrent_bias.map(Param::val),
        };
        let direction = Direction::reversed(self.reverse);
        walk(self.cell, projections, recurrent, state, lengths, direction)
            .map_err(|error| error.of(self.name))
    }

    /// A state of zeros for `batch` rows.
    pub fn zero_state(&self, batch: usize) -> State {
        let weight = self.input_weight.val();
        let [_, hidden] = self.sizes();
        State::zeros(
            self.cell,
            [batch, hidden],
            (&weight.device(), weight.dtype()),
        )
    }

    /// `input`: `[B, in]`.
    pub fn step(
        &self,
        input: Tensor<2>,
        state: State,
        masks: &mut impl Masks,
    ) -> Result<State, InputError> {
        self.check_input(&input, "[B, d_input], nothing empty")?;
        self.forward_only()?;
        let projections = self.of_vectors(input.unsqueeze_dim(1));
        let walked = self.walk(projections, None, Some(state), masks)?;
        Ok(walked.final_state)
    }

    fn forward_only(&self) -> Result<(), InputError> {
        match self.reverse {
            false => Ok(()),
            true => Err(InputError::Reverse {
                operation: self.name,
            }),
        }
    }

    /// In plain vectors, for `batch` rows.
    pub fn stepper(&self, batch: usize) -> Result<Stepper, InputError> {
        self.forward_only()?;
        let (weight, bias) = (self.recurrent_weight, self.recurrent_bias);
        let weights = LayerWeights {
            input_weight: &values(self.input_weight.val()),
            bias: &values(self.bias.val()),
            recurrent_weight: &weight.map_or_else(Vec::new, |weight| values(weight.val())),
            recurrent_bias: &bias.map_or_else(Vec::new, |bias| values(bias.val())),
        };
        Stepper::new(self.cell, self.sizes(), batch, weights).map_err(|error| error.of(self.name))
    }

    /// Whether the layer can read `input`, laid out as it reads it.
    pub fn check_sequence(&self, input: &Tensor<3>) -> Result<(), InputError> {
        let meaning = match self.batch_first {
            true => "[B, T, d_input], nothing empty",
            false => "[T, B, d_input], nothing empty",
        };
        self.check_input(input, meaning)
    }

    /// Whether the layer can read `input`.
    pub fn check_input<const D: usize>(
        &self,
        input: &Tensor<D>,
        meaning: &'static str,
    ) -> Result<(), InputError> {
        let check = self.agreement();
        let mut expected = input.dims().map(|size| size.max(1));
        expected[D - 1] = self.sizes()[0];
        check.shape("input", &input.dims(), &expected, meaning)?;
        check.kind("input", input.dtype(), &input.device())
    }

    fn agreement(&self) -> Agreement {
        let weight = self.input_weight.val();
        Agreement {
            operation: self.name,
            other: "the layer's weights",
            dtype: weight.dtype(),
            device: weight.device(),
        }
    }
}

/// The lengths of rows whose timesteps all count, `[B]`.
pub(crate) fn whole_time([batch, time, _]: [usize; 3], device: &Device) -> Tensor<1, Int> {
    // Uploaded, which costs a GPU less than a kernel that fills.
    Tensor::from_data(&vec![time as i32; batch][..], device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter().collect()
}
