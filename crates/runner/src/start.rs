//! What a training begins with that its seed doesn't draw: another run's weights, or vectors of words.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use gatefold_data::{Dataset, EncodedDataset, Encoder, LabelChoice, Labels, Sequence, WordVectors};
use gatefold_model::Network;
use gatefold_training::config::DatasetConfig;
use gatefold_training::{Bundle, RunConfig, Seen};
use itertools::Itertools;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use toml::Table;

use crate::run_folder::RunFolder;
use crate::terminal::within_line;
use crate::{corpus, dataset, say};

/// A trained run, from whose weights another one begins.
pub struct Start {
    path: PathBuf,
    bundle: Bundle,
    seen: Option<Seen>,
}

/// Settings of a classifier's head, of which a language model has none.
const OF_HEAD: [&str; 2] = ["dense_size", "pooling"];

/// Settings of a network that shape no weight: they may be others than those of the run that it begins from.
const FREE: [&str; 11] = [
    "max_length",
    "embeddings",
    "dropout",
    "recurrent_dropout",
    "weight_dropout",
    "embedding_dropout",
    "head_dropout",
    "initializers",
    "freeze_embeddings",
    "input_size",
    "output_size",
];

impl Start {
    /// Reads the run in the folder `path`.
    ///
    /// # Errors
    /// If there is none, or it isn't whole.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = RunFolder::open(path)?;
        let bundle = folder.bundle()?;
        if bundle.config.pretraining.is_some() {
            let model = bundle.language_model(&Device::flex());
            model.with_context(|| path.display().to_string())?;
        }
        Ok(Self {
            path: path.into(),
            bundle,
            seen: folder.seen()?,
        })
    }

    /// Gives `config` the run's network and input, but for what a preset or a file `asked` for, and its dataset if it has
    /// none. `given` puts what flags say over them.
    ///
    /// # Errors
    /// Names the settings that would make another network.
    pub fn take_over(
        &self,
        config: &mut RunConfig,
        asked: &Table,
        given: impl FnOnce(&mut RunConfig),
    ) -> Result<()> {
        let run = &self.bundle.config;
        if config.dataset.name.is_none() && config.dataset.path.is_none() {
            ensure!(
                config.dataset == DatasetConfig::default(),
                "name the --dataset that the other flags are about; without any, the data of {} are read as they were",
                self.path.display()
            );
            ensure!(
                corpus::text_file(&run.dataset).is_none(),
                "{} read a text, which has no labels to learn: name a --dataset",
                self.path.display()
            );
            config.dataset = run.dataset.clone();
            for path in dataset::paths_of_run(&config.dataset)? {
                say!("reading {}, which the run names", path.display());
            }
        }
        let mut model = object(&run.model);
        if self.is_language_model() {
            // What drops values before it tells tokens is nothing of a classifier's.
            model.remove("head_dropout");
        }
        config.model = over(model, &config.model, asked.get("model"))?;
        config.input = over(object(&run.input), &config.input, asked.get("input"))?;
        given(config);
        let (ours, theirs) = (fixed(config)?, fixed(run)?);
        let is_free = |name: &&String| self.is_language_model() && OF_HEAD.contains(&name.as_str());
        let others: Vec<&str> = ours
            .keys()
            .chain(theirs.keys())
            .filter(|name| !is_free(name))
            .filter(|name| ours.get(*name) != theirs.get(*name))
            .map(String::as_str)
            .unique()
            .collect();
        ensure!(
            others.is_empty(),
            "{} has another {}: whoever begins with its weights takes its network and how it reads; leave {} out{}",
            self.path.display(),
            others.join(", "),
            match others.len() {
                1 => "it",
                _ => "them",
            },
            match &config.preset {
                Some(preset) => format!(", or the preset {preset}, if they are of that"),
                None => String::new(),
            }
        );
        if self.bundle.ngrams.is_some() && config.ngrams.is_none() {
            say!(
                "the n-grams of {} stay behind; to learn some beside this network too: --ngrams N",
                self.path.display()
            );
        }
        config.unsettle();
        config.validate()?;
        Ok(())
    }

    /// Whether it is a language model.
    pub fn is_language_model(&self) -> bool {
        self.bundle.config.pretraining.is_some()
    }

    /// What makes sequences of its texts or numbers.
    pub fn encoder(&self) -> &Encoder {
        &self.bundle.encoder
    }

    /// The names of its classes.
    pub fn labels(&self) -> Option<&Labels> {
        self.bundle.labels.as_ref()
    }

    /// Warns of examples to test that it was trained on.
    pub fn say_seen(&self, data: &EncodedDataset, noun: &str) {
        let (path, all) = (self.path.display(), data.test.len());
        let most = self.bundle.config.input.max_length;
        let is_seen = |seen: &Seen| {
            // As that run read it.
            let read = data.test.iter().map(|example| example.input.last(most));
            read.filter(|read| seen.has(read)).count()
        };
        match self.seen.as_ref().map(is_seen) {
            Some(0) => {}
            Some(count) => say!(
                "warning: {count} of the {all} {noun} to test were trained on by {path}: new {noun} will be answered \
                 less well"
            ),
            None => say!(
                "warning: {} trained {path} and kept nothing that tells on what: nobody knows whether it was trained on the {noun} \
                 to test",
                self.bundle.config.trainer()
            ),
        }
    }

    /// Whether `dataset`, as `config` has it read, means the same as what the run was trained on: its columns are in
    /// the places of those that the scale was learnt on, and labels were not chosen in another order.
    ///
    /// # Errors
    /// Names what both have.
    pub fn ensure_fits(&self, dataset: &Dataset, config: &DatasetConfig) -> Result<()> {
        self.ensure_columns_fit(dataset, config)?;
        let (Some(ours), Some(theirs)) = (&dataset.labels, self.labels()) else {
            return Ok(());
        };
        let is_ordered = !LabelChoice::new(&config.labels)?.names().is_empty();
        let classes = ours.names().iter().map(|name| theirs.class(name));
        let classes: Option<Vec<u32>> = classes.collect();
        ensure!(
            !is_ordered || classes.is_none_or(|classes| classes.is_sorted()),
            "--labels has the order {}, and {} has {}, which its answers and --class-weights follow: leave the order to \
             that run, and give the labels as it has them",
            ours.shown(),
            self.path.display(),
            theirs.shown()
        );
        Ok(())
    }

    fn ensure_columns_fit(&self, dataset: &Dataset, config: &DatasetConfig) -> Result<()> {
        let encoder = self.encoder();
        let is_scaled = encoder.scaler().is_some() || encoder.target_scaler().is_some();
        let Some(series) = dataset.series.as_ref().filter(|_| is_scaled) else {
            return Ok(());
        };
        let (path, run) = (self.path.display(), &self.bundle.config.dataset);
        let names = |columns: &[String]| {
            let names: Vec<_> = columns
                .iter()
                .map(|name| format!("`{}`", within_line(name)))
                .collect();
            names.join(", ")
        };
        let has_same_task = config.task == run.task;
        for (flag, what, ours, theirs) in [
            (
                "--value-columns",
                "reads",
                &series.value_columns,
                &run.value_columns,
            ),
            (
                "--target-column",
                "has the target",
                &series.target_columns,
                &run.target_columns,
            ),
        ] {
            let is_target = flag == "--target-column";
            if is_target && !has_same_task {
                continue;
            }
            if ours.is_empty() || theirs.is_empty() {
                if !is_target && (ours != theirs || encoder.width() > Some(1)) {
                    say!(
                        "not all columns have names: the scale of {path} is taken over by their place"
                    );
                }
                continue;
            }
            ensure!(
                ours == theirs,
                "{path} {what} {}, and this training {}: its scale and weights are those of its columns, by their \
                 place; give {flag} as it has them",
                names(theirs),
                names(ours)
            );
        }
        Ok(())
    }

    /// The [first weights](Self::network) of a run in `folder`, which keeps what this one was trained on.
    ///
    /// # Errors
    /// If they don't fit the network, or a file can't be written.
    pub fn begin(
        &self,
        folder: &RunFolder,
        config: &RunConfig,
        labels: Option<&Labels>,
        device: &Device,
    ) -> Result<Network> {
        let network = self.network(config, labels, device)?;
        if let Some(seen) = &self.seen {
            folder.write_seen(seen)?;
        }
        Ok(network)
    }

    /// The first weights of the network of `config`, which is settled for its data: the run's, but for an output layer
    /// of other answers.
    ///
    /// # Errors
    /// If they don't fit the network.
    pub fn network(
        &self,
        config: &RunConfig,
        labels: Option<&Labels>,
        device: &Device,
    ) -> Result<Network> {
        let run = &self.bundle.config;
        let model = &run.model;
        say!(
            "begins with the weights of {}: {} of {} units, {}",
            self.path.display(),
            model.cell,
            model.hidden_size,
            match self.bundle.encoder.vocabulary() {
                Some(words) => format!(
                    "{} {} of its vocabulary",
                    words.words().len(),
                    words.tokenizer().noun()
                ),
                None => "its scale of the numbers".into(),
            }
        );
        let is_same = labels == self.labels()
            && config.objective() == run.objective()
            && config.model.output_size == model.output_size;
        let network = config.model.init(config.training.seed, device)?;
        let first = network.weights()?;
        let but: Vec<&str> = if self.is_language_model() {
            say!("it is a language model: what answers begins anew");
            // What it predicts tokens with is nothing of a classifier's.
            let is_own = |name: &&str| first.iter().all(|(other, ..)| other != *name);
            let names = self.bundle.weights.iter().map(|(name, ..)| name);
            names.filter(is_own).collect()
        } else if is_same {
            Vec::new()
        } else {
            say!("it answers otherwise than that run: the output layer begins anew");
            vec!["output.weight", "output.bias"]
        };
        let weights = first.clone().taking_over(&self.bundle.weights, &but);
        Ok(network.with_weights(&weights)?)
    }
}

/// `run`, with the settings of `config` that were `asked` for in the place of its own.
fn over<T: Serialize + DeserializeOwned>(
    mut run: Map<String, Value>,
    config: &T,
    asked: Option<&toml::Value>,
) -> Result<T> {
    for name in ["embeddings", "freeze_embeddings"] {
        run.remove(name);
    }
    let mut config = object(config);
    let asked = asked.and_then(toml::Value::as_table);
    for name in asked.into_iter().flat_map(Table::keys) {
        match config.remove(name) {
            Some(value) => drop(run.insert(name.clone(), value)),
            // As it is without being written.
            None => drop(run.remove(name)),
        }
    }
    Ok(serde_json::from_value(run.into())?)
}

fn object(of: &impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(of) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// The settings that shape weights or what they mean.
fn fixed(config: &RunConfig) -> Result<Map<String, Value>> {
    let mut settings = object(&config.model);
    settings.extend(object(&config.input));
    settings.retain(|name, _| !FREE.contains(&&name[..]));
    Ok(settings)
}

/// Puts the classes of a dataset in the order of an earlier run's `labels`, if they have the same names.
pub fn take_labels(dataset: &mut Dataset, labels: &Labels) {
    if !dataset.take_labels(labels)
        && let Some(found) = &dataset.labels
    {
        say!("the labels are others: {}", found.shown());
    }
}

/// Encodes a dataset as an earlier run's was, and settles the configuration.
///
/// # Errors
/// As [`dataset::encode`], and if the encoder doesn't read such data.
pub fn encode(
    dataset: &Dataset,
    config: &mut RunConfig,
    encoder: &Encoder,
) -> Result<EncodedDataset> {
    let data = EncodedDataset::with_encoder(dataset, &config.encoding(), encoder.clone())?;
    dataset::settle(dataset, &data, config)?;
    Ok(data)
}

/// Gives the embedding the size of the vectors in the file that the configuration names, if it names one.
///
/// # Errors
/// If it can't be read, or the configuration has another size.
pub fn take_vectors_size(config: &mut RunConfig, given: Option<usize>) -> Result<()> {
    let Some(path) = &mut config.input.embeddings else {
        return Ok(());
    };
    *path = std::path::absolute(&path)?;
    let width = WordVectors::width_of(path)?;
    let model = &mut config.model;
    let usual = RunConfig::default().model.embedding_size;
    let size = given.unwrap_or(model.embedding_size);
    ensure!(
        size == width || (given.is_none() && size == usual),
        "the vectors of {} have {width} numbers: leave embedding_size, {size}, out",
        path.display()
    );
    model.embedding_size = width;
    config.validate()?;
    Ok(())
}

/// A network drawn from its seed, with the vectors of the words that the file `path` has.
///
/// # Errors
/// If the file can't be read.
pub fn with_word_vectors(
    path: &Path,
    config: &RunConfig,
    data: &EncodedDataset,
    device: &Device,
) -> Result<Network> {
    let words = data.encoder.vocabulary();
    let words = words.context("numbers have no word vectors: leave embeddings out")?;
    let vectors = WordVectors::read(path, words)?;
    let (mut found, mut all) = (0u64, 0u64);
    for example in &data.train {
        if let Sequence::Tokens(ids) = &example.input {
            let start = words.ids().start;
            for id in ids.iter().filter(|id| start != Some(**id)) {
                all += 1;
                found += u64::from(vectors.get(*id).is_some());
            }
        }
    }
    let (there, kept) = (vectors.len(), words.words().len());
    let percent = |part: f64, all: f64| 100.0 * part / all.max(1.0);
    say!(
        "{there} of {kept} {} have vectors in {}: {:.0} %, and {:.0} % of the training texts; the others begin at random",
        words.tokenizer().noun(),
        path.display(),
        percent(there as f64, kept as f64),
        percent(found as f64, all as f64)
    );
    ensure!(
        vectors.width() == config.model.embedding_size,
        "{} has changed while it was read",
        path.display()
    );
    let network = config.model.init(config.training.seed, device)?;
    Ok(network.with_token_vectors(vectors.iter()))
}
