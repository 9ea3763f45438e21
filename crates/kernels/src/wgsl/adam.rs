//! A step of Adam in one dispatch a parameter; the equations stand at [`AdamStep`].

use burn::backend::TensorMetadata;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::launch::{Buffers, Shared, grid};
use super::shader::Shader;
use crate::adam::step::AdamStep;
use crate::tensors::AdamTensors;

pub(super) fn step(
    tensors: AdamTensors<CubeBackend>,
    gradient: CubeTensor,
    step: AdamStep,
) -> AdamTensors<CubeBackend> {
    let [parameter, first_moment, second_moment, gradient] = [
        tensors.parameter,
        tensors.first_moment,
        tensors.second_moment,
        gradient,
    ]
    .map(into_contiguous);
    let shape = parameter.shape();
    let count = shape.num_elements();
    let updated = Shared::new(&parameter, [shape.clone(), shape.clone(), shape]);
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
    let mut info = vec![count as u32, updated.offset(1), updated.offset(2)];
    info.extend(numbers.map(|number| (number as f32).to_bits()));
    let [x, y] = grid(count.div_ceil(Shader::Adam.workgroup()));
    Buffers::default()
        .read(&gradient)
        .read(&parameter)
        .read(&first_moment)
        .read(&second_moment)
        .write(&updated.handle)
        .launch(&parameter.client, Shader::Adam, [x, y, 1], &info);
    AdamTensors {
        parameter: updated.tensor(0),
        first_moment: updated.tensor(1),
        second_moment: updated.tensor(2),
    }
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
