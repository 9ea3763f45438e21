//! The device that the kernels are tested on.

use std::sync::OnceLock;

use burn::tensor::Device;
use gatefold::device::{DeviceChoice, Selected, find};

/// A GPU, or else a software adapter. Without either these tests fail: passing would say nothing.
pub fn gpu() -> Device {
    static GPU: OnceLock<Device> = OnceLock::new();
    GPU.get_or_init(|| {
        let selected = find(DeviceChoice::Gpu)
            .or_else(|_| find(DeviceChoice::Software))
            .unwrap_or_else(|error| panic!("these tests need a graphics adapter: {error}"));
        eprintln!("WGPU runs on {selected}");
        assert_ne!(selected, Selected::Cpu);
        selected.open().expect("the adapter opens")
    })
    .clone()
}
