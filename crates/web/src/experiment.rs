//! Settings and data.

use std::rc::Rc;
use std::time::Duration;

use gatefold_data::{BUILT_IN_SEED, Dataset, EncodedDataset, NoteKind, TableOptions, reviews};
use gatefold_training::config::Split;
use gatefold_training::{RunConfig, hash};
use js_sys::{Error, Function};
use serde_json::json;
use wasm_bindgen::prelude::*;

use crate::check::{Check, check, time};
use crate::device::Processor;
use crate::run::TrainedRun;
use crate::{Result, error, training};

/// Settings and the data that they are for.
#[wasm_bindgen]
pub struct Experiment {
    config: Rc<RunConfig>,
    data: Rc<EncodedDataset>,
    notes: Vec<(bool, String)>,
}

#[wasm_bindgen]
impl Experiment {
    /// Makes the data ready. `settings` is JSON with the sections and keys of a run's `config.toml`; `table` is the
    /// content of the table that `dataset.name` names, if it names one.
    ///
    /// # Errors
    /// If no run can follow the settings, or the table can't be learnt from.
    #[wasm_bindgen(constructor)]
    pub fn new(settings: &str, table: Option<Vec<u8>>) -> Result<Experiment> {
        let config: RunConfig = serde_json::from_str(settings).map_err(error)?;
        prepare(config, table.as_deref())
    }

    /// What there is, as JSON: the number of `parameters`, of `train`, `validation` and `test` examples and of
    /// `steps` an epoch; the `objective`, whether they are `texts`, and `notes`, each with its `text` and
    /// whether it is `doubtful`.
    pub fn describe(&self) -> String {
        let (config, data) = (&self.config, &self.data);
        let notes = self.notes.iter();
        json!({
            "parameters": config.model.parameters(),
            "train": data.train.len(),
            "validation": data.validation.len(),
            "test": data.test.len(),
            "steps": data.train.len().div_ceil(config.training.batch_size),
            "objective": config.objective(),
            "texts": data.encoder.vocabulary().is_some(),
            "notes": notes.map(|(doubtful, text)| json!({ "doubtful": doubtful, "text": text })).collect::<Vec<_>>(),
        })
        .to_string()
    }

    /// A first training step of the network on a GPU and on the CPU.
    ///
    /// # Errors
    /// If the GPU can't compute it, or computes something else.
    pub async fn check(&self, gpu: &Processor) -> Result<Check> {
        check(&self.config, &self.data, gpu).await
    }

    /// The milliseconds of so many training steps with a full batch, and then of as many passes forward; the first one
    /// compiles a GPU's kernels.
    ///
    /// # Errors
    /// If the device fails.
    pub async fn time(&self, on: &Processor, steps: usize) -> Result<Vec<f64>> {
        time(&self.config, &self.data, on, steps).await
    }

    /// Trains a network. `progress` is called with JSON every so many milliseconds, `turn` or what suits the device, and
    /// returns a promise: while nothing comes of it, the training waits; if `false` comes, it ends with the epochs that are done. JSON's `kind` is
    ///
    /// - `step`: `epoch`, `step` and `steps` of it, `loss` and perhaps `accuracy` of the steps since the last time, steps
    ///   a second, and in `picture` now and then the curves so far, as HTML;
    /// - `epoch`: what a line of `metrics.jsonl` has;
    /// - `test`: what is left is the test.
    ///
    /// Nothing comes back if it ended before an epoch was done.
    ///
    /// # Errors
    /// If the device fails or drops work, or the loss is no longer finite.
    pub async fn train(
        &self,
        on: &Processor,
        progress: &Function,
        turn: Option<f64>,
    ) -> Result<Option<TrainedRun>> {
        let (config, data) = (self.config.clone(), self.data.clone());
        let turn = turn.map(|milliseconds| Duration::from_secs_f64(milliseconds.max(0.0) / 1e3));
        training::train(config, data, on, turn, progress).await
    }
}

fn prepare(mut config: RunConfig, table: Option<&[u8]>) -> Result<Experiment> {
    config.validate().map_err(error)?;
    let dataset = dataset(&mut config, table)?;
    let data = EncodedDataset::new(&dataset, &config.encoding()).map_err(error)?;
    config.settle(&data).map_err(error)?;
    if let Some(recognised) = &dataset.recognised {
        let of_table = &mut config.dataset;
        of_table.text_column = Some(recognised.text_column.clone());
        of_table.label_column = Some(recognised.label_column.clone());
        of_table.split = Some(Split::Stratified);
        of_table.hash = table.map(hash);
    }
    let notes = dataset.notes.iter().cloned().chain(data.doubts(&dataset));
    let notes = notes.map(|note| (note.kind == NoteKind::Doubtful, note.text));
    Ok(Experiment {
        notes: notes.collect(),
        config: Rc::new(config),
        data: Rc::new(data),
    })
}

fn dataset(config: &mut RunConfig, table: Option<&[u8]>) -> Result<Dataset> {
    let of_data = &config.dataset;
    let task = of_data.memory_task();
    let name = of_data.name.as_deref().unwrap_or("reviews");
    let Some(table) = table else {
        return match (task, name) {
            (Some((task, length)), _) => task.dataset(length, BUILT_IN_SEED).map_err(error),
            (None, "reviews") => Ok(reviews(BUILT_IN_SEED)),
            _ => Err(Error::new(&format!(
                "{name} is not here: choose the file again"
            ))),
        };
    };
    if task.is_some() || ["reviews", "imdb"].contains(&name) {
        return Err(Error::new(&format!(
            "{name} is the name of a built-in dataset: rename the file, such as to {name}.csv"
        )));
    }
    let options = TableOptions {
        test_fraction: of_data.test_fraction,
        validation_fraction: config.training.validation_fraction,
        ..TableOptions::new(name)
    };
    options.read(table).map_err(error)
}
