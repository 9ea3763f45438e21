//! Where networks are trained.

use std::panic;
use std::sync::{Arc, Mutex, OnceLock};

use gatefold_model::simd;
use gatefold_training::burn::tensor::Device;
use gatefold_training::burn::tensor::wgpu::wgpu;
use js_sys::Error;
use log::{Level, LevelFilter, Log, Metadata, Record};
use wasm_bindgen::prelude::*;

use crate::Result;

/// A device that networks are trained on.
#[wasm_bindgen]
pub struct Processor {
    name: String,
    device: Device,
    is_gpu: bool,
}

#[wasm_bindgen]
impl Processor {
    /// The processor, by WebAssembly.
    pub fn cpu() -> Result<Processor> {
        let simd = simd().map_err(crate::error)?;
        Ok(Self {
            name: format!("CPU (WebAssembly, {})", simd.level),
            device: Device::flex(),
            is_gpu: false,
        })
    }

    /// The GPU that the browser gives, through WebGPU; `name` is what the browser calls it.
    ///
    /// # Errors
    /// If it gives none.
    pub async fn gpu(name: &str) -> Result<Processor> {
        let opened = Device::wgpu_options().init_with_setup_async().await;
        let (device, setup) = opened.map_err(|error| Error::new(&error.to_string()))?;
        // In place of Burn's, which panics.
        setup
            .device
            .on_uncaptured_error(Arc::new(|error: wgpu::Error| keep(error.to_string())));
        Ok(Self {
            name: match name {
                "" => "GPU (WebGPU)".into(),
                name => format!("GPU (WebGPU, {name})"),
            },
            device,
            is_gpu: true,
        })
    }

    /// What it is, for people.
    #[wasm_bindgen(getter)]
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// Whether it is a GPU.
    #[wasm_bindgen(getter)]
    pub fn is_gpu(&self) -> bool {
        self.is_gpu
    }
}

impl Processor {
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// Whether all that was given to it went well so far.
    ///
    /// # Errors
    /// If the browser refused a kernel, or took the GPU away.
    pub(crate) fn check(&self) -> Result<()> {
        match fault().lock().ok().and_then(|fault| fault.clone()) {
            Some(fault) if self.is_gpu => Err(Error::new(&fault)),
            _ => Ok(()),
        }
    }
}

/// The first thing that went wrong on the GPU.
fn fault() -> &'static Mutex<Option<String>> {
    static FAULT: OnceLock<Mutex<Option<String>>> = OnceLock::new();
    FAULT.get_or_init(Mutex::default)
}

/// Takes what went wrong, so that a new device begins without it.
#[wasm_bindgen]
pub fn take_fault() -> Option<String> {
    fault().lock().ok()?.take()
}

/// A browser refuses a kernel, or takes a GPU away, after the call that asked for it; Burn then logs an error and goes
/// on.
struct Faults;

impl Log for Faults {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.level() == Level::Error
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            keep(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

fn keep(text: String) {
    if let Ok(mut fault) = fault().lock() {
        fault.get_or_insert(text);
    }
}

/// Hears of faults from now on.
pub(crate) fn listen() {
    if log::set_logger(&Faults).is_ok() {
        log::set_max_level(LevelFilter::Error);
    }
    panic::set_hook(Box::new(|info| {
        report_panic(info.payload_as_str().unwrap_or("a panic without words"));
    }));
}

#[wasm_bindgen]
extern "C" {
    /// The worker's own function, which tells the page: after a panic, nothing here can be called any more.
    #[wasm_bindgen(js_name = gatefoldPanicked)]
    fn report_panic(text: &str);
}
