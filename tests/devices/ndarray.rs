//! The device that the kernels are compared with.

use burn::tensor::Device;

/// The slow and simple one that the others must match.
#[allow(deprecated)] // Burn keeps NdArray as a reference only, which is its use here.
pub fn ndarray() -> Device {
    Device::ndarray()
}
