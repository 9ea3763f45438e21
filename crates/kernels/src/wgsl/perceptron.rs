//! A perceptron in one dispatch, its backward pass in two.

use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::launch::{Buffers, Shared, grid};
use super::shader::{PerceptronSizes, ROWS, Shader};
use crate::tensors::{PerceptronInputs, PerceptronOutputs, PerceptronSaved};

/// Rows up to which one sum over all of them keeps a GPU busy enough.
const ROWS_AT_ONCE: usize = 1024;

/// The sizes, if the kernels take them: what a workgroup holds fits into the memory that WebGPU promises.
pub(super) fn sizes(
    input: &CubeTensor,
    hidden_weight: &CubeTensor,
    output_weight: &CubeTensor,
) -> Option<PerceptronSizes> {
    let [input_size, hidden] = hidden_weight.shape().dims();
    let sizes = PerceptronSizes {
        input: input_size,
        hidden,
        output: output_weight.shape()[1],
    };
    let rows = input.shape()[0];
    let is_empty = [rows, input_size, hidden, sizes.output].contains(&0);
    let fits = sizes.input.max(sizes.output) + hidden <= 1024 && rows <= ROWS_AT_ONCE;
    (fits && !is_empty).then_some(sizes)
}

pub(super) fn forward(
    inputs: PerceptronInputs<CubeBackend>,
    sizes: PerceptronSizes,
) -> PerceptronOutputs<CubeBackend> {
    let rows = inputs.input.shape()[0];
    let client = inputs.input.client.clone();
    let output = Shared::new(&inputs.input, [Shape::from([rows, sizes.output])]);
    let hidden = Shared::new(&inputs.input, [Shape::from([rows, sizes.hidden])]);
    let [x, y] = grid(rows.div_ceil(ROWS));
    [
        inputs.input,
        inputs.hidden_weight,
        inputs.hidden_bias,
        inputs.output_weight,
        inputs.output_bias,
    ]
    .map(into_contiguous)
    .iter()
    .fold(Buffers::default(), Buffers::read)
    .write(&output.handle)
    .write(&hidden.handle)
    .launch(
        &client,
        Shader::PerceptronForward(sizes),
        [x, y, 1],
        &[rows as u32],
    );
    PerceptronOutputs {
        output: output.tensor(0),
        hidden: hidden.tensor(0),
    }
}

pub(super) fn backward(
    saved: PerceptronSaved<CubeBackend>,
    output_gradient: CubeTensor,
    sizes: PerceptronSizes,
) -> PerceptronInputs<CubeBackend> {
    let rows = saved.input.shape()[0];
    let client = saved.input.client.clone();
    let [input, hidden, d_output] =
        [saved.input, saved.hidden, output_gradient].map(into_contiguous);
    let shapes = [[rows, sizes.hidden], [rows, sizes.input]].map(Shape::from);
    let values = Shared::new(&input, shapes);
    let [x, y] = grid(rows.div_ceil(ROWS));
    Buffers::default()
        .read(&d_output)
        .read(&hidden)
        .read(&into_contiguous(saved.hidden_weight))
        .read(&into_contiguous(saved.output_weight))
        .write(&values.handle)
        .launch(
            &client,
            Shader::PerceptronBackward(sizes),
            [x, y, 1],
            &[rows as u32, values.offset(1)],
        );
    let weights = Shared::new(
        &input,
        [
            [sizes.input, sizes.hidden].into(),
            [sizes.hidden].into(),
            [sizes.hidden, sizes.output].into(),
            [sizes.output].into(),
        ],
    );
    let count = (sizes.input + 1) * sizes.hidden + (sizes.hidden + 1) * sizes.output;
    let mut info = vec![rows as u32];
    info.extend((1..4).map(|part| weights.offset(part)));
    Buffers::default()
        .read(&input)
        .read(&hidden)
        .read(&values.tensor(0))
        .read(&d_output)
        .write(&weights.handle)
        .launch_many(&client, Shader::PerceptronWeights(sizes), count, &info);
    PerceptronInputs {
        input: values.tensor(1),
        hidden_weight: weights.tensor(0),
        hidden_bias: weights.tensor(1),
        output_weight: weights.tensor(2),
        output_bias: weights.tensor(3),
    }
}
