//! The operations agree with PyTorch: gate order, the GRU's form, lengths, directions, gradients.

#[path = "pytorch/check.rs"]
mod check;

use burn::tensor::{DType, Device};
use check::agrees_with_pytorch;

#[test]
fn f64_agrees_with_pytorch() {
    agrees_with_pytorch(&Device::flex(), DType::F64, 1e-7);
}

#[test]
fn f32_agrees_with_pytorch() {
    agrees_with_pytorch(&Device::flex(), DType::F32, 1e-5);
}
