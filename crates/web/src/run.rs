//! A trained network.

use std::rc::Rc;

use gatefold_data::EncodedDataset;
use gatefold_lesson::explanation::{explain, explainable};
use gatefold_lesson::report::{RunSection, comparison_part, reach, reach_part, run_page, run_part};
use gatefold_model::Weights;
use gatefold_training::burn::tensor::Device;
use gatefold_training::{Bundle, EpochMetrics, Predictor, RunSummary, Seen, TestResult, run_files};
use js_sys::Error;
use serde_json::json;
use wasm_bindgen::prelude::*;

use crate::files::{RunFiles, zipped};
use crate::{Result, error};

/// Bytes of the metrics or the summary that are read.
const MOST_BYTES: usize = 1 << 24;

/// A trained network, with its curves and its test where they are known.
#[wasm_bindgen]
pub struct TrainedRun {
    bundle: Bundle,
    predictor: Predictor,
    section: Option<RunSection>,
    /// What it was trained on, and how it was tested, here.
    made: Option<(Rc<EncodedDataset>, TestResult)>,
}

impl TrainedRun {
    pub(crate) fn new(
        section: RunSection,
        tested: TestResult,
        data: Rc<EncodedDataset>,
        weights: Weights,
    ) -> Result<Self> {
        let bundle = Bundle {
            config: section.config.clone(),
            encoder: data.encoder.clone(),
            labels: data.labels.clone(),
            weights,
            // The page offers none.
            ngrams: None,
        };
        Ok(Self {
            predictor: predictor(&bundle)?,
            bundle,
            section: Some(section),
            made: Some((data, tested)),
        })
    }

    fn section(&self) -> Result<&RunSection> {
        let section = self.section.as_ref();
        section.ok_or_else(|| Error::new("of this run nothing is known but its network"))
    }
}

fn predictor(bundle: &Bundle) -> Result<Predictor> {
    Predictor::new(bundle.clone(), &Device::flex()).map_err(error)
}

#[wasm_bindgen]
impl TrainedRun {
    /// A run from its files: those of its network, and its metrics and summary if they are there.
    ///
    /// # Errors
    /// If a file is missing or damaged, or they don't belong together.
    pub fn open(name: &str, files: &RunFiles) -> Result<TrainedRun> {
        let bundle = Bundle::read(&|file, most| match files.get(file) {
            Some(bytes) if bytes.len() as u64 > most => Err(format!("{file} is too large").into()),
            bytes => Ok(bytes.map(<[u8]>::to_vec)),
        })
        .map_err(error)?;
        let known = |file| files.get(file).filter(|bytes| bytes.len() <= MOST_BYTES);
        let section = match (known(run_files::METRICS), known(run_files::SUMMARY)) {
            (Some(metrics), Some(summary)) => {
                let lines = metrics
                    .split(|byte| *byte == b'\n')
                    .filter(|line| !line.is_empty());
                let epochs = lines.map(serde_json::from_slice::<EpochMetrics>);
                Some(RunSection {
                    name: name.into(),
                    config: bundle.config.clone(),
                    epochs: epochs
                        .collect::<std::result::Result<_, _>>()
                        .map_err(error)?,
                    summary: serde_json::from_slice::<RunSummary>(summary).map_err(error)?,
                    scores: None,
                    reach: Vec::new(),
                    forecast: None,
                })
            }
            _ => None,
        };
        Ok(Self {
            predictor: predictor(&bundle)?,
            bundle,
            section,
            made: None,
        })
    }

    /// What there is to know of it, as JSON: its `cell`, its `dataset`, its `device`, its test's `loss` and perhaps
    /// `accuracy`, whether it can be asked `texts` and be explained, its `epochs`.
    pub fn describe(&self) -> String {
        let config = &self.bundle.config;
        let summary = self.section.as_ref().map(|section| &section.summary);
        json!({
            "cell": config.model.cell.to_string(),
            "dataset": config.dataset.name.as_deref().unwrap_or("reviews"),
            "device": summary.map(|summary| &summary.device),
            "loss": summary.map(|summary| summary.test_loss),
            "accuracy": summary.and_then(|summary| summary.test_accuracy),
            "epochs": self.section.as_ref().map(|section| &section.epochs),
            "texts": self.bundle.encoder.vocabulary().is_some(),
            "explains": explainable(&self.predictor).is_ok(),
        })
        .to_string()
    }

    /// What its training and its test came to, as HTML of the reports' style.
    ///
    /// # Errors
    /// If nothing is known of them.
    pub fn result(&self) -> Result<String> {
        run_part(self.section()?).map_err(error)
    }

    /// How far its gradient reaches before and after training, as HTML; empty where that can't be measured.
    ///
    /// # Errors
    /// If the data that it was trained on are not here.
    pub fn reach(&mut self) -> Result<String> {
        let data = self.made.as_ref().map(|(data, _)| data.clone());
        let Some((section, data)) = self.section.as_mut().zip(data) else {
            return Ok(String::new());
        };
        if section.reach.is_empty() {
            let network = self.predictor.network();
            let reach = reach(&section.config, network, &data, &Device::flex());
            section.reach = reach.map_err(error)?;
        }
        reach_part(std::slice::from_ref(section)).map_err(error)
    }

    /// The probability of each class for a text, likeliest first, as a JSON array of objects with `label` and
    /// `probability`.
    ///
    /// # Errors
    /// If it reads no texts, or answers none with classes.
    pub fn answer(&self, text: &str) -> Result<String> {
        let answers = self.predictor.answer_texts([text]).map_err(error)?;
        let probabilities = answers.first().map(|answer| answer.probabilities());
        let probabilities = probabilities.unwrap_or_default();
        let labels = self
            .predictor
            .labels()
            .ok_or_else(|| Error::new("its answers are no classes"))?;
        let mut named: Vec<_> = probabilities.iter().enumerate().collect();
        named.sort_by(|one, other| other.1.total_cmp(one.1));
        let named = named.into_iter().map(|(class, probability)| {
            json!({ "label": labels.name(class), "probability": probability })
        });
        Ok(named.collect::<serde_json::Value>().to_string())
    }

    /// What it did with a text, word by word, as HTML of the reports' style.
    ///
    /// # Errors
    /// If it can't be explained, or the text has no words.
    pub fn explain(&self, text: &str) -> Result<String> {
        let explained = explain(&self.predictor, text).map_err(error)?;
        explained.part().map_err(error)
    }

    /// Its folder as a ZIP archive, for `gatefold predict` and all other commands.
    ///
    /// # Errors
    /// If a file can't be written.
    pub fn zip(&self, folder: &str) -> Result<Vec<u8>> {
        let mut files = self.bundle.files().map_err(error)?;
        if let Some(section) = &self.section {
            files.push((run_files::METRICS, run_files::metrics(&section.epochs)));
            files.push((run_files::SUMMARY, run_files::json(&section.summary)));
            let page = run_page(section).map_err(error)?;
            files.push((run_files::REPORT, page.into_bytes()));
        }
        if let Some((data, tested)) = &self.made {
            files.push((run_files::EVALUATION, run_files::json(tested)));
            files.push((run_files::SEEN, Seen::of(data).to_bytes()));
        }
        zipped(folder, &files)
    }
}

/// Networks side by side, as HTML of the reports' style.
#[wasm_bindgen]
#[derive(Default)]
pub struct Comparison(Vec<RunSection>);

#[wasm_bindgen]
impl Comparison {
    /// Of no network.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a network.
    ///
    /// # Errors
    /// If nothing is known of its training.
    pub fn add(&mut self, run: &TrainedRun) -> Result<()> {
        self.0.push(run.section()?.clone());
        Ok(())
    }

    /// All of them.
    ///
    /// # Errors
    /// If a template is wrong.
    pub fn show(&self) -> Result<String> {
        comparison_part(&self.0, &[]).map_err(error)
    }
}
