//! How a training's walks are laid out on a GPU: what is fastest is measured once an adapter, and kept in the user's cache
//! folder. No layout changes a bit of the results.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use burn::tensor::Device;
use clap::ValueEnum;
use directories::ProjectDirs;
use gatefold_model::kernel_choices::{self, KernelChoice, Pass};
use gatefold_training::RunConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::device::{Adapter, AdapterKind, ComputeDevice};
use crate::files::{create_folder, read_text, replace};
use crate::say;

/// What `--kernels` takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Kernels {
    /// The fastest on this GPU, measured at the first training of such a network; in software the usual ones
    #[default]
    Auto,
    /// The usual ones
    Default,
    /// The fastest, measured anew
    Tune,
}

/// Bytes of the cache that are read: those of ten thousands of layouts.
const MOST_BYTES: u64 = 1 << 23;

/// What was measured, a [`Measured`] an entry. Those of other versions of the program, which may be of another form, stay.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cache {
    adapters: Vec<Value>,
}

#[derive(Deserialize)]
struct Measured {
    on: Key,
    choices: Vec<KernelChoice>,
}

impl Measured {
    /// The entry, if it is one of this form and key.
    fn on(key: &Key, entry: &Value) -> Option<Self> {
        let measured = Self::deserialize(entry).ok()?;
        (measured.on == *key).then_some(measured)
    }
}

/// What a measurement is good for: another driver or version may be fast otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Key {
    adapter: String,
    vendor: u32,
    device: u32,
    driver: String,
    api: String,
    gatefold: String,
}

impl Key {
    fn of(adapter: &Adapter) -> Self {
        Self {
            adapter: adapter.name.clone(),
            vendor: adapter.vendor,
            device: adapter.device,
            driver: adapter.driver.clone(),
            api: adapter.api.clone(),
            gatefold: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

impl Cache {
    /// What the file holds; nothing, with a warning, if it can't be read.
    fn read(path: &Path) -> Self {
        if !path.exists() {
            return Self::default();
        }
        let cache = read_text(path, MOST_BYTES).and_then(|text| Ok(serde_json::from_str(&text)?));
        cache.unwrap_or_else(|error| {
            say!(
                "warning: {} is unreadable, so that kernels are measured anew: {error:#}",
                path.display()
            );
            Self::default()
        })
    }

    fn write(&self, path: &Path) -> Result<()> {
        create_folder(path.parent().context("a file is in a folder")?)?;
        replace(path, &serde_json::to_vec_pretty(self)?)
    }

    fn choices(&self, key: &Key) -> Vec<KernelChoice> {
        let mut of = self
            .adapters
            .iter()
            .filter_map(|entry| Measured::on(key, entry));
        of.next().map_or(Vec::new(), |measured| measured.choices)
    }

    /// Puts choices in the place of those for the same walks.
    fn keep(&mut self, key: &Key, choices: &[KernelChoice]) {
        let walk = |of: &KernelChoice| (of.cell, of.pass, of.hidden, of.rows);
        let mut kept = self.choices(key);
        kept.retain(|old| choices.iter().all(|new| walk(new) != walk(old)));
        kept.extend(choices);
        self.adapters
            .retain(|entry| Measured::on(key, entry).is_none());
        self.adapters.push(json!({ "on": key, "choices": kept }));
    }
}

/// The cache's file.
fn path() -> Result<PathBuf> {
    ProjectDirs::from("", "", "gatefold")
        .map(|directories| directories.cache_dir().join("kernels.json"))
        .context("this user has no home directory, and so no cache")
}

/// Settles the layouts that a training which begins follows, and that its record names.
pub fn settle(config: &mut RunConfig, kernels: Kernels, on: (&ComputeDevice, &Device)) {
    config.training.kernels.clear();
    let (ComputeDevice::Adapter(adapter), device) = on else {
        return;
    };
    let is_software = adapter.kind == AdapterKind::Software;
    if kernels == Kernels::Default || (kernels == Kernels::Auto && is_software) {
        return;
    }
    match fastest(config, kernels, adapter, device) {
        Ok(choices) => config.training.kernels = choices,
        Err(error) => say!("warning: the usual kernels are used: {error:#}"),
    }
}

/// From the cache, or measured and kept there.
fn fastest(
    config: &RunConfig,
    kernels: Kernels,
    adapter: &Adapter,
    device: &Device,
) -> Result<Vec<KernelChoice>> {
    let (cell, hidden) = (config.model.cell, config.model.hidden_size);
    let batch = config.training.batch_size;
    let mut passes = Vec::from(
        [Pass::Forward, Pass::Backward]
            .map(|pass| kernel_choices::candidates(device, cell, pass, hidden, batch)),
    );
    passes.retain(|candidates| candidates.len() > 1);
    if passes.is_empty() {
        return Ok(Vec::new());
    }
    let (path, key) = (path()?, Key::of(adapter));
    let kept = Cache::read(&path).choices(&key);
    if let (Some(choices), Kernels::Auto) = (known(&kept, &passes), kernels) {
        return Ok(choices);
    }
    let begin = Instant::now();
    let choices = kernel_choices::measure(device, cell, hidden, batch)
        .map_err(|error| anyhow!("measuring failed: {error}"))?;
    say!(
        "kernels: measured {} layouts of the {}'s walks on {adapter}, once, in {:.1} s",
        passes.iter().map(Vec::len).sum::<usize>(),
        cell.title(),
        begin.elapsed().as_secs_f64()
    );
    // Another program may have written it meanwhile.
    let mut cache = Cache::read(&path);
    cache.keep(&key, &choices);
    if let Err(error) = cache.write(&path) {
        say!("warning: they will be measured again: {error:#}");
    }
    Ok(choices)
}

/// The choice for each pass among its candidates, if all are kept.
fn known(kept: &[KernelChoice], passes: &[Vec<KernelChoice>]) -> Option<Vec<KernelChoice>> {
    let of = |candidates: &Vec<KernelChoice>| {
        let mut of = kept.iter().filter(|choice| candidates.contains(choice));
        of.next().copied()
    };
    passes.iter().map(of).collect()
}

/// Has the walks on `device` laid out as the record of `config` says.
///
/// # Errors
/// If the device can't.
pub fn follow(config: &RunConfig, device: &Device) -> Result<()> {
    let model = &config.model;
    let of_model =
        |choice: &&KernelChoice| choice.cell == model.cell && choice.hidden == model.hidden_size;
    let choices: Vec<_> = config
        .training
        .kernels
        .iter()
        .filter(of_model)
        .copied()
        .collect();
    kernel_choices::choose(device, &choices).context(
        "the run's kernels don't fit; with --kernels default it takes this adapter's usual ones, and comes to the same results",
    )
}

#[cfg(test)]
mod tests {
    use gatefold_model::Cell;
    use gatefold_model::kernel_choices::Product;

    use super::*;

    fn key(driver: &str) -> Key {
        Key {
            adapter: "Radeon".into(),
            vendor: 0x1002,
            device: 0x15bf,
            driver: driver.into(),
            api: "vulkan".into(),
            gatefold: "0.2.0".into(),
        }
    }

    fn choice(pass: Pass, blocks: usize) -> KernelChoice {
        KernelChoice {
            cell: Cell::Lstm,
            pass,
            hidden: 128,
            rows: 65,
            product: Product::Fused,
            groups: 1,
            blocks,
            apart: false,
        }
    }

    #[test]
    fn what_was_measured_is_kept_by_adapter_and_driver() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("of").join("kernels.json");
        let mut cache = Cache::read(&path);
        assert_eq!(cache, Cache::default());
        let [one, two, back] = [
            choice(Pass::Forward, 1),
            choice(Pass::Forward, 2),
            choice(Pass::Backward, 1),
        ];
        cache.keep(&key("Mesa 25"), &[one, back]);
        cache.keep(&key("Mesa 26"), &[one]);
        cache.keep(&key("Mesa 25"), &[two]);
        cache.write(&path).unwrap();
        let read = Cache::read(&path);
        assert_eq!(read, cache);
        assert_eq!(read.choices(&key("Mesa 25")), [back, two]);
        assert_eq!(read.choices(&key("Mesa 26")), [one]);
        assert_eq!(read.choices(&key("Mesa 27")), []);
    }

    #[test]
    fn what_another_version_measured_stays() {
        let other = json!({ "on": { "gatefold": "9.0.0" }, "layouts": [1, 2] });
        let mut cache = Cache {
            adapters: vec![other.clone()],
        };
        assert_eq!(cache.choices(&key("Mesa 25")), []);
        let one = choice(Pass::Forward, 1);
        cache.keep(&key("Mesa 25"), &[one]);
        assert_eq!(cache.choices(&key("Mesa 25")), [one]);
        assert_eq!(cache.adapters[0], other);
    }

    #[test]
    fn what_is_known_is_measured_once() {
        let passes =
            [Pass::Forward, Pass::Backward].map(|pass| vec![choice(pass, 1), choice(pass, 2)]);
        let [forward, back] = [choice(Pass::Forward, 2), choice(Pass::Backward, 1)];
        assert_eq!(known(&[back, forward], &passes), Some(vec![forward, back]));
        assert_eq!(known(&[forward], &passes), None);
        // As of a version with other layouts.
        assert_eq!(known(&[forward, choice(Pass::Backward, 3)], &passes), None);
        let others = KernelChoice { rows: 33, ..back };
        assert_eq!(known(&[forward, others], &passes), None);
    }

    #[test]
    fn an_unreadable_cache_holds_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kernels.json");
        for text in ["", "{\"adapters\": 1}", "\u{0}"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(Cache::read(&path), Cache::default());
        }
    }

    #[test]
    fn a_record_names_its_layouts() {
        let mut config = RunConfig::default();
        assert!(!config.to_toml().unwrap().contains("kernels"));
        config.training.kernels = vec![choice(Pass::Forward, 2), choice(Pass::Backward, 1)];
        let toml = config.to_toml().unwrap();
        assert!(
            toml.contains(
                "[[training.kernels]]\ncell = \"lstm\"\npass = \"forward\"\nhidden = 128"
            )
        );
        assert_eq!(RunConfig::from_toml(&toml, "config.toml").unwrap(), config);
    }
}
