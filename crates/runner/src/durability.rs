//! A run survives a disk that fails at any operation, and a power cut at any moment.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::Result;
use burn::tensor::Device;
use gatefold_data::{Dataset, EncodedDataset, Labels, Record};
use gatefold_training::RunConfig;

use crate::dataset::encode;
use crate::device::ComputeDevice;
use crate::files::simulation::{Disk, Plan, simulate};
use crate::run::train;
use crate::run_folder::RunFolder;

/// A network of a few units that is trained for two epochs of two steps, with a checkpoint after each.
fn run_settings() -> (RunConfig, EncodedDataset) {
    let mut config = RunConfig::default();
    config.model.vocabulary_size = 16;
    config.model.embedding_size = 2;
    config.model.hidden_size = 2;
    // The report measures the gradient's reach in one layer alone, which takes longer than all the rest.
    config.model.layers = 2;
    config.model.dense_size = 2;
    config.model.dropout = 0.1;
    config.training.epochs = 2;
    config.training.batch_size = 8;
    config.input.max_length = 4;
    config.training.checkpoint_minutes = 1e-9;
    let review = |number: usize| {
        let text = format!("a {} film {}", ["bad", "good"][number % 2], number % 5);
        Record::text(text, number as u32 % 2)
    };
    let dataset = Dataset {
        labels: Some(Labels::negative_positive()),
        train: (0..20).map(review).collect(),
        test: (0..4).map(review).collect(),
        ..Dataset::default()
    };
    let prepared = encode(&dataset, &mut config).unwrap();
    (config, prepared)
}

struct Bench {
    config: RunConfig,
    data: EncodedDataset,
    root: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let (config, data) = run_settings();
        let root = tempfile::tempdir().unwrap();
        Self { config, data, root }
    }

    /// Begins a run, or goes on with what is there of it.
    fn train(&self, path: &Path) -> Result<()> {
        let folder = match path.join("config.toml").is_file() {
            true => RunFolder::open_begun(path)?,
            false => RunFolder::create(path)?,
        };
        let on = (&ComputeDevice::Cpu, &Device::flex());
        train(&self.config, &self.data, on, &folder, &mut |_| {
            ControlFlow::Continue(())
        })?;
        Ok(())
    }

    /// Trains on a disk that behaves by `plan`, in a folder of its own.
    fn simulate(&self, plan: Plan) -> (PathBuf, Result<()>, Disk) {
        let path = self.root.path().join("run");
        let _ = fs::remove_dir_all(&path);
        let (result, disk) = simulate(plan, || self.train(&path));
        (path, result, disk)
    }
}

/// What must be equal, however often the run was interrupted: weights, vocabulary, and metrics without times.
fn result(path: &Path) -> (Vec<u8>, Vec<u8>, Vec<(f64, f64)>) {
    let folder = RunFolder::open(path).unwrap();
    assert!(folder.is_finished());
    let metrics = folder.metrics().unwrap();
    let losses = metrics
        .iter()
        .map(|epoch| (epoch.train_loss, epoch.validation_loss));
    (
        fs::read(path.join("model.safetensors")).unwrap(),
        fs::read(path.join("vocabulary.json")).unwrap(),
        losses.collect(),
    )
}

/// Nothing of what is there is there by half.
fn assert_whole(path: &Path) {
    if !path.join("config.toml").is_file() {
        return;
    }
    let folder = RunFolder::list(path).unwrap().remove(0);
    folder.config().unwrap();
    folder.metrics().unwrap();
    folder.summary().unwrap();
    if path.join("model.safetensors").is_file() {
        folder.bundle().unwrap();
    }
    let read = &mut |_| Ok(());
    let damaged = &mut |path: &Path, why: &str| panic!("{path:?}: {why}");
    folder.checkpoints().latest(1 << 20, read, damaged).unwrap();
}

#[test]
fn a_run_goes_on_after_any_operation_has_failed() {
    let bench = Bench::new();
    let (path, trained, disk) = bench.simulate(Plan::Sound);
    trained.unwrap();
    let expected = result(&path);
    let operations = disk.count();
    assert!(operations > 40, "{operations}: checkpoints are missing");
    let mut failures = 0;
    for number in 0..operations {
        for plan in [Plan::FailOnce(number), Plan::FailFrom(number)] {
            let (path, trained, _) = bench.simulate(plan);
            assert_whole(&path);
            if let Err(error) = trained {
                let error = format!("{error:#}");
                assert!(
                    error.contains("cannot") && error.contains(" failed"),
                    "{plan:?}: {error}"
                );
                failures += 1;
                simulate(Plan::Sound, || bench.train(&path)).0.unwrap();
            }
            assert!(result(&path) == expected, "{plan:?}");
        }
    }
    // Only a file that should be removed may stay without a word.
    assert!(
        failures > 2 * operations * 3 / 4,
        "{failures} of {operations}"
    );
}

#[test]
fn a_run_goes_on_after_a_power_cut_at_any_moment() {
    let bench = Bench::new();
    let (path, trained, disk) = bench.simulate(Plan::Sound);
    trained.unwrap();
    let expected = result(&path);
    for number in 0..disk.count() {
        let (path, _, disk) = bench.simulate(Plan::FailFrom(number));
        let pending = disk.pending();
        let mut outcomes: Vec<Box<dyn Fn(usize) -> bool>> =
            vec![Box::new(|_| false), Box::new(|_| true)];
        if pending > 1 {
            for alone in 0..pending {
                outcomes.push(Box::new(move |number| number == alone));
            }
        }
        for stays in outcomes {
            disk.lose_power(bench.root.path(), stays);
            assert_whole(&path);
            simulate(Plan::Sound, || bench.train(&path)).0.unwrap();
            assert!(result(&path) == expected, "after operation {number}");
        }
    }
}
