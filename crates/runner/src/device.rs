//! Which adapters there are, and which one a name stands for.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, ensure};
use burn::tensor::Device;
use burn_cubecl::cubecl::wgpu::WgpuDeviceKind;
use burn_wgpu::graphics::AutoGraphicsApi;
use burn_wgpu::{RuntimeOptions, WgpuBackend, WgpuDevice, try_init_setup, wgpu};
use gatefold_model::NetworkConfig;
use gatefold_training::RunConfig;
use itertools::Itertools;
use serde::Serialize;

use crate::suggestions::did_you_mean;

/// What `--device` takes. Numbers count from 0, as `gatefold devices` lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// `auto`: a discrete GPU, else an integrated or virtual one, else the CPU.
    Auto,
    /// `cpu`: the CPU.
    Cpu,
    /// `gpu`, `vulkan`, `discrete`, …: the first of a group, never software unless the group is.
    First(Group),
    /// `vulkan:1`: one of a group by its number.
    Nth(Group, usize),
    /// `2`: one of all that the machine has, the CPU as the last; or part of a name.
    Number(usize),
    /// A name, or part of one, in any case.
    Named(String),
}

/// Adapters that a word stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// `gpu`: discrete, integrated and virtual GPUs, through any API but OpenGL.
    Gpu,
    /// `vulkan`, `metal`, `dx12`, `gl`: what this API reaches.
    Api(&'static str),
    /// `discrete`, `integrated`, `virtual`: GPUs of a kind, through any API but OpenGL; `software`.
    Kind(AdapterKind),
}

/// What each word stands for.
const GROUPS: [(&str, Group); 9] = [
    ("gpu", Group::Gpu),
    ("vulkan", Group::Api("vulkan")),
    ("metal", Group::Api("metal")),
    ("dx12", Group::Api("dx12")),
    ("gl", Group::Api("gl")),
    ("discrete", Group::Kind(AdapterKind::Discrete)),
    ("integrated", Group::Kind(AdapterKind::Integrated)),
    ("virtual", Group::Kind(AdapterKind::Virtual)),
    ("software", Group::Kind(AdapterKind::Software)),
];

impl DeviceChoice {
    /// Any GPU.
    pub const GPU: Self = Self::First(Group::Gpu);
    /// A graphics API in software, for tests.
    pub const SOFTWARE: Self = Self::First(Group::Kind(AdapterKind::Software));
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let lower = text.to_lowercase();
        let (word, number) = match lower.split_once(':') {
            Some((word, number)) => (word, Some(number)),
            None => (&lower[..], None),
        };
        let group = GROUPS.iter().find(|(name, _)| *name == word);
        match (group, number) {
            (Some((_, group)), None) => Ok(Self::First(*group)),
            (Some((_, group)), Some(number)) => match number.parse() {
                Ok(number) => Ok(Self::Nth(*group, number)),
                Err(_) => Err(format!(
                    "behind `{word}:` belongs a number from 0, as `{word}:0`"
                )),
            },
            _ if lower == "auto" => Ok(Self::Auto),
            _ if lower == "cpu" => Ok(Self::Cpu),
            _ if lower.is_empty() => Err("it is empty".into()),
            _ => Ok(lower
                .parse()
                .map_or_else(|_| Self::Named(text.into()), Self::Number)),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::First(group) => group.fmt(f),
            Self::Nth(group, number) => write!(f, "{group}:{number}"),
            Self::Number(number) => number.fmt(f),
            Self::Named(name) => name.fmt(f),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = GROUPS.iter().find(|(_, group)| group == self);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}

impl Group {
    /// Its adapters among all, in their order. A GPU that several APIs reach counts once, through the first of them.
    fn of(self, adapters: &[Adapter]) -> Vec<&Adapter> {
        // OpenGL is for those who name it: it is slower, and tells kinds badly.
        let is_gpu = |adapter: &Adapter| adapter.kind < AdapterKind::Other && adapter.api != "gl";
        let belongs = |adapter: &&Adapter| match self {
            Self::Gpu => is_gpu(adapter),
            Self::Api(api) => adapter.api == api,
            Self::Kind(AdapterKind::Software) => adapter.kind == AdapterKind::Software,
            Self::Kind(kind) => adapter.kind == kind && is_gpu(adapter),
        };
        let mut group: Vec<&Adapter> = adapters.iter().filter(belongs).collect();
        let mut apis: Vec<(AdapterKind, String)> = Vec::new();
        group.retain(|adapter| {
            let first = apis.iter().find(|(kind, _)| *kind == adapter.kind);
            let counts = first.is_none_or(|(_, api)| *api == adapter.api);
            if first.is_none() {
                apis.push((adapter.kind, adapter.api.clone()));
            }
            counts
        });
        group
    }
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
    /// Its maker, by the number that PCI gives it.
    #[serde(skip)]
    pub vendor: u32,
    /// What its maker numbers it.
    #[serde(skip)]
    pub device: u32,
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
            vendor: info.vendor,
            device: info.device,
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
/// If there is none, or a part of a name stands for several; the message lists what there is.
pub fn select(choice: &DeviceChoice, adapters: &[Adapter]) -> Result<ComputeDevice> {
    let found = match choice {
        DeviceChoice::Cpu => return Ok(ComputeDevice::Cpu),
        DeviceChoice::Auto => match Group::Gpu.of(adapters).first() {
            None => return Ok(ComputeDevice::Cpu),
            Some(adapter) => Some(*adapter),
        },
        DeviceChoice::First(group) => {
            let software = *group == Group::Kind(AdapterKind::Software);
            let mut group = group.of(adapters).into_iter();
            group.find(|adapter| software || adapter.kind != AdapterKind::Software)
        }
        DeviceChoice::Nth(group, number) => group.of(adapters).get(*number).copied(),
        DeviceChoice::Number(number) if *number == adapters.len() => return Ok(ComputeDevice::Cpu),
        DeviceChoice::Number(number) => match adapters.get(*number) {
            Some(adapter) => Some(adapter),
            None => named(&number.to_string(), adapters)?,
        },
        DeviceChoice::Named(name) => named(name, adapters)?,
    };
    found.cloned().map(ComputeDevice::Adapter).ok_or_else(|| {
        let hint = match choice {
            DeviceChoice::First(Group::Kind(AdapterKind::Software)) => {
                "On Debian and Ubuntu, the package mesa-vulkan-drivers brings a software adapter.".into()
            }
            DeviceChoice::Named(name) => {
                let words = GROUPS.iter().map(|(word, _)| *word).chain(["auto", "cpu"]);
                let hint = did_you_mean(name, words);
                format!("--device takes a word (auto, cpu, gpu, vulkan, …), a number, or part of a name{hint}")
            }
            _ => "A GPU that is missing here may need its driver; `--device cpu` always works.".into(),
        };
        let there = listed(adapters, adapters);
        anyhow!("no adapter for --device {choice}. This machine has: {there}; {}: the CPU.\n{hint}", adapters.len())
    })
}

/// The adapter that is called `name`, or else the one whose name holds it. Of several that are called the same, the
/// first; OpenGL's only where no other API has one.
///
/// # Errors
/// If it is part of several names.
fn named<'a>(name: &str, adapters: &'a [Adapter]) -> Result<Option<&'a Adapter>> {
    let name = name.to_lowercase();
    let lower = |adapter: &Adapter| adapter.name.trim().to_lowercase();
    let mut fitting: Vec<&Adapter> = adapters
        .iter()
        .filter(|adapter| lower(adapter).contains(&name))
        .collect();
    for better in [
        &(|adapter: &Adapter| lower(adapter) == name) as &dyn Fn(&Adapter) -> bool,
        &|adapter: &Adapter| adapter.api != "gl",
    ] {
        if fitting.iter().any(|adapter| better(adapter)) {
            fitting.retain(|adapter| better(adapter));
        }
    }
    ensure!(
        fitting.iter().map(|adapter| lower(adapter)).all_equal(),
        "`{name}` is part of several adapters' names: {}. Give the number, or more of the name",
        listed(fitting, adapters)
    );
    Ok(fitting.first().copied())
}

/// Adapters with the numbers that they have among all.
fn listed<'a>(some: impl IntoIterator<Item = &'a Adapter>, all: &[Adapter]) -> String {
    let number = |adapter: &Adapter| all.iter().position(|other| other == adapter);
    some.into_iter()
        .map(|adapter| format!("{}: {adapter}", number(adapter).unwrap_or_default()))
        .join("; ")
}

/// `vulkan:0`: an adapter's API, and its number among those of the API.
pub fn api_and_number(adapter: &Adapter, adapters: &[Adapter]) -> String {
    let mut of_api = adapters.iter().filter(|other| other.api == adapter.api);
    let number = of_api.position(|other| other == adapter);
    format!("{}:{}", adapter.api, number.unwrap_or_default())
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
            AdapterKind::Software => {
                ensure!(
                    adapter.index == 0,
                    "{adapter} can't be opened: of an API's software adapters, only the first can"
                );
                WgpuDeviceKind::Cpu
            }
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
/// If there is none, or a part of a name stands for several; the message lists what there is.
pub fn find(choice: DeviceChoice) -> Result<ComputeDevice> {
    match choice {
        DeviceChoice::Cpu => Ok(ComputeDevice::Cpu),
        // Numbers count OpenGL's adapters too.
        DeviceChoice::Number(_) => select(&choice, &adapters()),
        _ => select(&choice, &modern_adapters()).or_else(|_| select(&choice, &adapters())),
    }
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
            vendor: 0,
            device: 0,
            index: 0,
            backend: WgpuBackend::Auto,
        }
    }

    fn api(name: &'static str) -> DeviceChoice {
        DeviceChoice::First(Group::Api(name))
    }

    fn chosen(choice: DeviceChoice, adapters: &[Adapter]) -> String {
        match select(&choice, adapters).unwrap() {
            ComputeDevice::Cpu => "CPU".into(),
            ComputeDevice::Adapter(adapter) => adapter.name,
        }
    }

    #[test]
    fn auto_prefers_discrete_then_integrated_then_the_cpu_and_never_software() {
        let discrete = adapter(AdapterKind::Discrete, "vulkan");
        let integrated = adapter(AdapterKind::Integrated, "vulkan");
        let software = adapter(AdapterKind::Software, "vulkan");
        let auto = || DeviceChoice::Auto;
        let all = [discrete, integrated.clone(), software.clone()];
        assert_eq!(chosen(auto(), &all), "Discrete vulkan");
        assert_eq!(
            chosen(auto(), &[integrated, software.clone()]),
            "Integrated vulkan"
        );
        assert_eq!(chosen(auto(), &[software]), "CPU");
        assert_eq!(chosen(auto(), &[]), "CPU");
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
            for_answers(DeviceChoice::GPU, &config, 1),
            DeviceChoice::GPU
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

    /// A desktop with two GPUs, each through two APIs, and software.
    fn two_gpus() -> Vec<Adapter> {
        let named = |name: &str, kind, api: &str, index| Adapter {
            name: name.into(),
            index,
            ..adapter(kind, api)
        };
        vec![
            named(
                "NVIDIA GeForce RTX 3080",
                AdapterKind::Discrete,
                "vulkan",
                0,
            ),
            named(
                "NVIDIA GeForce RTX 3080 Ti",
                AdapterKind::Discrete,
                "vulkan",
                1,
            ),
            named("NVIDIA GeForce RTX 3080", AdapterKind::Discrete, "dx12", 0),
            named(
                "NVIDIA GeForce RTX 3080 Ti",
                AdapterKind::Discrete,
                "dx12",
                1,
            ),
            named(
                "Intel UHD Graphics 630",
                AdapterKind::Integrated,
                "vulkan",
                0,
            ),
            named("Intel UHD Graphics 630", AdapterKind::Integrated, "dx12", 0),
            named("NVIDIA GeForce RTX 3080/PCIe", AdapterKind::Other, "gl", 0),
            named("llvmpipe", AdapterKind::Software, "vulkan", 0),
        ]
    }

    /// Name, API and index of what `--device text` is.
    fn taken(text: &str, adapters: &[Adapter]) -> Result<String> {
        Ok(
            match select(&text.parse().map_err(anyhow::Error::msg)?, adapters)? {
                ComputeDevice::Cpu => "CPU".into(),
                ComputeDevice::Adapter(Adapter {
                    name, api, index, ..
                }) => format!("{name}, {api} {index}"),
            },
        )
    }

    #[test]
    fn each_of_several_adapters_can_be_named() {
        let adapters = two_gpus();
        for (text, expected) in [
            ("0", "NVIDIA GeForce RTX 3080, vulkan 0"),
            ("3", "NVIDIA GeForce RTX 3080 Ti, dx12 1"),
            ("8", "CPU"),
            ("CPU", "CPU"),
            (
                "nvidia geforce rtx 3080",
                "NVIDIA GeForce RTX 3080, vulkan 0",
            ),
            ("3080 TI", "NVIDIA GeForce RTX 3080 Ti, vulkan 1"),
            ("uhd", "Intel UHD Graphics 630, vulkan 0"),
            ("630", "Intel UHD Graphics 630, vulkan 0"),
            ("pcie", "NVIDIA GeForce RTX 3080/PCIe, gl 0"),
            ("gl", "NVIDIA GeForce RTX 3080/PCIe, gl 0"),
            ("Vulkan", "NVIDIA GeForce RTX 3080, vulkan 0"),
            ("vulkan:1", "NVIDIA GeForce RTX 3080 Ti, vulkan 1"),
            ("vulkan:2", "Intel UHD Graphics 630, vulkan 0"),
            ("vulkan:3", "llvmpipe, vulkan 0"),
            ("dx12:1", "NVIDIA GeForce RTX 3080 Ti, dx12 1"),
            ("discrete", "NVIDIA GeForce RTX 3080, vulkan 0"),
            ("discrete:1", "NVIDIA GeForce RTX 3080 Ti, vulkan 1"),
            ("integrated", "Intel UHD Graphics 630, vulkan 0"),
            ("gpu:2", "Intel UHD Graphics 630, vulkan 0"),
            ("software", "llvmpipe, vulkan 0"),
        ] {
            assert_eq!(taken(text, &adapters).unwrap(), expected, "{text}");
        }
        for adapter in &adapters {
            let text = api_and_number(adapter, &adapters);
            let expected = format!("{}, {} {}", adapter.name, adapter.api, adapter.index);
            assert_eq!(taken(&text, &adapters).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_means_several_or_none_is_an_error_that_lists_them() {
        let adapters = two_gpus();
        let error = |text: &str| taken(text, &adapters).unwrap_err().to_string();
        let several = error("3080");
        for part in [
            "several",
            "0: NVIDIA GeForce RTX 3080 (",
            "3: NVIDIA GeForce RTX 3080 Ti (",
        ] {
            assert!(several.contains(part), "{several}");
        }
        assert!(
            !several.contains("Intel") && !several.contains("PCIe"),
            "{several}"
        );
        for (text, expected) in [
            (
                "radeon",
                "4: Intel UHD Graphics 630 (integrated GPU, vulkan)",
            ),
            ("17", "8: the CPU"),
            ("vulkan:4", "no adapter for --device vulkan:4"),
            ("vulcan", "did you mean `vulkan`?"),
            ("vulkan:x", "a number"),
            ("", "empty"),
        ] {
            let error = error(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn of_adapters_that_are_called_the_same_a_name_is_the_first() {
        let twin = |index| Adapter {
            index,
            ..adapter(AdapterKind::Discrete, "vulkan")
        };
        let twins = [twin(0), twin(1)];
        assert_eq!(
            taken("discrete vulkan", &twins).unwrap(),
            "Discrete vulkan, vulkan 0"
        );
        assert_eq!(taken("1", &twins).unwrap(), "Discrete vulkan, vulkan 1");
        assert_eq!(taken("gpu:1", &twins).unwrap(), "Discrete vulkan, vulkan 1");
    }

    #[test]
    fn opengl_is_taken_only_by_name() {
        let adapters = [adapter(AdapterKind::Integrated, "gl")];
        assert_eq!(chosen(DeviceChoice::Auto, &adapters), "CPU");
        assert!(select(&DeviceChoice::GPU, &adapters).is_err());
        assert_eq!(chosen(api("gl"), &adapters), "Integrated gl");
    }

    #[test]
    fn an_api_is_taken_at_its_word() {
        let adapters = [
            adapter(AdapterKind::Discrete, "vulkan"),
            adapter(AdapterKind::Discrete, "dx12"),
            adapter(AdapterKind::Other, "gl"),
        ];
        assert_eq!(chosen(api("dx12"), &adapters), "Discrete dx12");
        assert_eq!(chosen(api("gl"), &adapters), "Other gl");
    }

    #[test]
    fn what_is_not_there_is_an_error_that_lists_what_is() {
        let adapters = [adapter(AdapterKind::Software, "vulkan")];
        for choice in [DeviceChoice::GPU, api("vulkan"), api("metal")] {
            let error = select(&choice, &adapters).unwrap_err().to_string();
            assert!(
                error.contains("0: Software vulkan (software, vulkan); 1: the CPU"),
                "{error}"
            );
        }
        let error = select(&DeviceChoice::SOFTWARE, &[])
            .unwrap_err()
            .to_string();
        assert!(error.contains("mesa-vulkan-drivers"), "{error}");
    }
}
