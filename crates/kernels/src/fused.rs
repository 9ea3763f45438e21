//! Which devices run the kernels, and which the reference.

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Device};

use crate::wgsl;

/// Whether the recurrent operations run as kernels of this crate on `device`, in 32-bit floats. Anywhere else, and
/// in all other floats, they are composed of the backend's own operations: right, and many times slower.
///
/// | device | Burn's feature | 32-bit floats | 16-bit floats | 64-bit floats |
/// | --- | --- | --- | --- | --- |
/// | `Device::flex()` | `flex` | kernels | reference | reference |
/// | `Device::wgpu(..)`, any API | `wgpu` | kernels, where the adapter has what WebGPU promises | reference | refused |
/// | `Device::wgpu(..)` on Vulkan | `vulkan` | reference: CubeCL compiles SPIR-V, and takes no text of ours | reference | refused |
/// | `Device::wgpu(..)` on Metal | `metal` | reference: CubeCL compiles MSL | reference | refused |
/// | `Device::cuda(..)`, `rocm`, `cpu` | `cuda`, `rocm`, `cpu` | reference | reference | reference |
/// | `Device::ndarray()` | `ndarray` | reference | as the backend | reference |
///
/// Burn's features are those of the whole build: where another crate turns `vulkan` or `metal` on, this says so.
/// 64-bit floats are refused on WGPU, because `tanh` of them is wrong there by most of its range.
///
/// ```
/// use burn::tensor::Device;
///
/// assert!(gatefold_kernels::fused(&Device::flex()));
/// ```
pub fn fused(device: &Device) -> bool {
    match device.clone().inner().as_dispatch() {
        DispatchDevice::Flex(_) => true,
        DispatchDevice::Cube(device) => wgsl::runs_on(&device.client()),
        #[allow(unreachable_patterns)] // Burn has as many backends as features.
        _ => false,
    }
}

/// Whether numbers of this type come out wrong on `device`.
pub(crate) fn computes_wrongly(device: &Device, dtype: DType) -> bool {
    let on_wgpu = || match device.clone().inner().as_dispatch() {
        DispatchDevice::Cube(device) => device.client().name().starts_with("wgpu"),
        #[allow(unreachable_patterns)]
        _ => false,
    };
    dtype == DType::F64 && on_wgpu()
}
