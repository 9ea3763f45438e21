//! The lesson in a browser: what a page's worker calls.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`device`] | the visitor's GPU through WebGPU, or the CPU |
//! | [`experiment`] | settings and data, and a training of them |
//! | [`check`] | whether a GPU computes what the CPU does |
//! | [`run`] | a trained network: its answers, its pictures, its files |
//! | [`files`] | a run's files in a ZIP archive |
//!
//! Nothing here knows the page: settings and events are JSON, pictures are HTML of the reports' style. Training runs on
//! whatever device it is given; what is asked of a trained network is little, and runs on the CPU.

pub mod check;
pub mod device;
pub mod experiment;
pub mod files;
pub mod run;
mod training;

use js_sys::Error;
use wasm_bindgen::prelude::*;

/// A result for JavaScript.
pub type Result<T> = std::result::Result<T, Error>;

/// An error for JavaScript, with all that lies beneath it.
fn error(error: impl std::error::Error) -> Error {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    Error::new(&text)
}

/// Called once, as the module is loaded.
#[wasm_bindgen(start)]
fn start() {
    construct();
    device::listen();
}

/// Runs what registers itself before anything else runs, as Burn's compiler passes do. A linker that finds no call of
/// it puts one into every function that JavaScript calls: they would register again and again, and take longer than a
/// training step.
#[allow(unsafe_code)]
fn construct() {
    unsafe extern "C" {
        fn __wasm_call_ctors();
    }
    // SAFETY: the linker makes it, without arguments, and nothing has called it before.
    unsafe { __wasm_call_ctors() }
}
