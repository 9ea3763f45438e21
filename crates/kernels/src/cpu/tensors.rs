//! Flex's tensors as slices, and slices as its tensors.

use burn::backend::Flex;
use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::{DType, IntDType, TensorData};

pub(super) type Float = FloatTensor<Flex>;

pub(super) fn is_f32(tensor: &Float) -> bool {
    tensor.dtype() == DType::F32
}

/// Each row's number of valid timesteps.
pub(super) fn read_lengths(lengths: IntTensor<Flex>, time: usize) -> Vec<usize> {
    let lengths = Flex::int_cast(lengths, IntDType::I64).to_contiguous();
    let values = lengths.as_slice::<i64>().expect("contiguous integers");
    let clamped = |length: &i64| usize::try_from(*length).unwrap_or(0).min(time);
    values.iter().map(clamped).collect()
}

/// As [`integers`] are read.
pub(super) fn as_i32(tensor: IntTensor<Flex>) -> IntTensor<Flex> {
    Flex::int_cast(tensor, IntDType::I32).to_contiguous()
}

pub(super) fn integers(tensor: &IntTensor<Flex>) -> &[i32] {
    tensor.as_slice().expect("contiguous 32-bit integers")
}

pub(super) fn slice(tensor: &Float) -> &[f32] {
    tensor.as_slice().expect("contiguous 32-bit floats")
}

/// Takes the tensor, so that nobody here holds it beside the one that is returned: its memory can be used again.
pub(super) fn contiguous(tensor: Float) -> Float {
    tensor.to_contiguous()
}

pub(super) fn values(tensor: &Float) -> Vec<f32> {
    slice(&tensor.to_contiguous()).to_vec()
}

pub(super) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Float {
    Flex::float_from_data(TensorData::new(values, shape), &Default::default())
}
