//! Which adapters there are, and which one a name stands for.

use std::fmt;

use anyhow::{Context, Result, anyhow};
use burn::tensor::Device;
use burn_cubecl::cubecl::wgpu::WgpuDeviceKind;
use burn_wgpu::graphics::AutoGraphicsApi;
use burn_wgpu::{RuntimeOptions, WgpuBackend, WgpuDevice, try_init_setup, wgpu};
use clap::ValueEnum;
use gatefold_model::NetworkConfig;
use gatefold_training::RunConfig;
use itertools::Itertools;
use serde::Serialize;

/// What `--device` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceChoice {
    /// A discrete GPU, else an integrated or virtual one, else the CPU
    Auto,
    /// The CPU
    Cpu,
    /// A discrete GPU, else an integrated or virtual one
    Gpu,
    /// A GPU through Vulkan
    Vulkan,
    /// A GPU through Metal
    Metal,
    /// A GPU through DirectX 12
    Dx12,
    /// A GPU through OpenGL
    Gl,
    /// A graphics API in software, for tests
    Software,
}

/// What an adapter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AdapterKind {
    /// A GPU with memory of its own.
    Discrete,
    /// A GPU that shares the processor's memory.
    Integrated,
    /// A GPU lent to a virtual machine.
    Virtual,
    /// What its API can't tell, as OpenGL can't.
    Other,
    /// The processor, behind a graphics API.
    Software,
}

/// A way to reach a GPU: the same GPU is there once for every API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adapter {
    /// Its name as its driver tells it.
    pub name: String,
    /// What it is.
    pub kind: AdapterKind,
    /// `vulkan`, `metal`, `dx12` or `gl`.
    pub api: String,
    /// Its driver and that driver's version.
    pub driver: String,
    /// Which of the adapters of this kind and API it is.
    #[serde(skip)]
    index: usize,
    #[serde(skip)]
    backend: WgpuBackend,
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            AdapterKind::Discrete => "discrete GPU",
            AdapterKind::Integrated => "integrated GPU",
            AdapterKind::Virtual => "virtual GPU",
            AdapterKind::Other => "adapter of unknown kind",
            AdapterKind::Software => "software",
        };
        write!(f, "{} ({kind}, {})", self.name, self.api)
    }
}

/// All adapters, the ones to prefer first.
pub fn adapters() -> Vec<Adapter> {
    let mut adapters = modern_adapters();
    adapters.extend(adapters_of(wgpu::Backends::GL, WgpuBackend::Gl, "gl"));
    adapters.sort_by_key(|adapter| adapter.kind);
    adapters
}

/// The adapters of all APIs but OpenGL, the ones to prefer first: asking for OpenGL's makes some
/// drivers complain on standard error, and they never win over these.
fn modern_adapters() -> Vec<Adapter> {
    // In the order in which a GPU that several APIs reach should be taken.
    let apis = [
        (wgpu::Backends::METAL, WgpuBackend::Metal, "metal"),
        (wgpu::Backends::VULKAN, WgpuBackend::Vulkan, "vulkan"),
        (wgpu::Backends::DX12, WgpuBackend::Dx12, "dx12"),
    ];
    let mut adapters: Vec<Adapter> = apis
        .into_iter()
        .flat_map(|(backends, backend, api)| adapters_of(backends, backend, api))
        .collect();
    adapters.sort_by_key(|adapter| adapter.kind);
    adapters
}

fn adapters_of(backends: wgpu::Backends, backend: WgpuBackend, api: &str) -> Vec<Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    let instance = wgpu::Instance::new(descriptor);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime without drivers needs nothing of the system");
    let mut adapters: Vec<Adapter> = Vec::new();
    for adapter in runtime.block_on(instance.enumerate_adapters(backends)) {
        let info = adapter.get_info();
        let kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
            wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
            wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
            wgpu::DeviceType::Other => AdapterKind::Other,
            wgpu::DeviceType::Cpu => AdapterKind::Software,
        };
        let index = adapters.iter().filter(|other| other.kind == kind).count();
        adapters.push(Adapter {
            name: info.name,
            kind,
            api: api.into(),
            driver: format!("{} {}", info.driver, info.driver_info),
            index,
            backend,
        });
    }
    adapters
}

/// What a choice came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComputeDevice {
    /// Burn's Flex backend.
    Cpu,
    /// A GPU, or software that passes for one.
    Adapter(Adapter),
}

impl fmt::Display for ComputeDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("CPU"),
            Self::Adapter(adapter) => adapter.fmt(f),
        }
    }
}

/// The adapter, or the CPU, that `choice` stands for among `adapters` (in the order of [`adapters`]).
///
/// # Errors
/// If there is none; the message lists what there is.
pub fn select(choice: DeviceChoice, adapters: &[Adapter]) -> Result<ComputeDevice> {
    // OpenGL is for those who name it: it is slower, and tells kinds badly.
    let is_gpu = |adapter: &&Adapter| adapter.kind < AdapterKind::Other && adapter.api != "gl";
    let through = |api: &'static str| {
        move |adapter: &&Adapter| adapter.api == api && adapter.kind != AdapterKind::Software
    };
    let found = match choice {
        DeviceChoice::Cpu => return Ok(ComputeDevice::Cpu),
        DeviceChoice::Auto => match adapters.iter().find(is_gpu) {
            None => return Ok(ComputeDevice::Cpu),
            found => found,
        },
        DeviceChoice::Gpu => adapters.iter().find(is_gpu),
        DeviceChoice::Vulkan => adapters.iter().find(through("vulkan")),
        DeviceChoice::Metal => adapters.iter().find(through("metal")),
        DeviceChoice::Dx12 => adapters.iter().find(through("dx12")),
        DeviceChoice::Gl => adapters.iter().find(through("gl")),
        DeviceChoice::Software => adapters
            .iter()
            .find(|adapter| adapter.kind == AdapterKind::Software),
    };
    found.cloned().map(ComputeDevice::Adapter).ok_or_else(|| {
        let name = choice
            .to_possible_value()
            .map(|value| value.get_name().to_string())
            .unwrap_or_default();
        let there = if adapters.is_empty() {
            "no graphics adapter".into()
        } else {
            adapters.iter().join("; ")
        };
        let hint = match choice {
            DeviceChoice::Software => {
                "\nOn Debian and Ubuntu, the package mesa-vulkan-drivers brings a software adapter."
            }
            _ => "\nA GPU that is missing here may need its driver; `--device cpu` always works.",
        };
        anyhow!("no adapter for --device {name}. This machine has: the CPU; {there}.{hint}")
    })
}

impl ComputeDevice {
    /// What a measurement says of it: `cpu`, `gpu` or `software`; its name; its API.
    pub fn describe(&self) -> (String, String, Option<String>) {
        match self {
            Self::Cpu => ("cpu".into(), "CPU".into(), None),
            Self::Adapter(adapter) => {
                let device = match adapter.kind {
                    AdapterKind::Software => "software",
                    _ => "gpu",
                };
                (
                    device.into(),
                    adapter.name.clone(),
                    Some(adapter.api.clone()),
                )
            }
        }
    }

    /// Opens the device.
    ///
    /// # Errors
    /// If the adapter refuses, or was opened before in this process.
    pub fn open(&self) -> Result<Device> {
        let Self::Adapter(adapter) = self else {
            return Ok(Device::flex());
        };
        let kind = match adapter.kind {
            AdapterKind::Discrete => WgpuDeviceKind::DiscreteGpu(adapter.index),
            AdapterKind::Integrated => WgpuDeviceKind::IntegratedGpu(adapter.index),
            AdapterKind::Virtual => WgpuDeviceKind::VirtualGpu(adapter.index),
            AdapterKind::Software => WgpuDeviceKind::Cpu,
            // Burn's own selector has no such kind.
            AdapterKind::Other => WgpuDeviceKind::Other(adapter.index),
        };
        let device = WgpuDevice::new(kind).on(adapter.backend);
        RuntimeOptions::try_default()
            .and_then(|options| try_init_setup::<AutoGraphicsApi>(&device, options))
            .with_context(|| format!("cannot open {adapter}"))?;
        Ok(Device::from(device))
    }
}

/// Opens the device that `choice` stands for.
///
/// # Errors
/// If there is none, or it refuses.
pub fn open(choice: DeviceChoice) -> Result<(ComputeDevice, Device)> {
    let selected = find(choice)?;
    let device = selected.open()?;
    Ok((selected, device))
}

/// Multiply-adds below which `auto` answers on the CPU: two cores make them in 0.2 s, less than it takes to open
/// a GPU and to compile the kernels.
const SMALL: f64 = (1u64 << 32) as f64;

/// Opens the device that `choice` stands for to answer `count` examples with the network of `config`; `auto` is the
/// CPU where that is little work. Every example counts with the longest length.
///
/// # Errors
/// If there is none, or it refuses.
pub fn open_for_answers(
    choice: DeviceChoice,
    config: &RunConfig,
    count: usize,
) -> Result<(ComputeDevice, Device)> {
    open(for_answers(choice, config, count))
}

fn for_answers(choice: DeviceChoice, config: &RunConfig, count: usize) -> DeviceChoice {
    let steps = count as f64 * config.input.max_length as f64;
    if choice == DeviceChoice::Auto && steps * multiply_adds_a_step(&config.model) < SMALL {
        DeviceChoice::Cpu
    } else {
        choice
    }
}

/// Of the recurrent layers, G·H·(D + H) each and direction.
fn multiply_adds_a_step(model: &NetworkConfig) -> f64 {
    let gates = model.cell.gates() as f64;
    let hidden = model.hidden_size as f64;
    let directions = if model.bidirectional { 2.0 } else { 1.0 };
    let input = model.input_size.unwrap_or(model.embedding_size) as f64;
    let inputs = input + (model.layers as f64 - 1.0) * directions * hidden;
    let recurrent = if model.cell.has_recurrent_weight() {
        hidden
    } else {
        0.0
    };
    directions * gates * hidden * (inputs + model.layers as f64 * recurrent)
}

/// The adapter of this machine, or the CPU, that `choice` stands for.
///
/// # Errors
/// If there is none; the message lists what there is.
pub fn find(choice: DeviceChoice) -> Result<ComputeDevice> {
    if choice == DeviceChoice::Cpu {
        return Ok(ComputeDevice::Cpu);
    }
    select(choice, &modern_adapters()).or_else(|_| select(choice, &adapters()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(kind: AdapterKind, api: &str) -> Adapter {
        Adapter {
            name: format!("{kind:?} {api}"),
            kind,
            api: api.into(),
            driver: String::new(),
            index: 0,
            backend: WgpuBackend::Auto,
        }
    }

    fn chosen(choice: DeviceChoice, adapters: &[Adapter]) -> String {
        match select(choice, adapters).unwrap() {
            ComputeDevice::Cpu => "CPU".into(),
            ComputeDevice::Adapter(adapter) => adapter.name,
        }
    }

    #[test]
    fn auto_prefers_discrete_then_integrated_then_the_cpu_and_never_software() {
        let discrete = adapter(AdapterKind::Discrete, "vulkan");
        let integrated = adapter(AdapterKind::Integrated, "vulkan");
        let software = adapter(AdapterKind::Software, "vulkan");
        let auto = DeviceChoice::Auto;
        let all = [discrete, integrated.clone(), software.clone()];
        assert_eq!(chosen(auto, &all), "Discrete vulkan");
        assert_eq!(
            chosen(auto, &[integrated, software.clone()]),
            "Integrated vulkan"
        );
        assert_eq!(chosen(auto, &[software]), "CPU");
        assert_eq!(chosen(auto, &[]), "CPU");
    }

    #[test]
    fn auto_answers_little_on_the_cpu() {
        let mut config = RunConfig::default();
        config.input.max_length = 256;
        let auto = |config: &RunConfig, count| for_answers(DeviceChoice::Auto, config, count);
        assert_eq!(
            multiply_adds_a_step(&config.model),
            4.0 * 64.0 * (16.0 + 64.0)
        );
        assert_eq!(auto(&config, 1), DeviceChoice::Cpu);
        assert_eq!(auto(&config, 819), DeviceChoice::Cpu);
        assert_eq!(auto(&config, 820), DeviceChoice::Auto);
        // A choice by name is kept.
        assert_eq!(
            for_answers(DeviceChoice::Gpu, &config, 1),
            DeviceChoice::Gpu
        );
        config.model.layers = 2;
        config.model.bidirectional = true;
        // Both directions of the first layer, and of the second, which reads both.
        let expected = 2.0 * 256.0 * (16.0 + 64.0) + 2.0 * 256.0 * (128.0 + 64.0);
        assert_eq!(multiply_adds_a_step(&config.model), expected);
        config.model.hidden_size = 1024;
        assert_eq!(
            auto(&config, config.training.batch_size),
            DeviceChoice::Auto
        );
    }

    #[test]
    fn opengl_is_taken_only_by_name() {
        let adapters = [adapter(AdapterKind::Integrated, "gl")];
        assert_eq!(chosen(DeviceChoice::Auto, &adapters), "CPU");
        assert!(select(DeviceChoice::Gpu, &adapters).is_err());
        assert_eq!(chosen(DeviceChoice::Gl, &adapters), "Integrated gl");
    }

    #[test]
    fn an_api_is_taken_at_its_word() {
        let adapters = [
            adapter(AdapterKind::Discrete, "vulkan"),
            adapter(AdapterKind::Discrete, "dx12"),
            adapter(AdapterKind::Other, "gl"),
        ];
        assert_eq!(chosen(DeviceChoice::Dx12, &adapters), "Discrete dx12");
        assert_eq!(chosen(DeviceChoice::Gl, &adapters), "Other gl");
    }

    #[test]
    fn what_is_not_there_is_an_error_that_lists_what_is() {
        let adapters = [adapter(AdapterKind::Software, "vulkan")];
        for choice in [DeviceChoice::Gpu, DeviceChoice::Vulkan, DeviceChoice::Metal] {
            let error = select(choice, &adapters).unwrap_err().to_string();
            assert!(
                error.contains("the CPU; Software vulkan (software, vulkan)"),
                "{error}"
            );
        }
        let error = select(DeviceChoice::Software, &[]).unwrap_err().to_string();
        assert!(error.contains("mesa-vulkan-drivers"), "{error}");
    }
}
