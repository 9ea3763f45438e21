//! The device that the kernels are tested on.

use std::sync::OnceLock;

use burn::tensor::Device;
use gatefold::device::{ComputeDevice, DeviceChoice, adapters, find};

/// A GPU, or else a software adapter; `GATEFOLD_TEST_API=gl` takes the first adapter of an API. Without
/// any these tests fail: passing would say nothing.
pub fn gpu() -> Device {
    static GPU: OnceLock<Device> = OnceLock::new();
    GPU.get_or_init(|| {
        let selected = match std::env::var("GATEFOLD_TEST_API") {
            Ok(api) => adapters()
                .into_iter()
                .find(|adapter| adapter.api == api)
                .map(ComputeDevice::Adapter)
                .unwrap_or_else(|| panic!("there is no {api} adapter to test")),
            Err(_) => find(DeviceChoice::GPU)
                .or_else(|_| find(DeviceChoice::SOFTWARE))
                .unwrap_or_else(|error| panic!("these tests need a graphics adapter: {error}")),
        };
        eprintln!("WGPU runs on {selected}");
        assert_ne!(selected, ComputeDevice::Cpu);
        selected.open().expect("the adapter opens")
    })
    .clone()
}
