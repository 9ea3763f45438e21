//! A step of Adam in one dispatch for one parameter or two; the equations stand at [`AdamStep`].

use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::launch::{Buffers, Shared};
use super::limits::Limits;
use super::shader::Shader;
use crate::adam::step::AdamStep;
use crate::tensors::{AdamPair, AdamTensors};

/// A parameter and its gradient.
type Parameter = (AdamTensors<CubeBackend>, CubeTensor);

pub(super) fn step(
    tensors: AdamTensors<CubeBackend>,
    gradient: CubeTensor,
    step: AdamStep,
) -> AdamTensors<CubeBackend> {
    let updated = launch(vec![(tensors, gradient)], step);
    updated.into_iter().next().expect("there is one")
}

/// Both in one dispatch, where a kernel can have so many buffers.
pub(super) fn step_pair(
    first: Parameter,
    second: Parameter,
    step: AdamStep,
) -> AdamPair<CubeBackend> {
    let client = &first.1.client;
    let updated = match Limits::of(client).buffers > Limits::WEBGPU.buffers {
        true => launch(vec![first, second], step),
        false => [first, second]
            .into_iter()
            .flat_map(|parameter| launch(vec![parameter], step))
            .collect(),
    };
    let mut updated = updated.into_iter();
    let mut next = || updated.next().expect("there are two");
    AdamPair {
        first: next(),
        second: next(),
    }
}

/// One parameter, or two.
fn launch(parameters: Vec<Parameter>, step: AdamStep) -> Vec<AdamTensors<CubeBackend>> {
    let shape = |(_, gradient): &Parameter| gradient.shape();
    let shapes: Vec<Shape> = parameters.iter().map(shape).collect();
    let counts: Vec<usize> = shapes.iter().map(Shape::num_elements).collect();
    let client = parameters[0].1.client.clone();
    let each = shapes.iter().flat_map(|shape| vec![shape.clone(); 3]);
    let updated = Shared::new(&parameters[0].1, each);
    let offset = |part| match part < 3 * shapes.len() {
        true => updated.offset(part),
        false => 0,
    };
    let factors = step.factors();
    let numbers = [
        factors.beta_1,
        1.0 - factors.beta_1,
        factors.beta_2,
        1.0 - factors.beta_2,
        factors.keep,
        factors.rate,
        factors.epsilon,
    ];
    let second = counts.get(1).copied().unwrap_or_default();
    let mut info = vec![counts[0] as u32, second as u32];
    info.extend([1, 4, 2, 5, 3].map(offset));
    info.extend(numbers.map(|number| (number as f32).to_bits()));
    let buffers = Buffers::default().write(&updated.handle);
    let shader = Shader::Adam {
        pair: counts.len() > 1,
    };
    parameters
        .into_iter()
        .flat_map(|(tensors, gradient)| {
            let AdamTensors {
                parameter,
                first_moment,
                second_moment,
            } = tensors;
            [gradient, parameter, first_moment, second_moment].map(into_contiguous)
        })
        .fold(buffers, |buffers, tensor| buffers.read(&tensor))
        .launch_many(&client, shader, counts[0] + second, &info);
    let of = |parameter: usize| AdamTensors {
        parameter: updated.tensor(3 * parameter),
        first_moment: updated.tensor(3 * parameter + 1),
        second_moment: updated.tensor(3 * parameter + 2),
    };
    (0..counts.len()).map(of).collect()
}

#[cfg(test)]
mod tests {
    use burn::backend::ops::FloatTensorOps;
    use burn::tensor::TensorData;
    use burn_cubecl::CubeDevice;

    use super::*;
    use crate::reference;

    type Parts = AdamTensors<CubeBackend>;

    fn numbers(tensor: CubeTensor) -> Vec<f32> {
        let data = CubeBackend::float_into_data(tensor);
        let data = burn::tensor::read_sync(data).expect("the device computes");
        data.iter().collect()
    }

    /// What three steps by `step` lead to, from the same beginning.
    fn after(count: usize, step: impl Fn(Parts, CubeTensor, AdamStep) -> Parts) -> [Vec<f32>; 3] {
        let device = CubeDevice::default();
        let tensor = |value: &dyn Fn(usize) -> f32| {
            let values: Vec<f32> = (0..count).map(value).collect();
            CubeBackend::float_from_data(TensorData::new(values, [count]), &device)
        };
        let mut parts = AdamTensors {
            parameter: tensor(&|i| (i as f32).sin()),
            first_moment: tensor(&|_| 0.0),
            second_moment: tensor(&|_| 0.0),
        };
        for number in 1..=3 {
            // One gradient vanishes, one is zero from the beginning.
            let gradient = tensor(&|i| match i {
                0 => 0.0,
                1 => 1e-32,
                _ => (i as f32 * 0.7 + number as f32).cos(),
            });
            let numbers = AdamStep {
                learning_rate: 0.01,
                beta_1: 0.9,
                beta_2: 0.999,
                epsilon: 1e-7,
                weight_decay: 0.1,
                number,
            };
            parts = step(parts, gradient, numbers);
        }
        [parts.parameter, parts.first_moment, parts.second_moment].map(numbers)
    }

    #[test]
    fn two_parameters_in_one_dispatch_are_as_each_alone() {
        let device = CubeDevice::default();
        let tensor = |count: usize, seed: f32| {
            let values: Vec<f32> = (0..count).map(|i| (i as f32 + seed).cos().abs()).collect();
            CubeBackend::float_from_data(TensorData::new(values, [count]), &device)
        };
        let parameter = |count, seed: f32| {
            let tensors = AdamTensors {
                parameter: tensor(count, seed),
                first_moment: tensor(count, seed + 1.0),
                second_moment: tensor(count, seed + 2.0),
            };
            (tensors, tensor(count, seed + 3.0))
        };
        let numbers_of = |tensors: Parts| {
            [
                tensors.parameter,
                tensors.first_moment,
                tensors.second_moment,
            ]
            .map(numbers)
        };
        let number = AdamStep {
            learning_rate: 0.01,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-7,
            weight_decay: 0.1,
            number: 2,
        };
        let pair = step_pair(parameter(300, 0.5), parameter(77, 9.0), number);
        for (found, (tensors, gradient)) in [
            (pair.first, parameter(300, 0.5)),
            (pair.second, parameter(77, 9.0)),
        ] {
            assert_eq!(
                numbers_of(found),
                numbers_of(step(tensors, gradient, number))
            );
        }
    }

    #[test]
    fn a_step_in_one_dispatch_is_that_of_the_equations() {
        for count in [1, 3, 1000, 70_000] {
            let found = after(count, super::step);
            let expected = after(count, reference::adam::step::<CubeBackend>);
            for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
                let apart = (found - expected).abs();
                assert!(
                    apart <= 1e-6 * expected.abs() + 1e-9,
                    "{count}: {found} is not {expected}"
                );
            }
        }
    }
}
