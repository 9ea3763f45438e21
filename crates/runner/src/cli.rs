//! What the program takes.

use std::convert::Infallible;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow};
use clap::builder::{PossibleValuesParser, RangedI64ValueParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, FromArgMatches, Parser, Subcommand, value_parser};
use gatefold::bench::{Implementation, Workload};
use gatefold::device::DeviceChoice;
use gatefold::files;
use gatefold::kernels::Kernels;
use gatefold::presets::{self, PRESETS};
use gatefold_data::{LabelChoice, Missing, Quoting, SeriesTask, Tokenizer, encoding_name};
use gatefold_model::interop::ExportFormat;
use gatefold_model::{Cell, Initializers, NetworkConfig, Reading};
use gatefold_training::config::{
    DatasetConfig, InputConfig, Keep, PaddingSide, PretrainingConfig, Schedule, TrainingConfig,
};
use gatefold_training::{ClassWeights, Group, Groups, RunConfig};
use itertools::{Itertools, iproduct};
use toml::Table;

use crate::output::{AnswerFormat, End, Format};

/// Recurrent networks on the GPU that you already have.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true)]
pub struct Cli {
    /// Say more on standard error; twice for everything. RUST_LOG sets it finely.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a network, keep its best epoch, test it
    Train(Box<TrainArgs>),
    /// Train a language model on texts without labels, to write with or to begin a classifier with
    Pretrain(Box<PretrainArgs>),
    /// Write a text with a language model
    Generate(GenerateArgs),
    /// Train the same network with each cell, on the same data and seeds, and report what each learned
    Compare(Box<CompareArgs>),
    /// Test a trained network
    Evaluate(Box<EvaluateArgs>),
    /// Answer texts: which class, and how probable
    Predict(PredictArgs),
    /// List runs with their key figures
    Runs(RunsArgs),
    /// Show what a trained network does with a text, word by word
    Explain(ExplainArgs),
    /// Make a run of a network that was trained with PyTorch or Keras
    Import(Box<ImportArgs>),
    /// Write a trained network for PyTorch, Keras or ONNX
    Export(ExportArgs),
    /// Look at datasets and fetch them
    Dataset(DatasetCommandArgs),
    /// List what this machine can compute on, and what `auto` takes
    Devices(DevicesArgs),
    /// List settings that go together with what was measured with them, or print one's
    Presets(PresetsArgs),
    /// Show a network's layers, output shapes and parameter counts
    Summary(SummaryArgs),
    /// Measure how fast the lesson's network runs, beside the same network of Burn's own layers
    Bench(BenchArgs),
    /// Write what makes a shell complete this program's commands and flags
    Completions(CompletionsArgs),
}

#[derive(Debug, Args)]
#[command(mut_arg("resume", |resume| resume.conflicts_with_all(settings_but_epochs())))]
pub struct TrainArgs {
    #[command(flatten)]
    pub settings: SettingsArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub kernels: KernelsArgs,
    /// Where the run goes [default: the next free runs/DATASET-CELL-NUMBER]
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    #[command(flatten)]
    pub seeds: SeedsArgs,
    /// How the results of --seeds are written
    #[arg(long, value_enum, default_value = "text", requires = "seeds")]
    pub format: Format,
    /// Go on with an interrupted run, as its config.toml says; with --epochs also with a finished one, which has so many
    /// in all then
    #[arg(long, value_name = "RUN", conflicts_with_all = ["run", "seeds", "from", "embeddings", "freeze_embeddings"])]
    pub resume: Option<PathBuf>,
    /// Begin with the weights of a trained run: its network, vocabulary or scale are taken over, and its labels if
    /// they are the same
    #[arg(long, value_name = "RUN", conflicts_with = "embeddings")]
    pub from: Option<PathBuf>,
    /// Begin with a file's vectors of the words that it has: GloVe's, word2vec's or fastText's, also as .gz
    #[arg(long, value_name = "FILE")]
    pub embeddings: Option<PathBuf>,
    /// Leave the words' vectors as they are in training
    #[arg(long)]
    pub freeze_embeddings: bool,
    #[command(flatten)]
    pub checkpoints: CheckpointArgs,
    /// A line an epoch instead of the dashboard
    #[arg(long)]
    pub plain: bool,
}

#[derive(Debug, Args)]
#[command(
    mut_args(of_language_models),
    mut_arg("resume", |resume| resume.conflicts_with_all(settings_but_epochs())),
    after_help = "Of characters and bytes the defaults are: embedding 64, 10 epochs, rate 0.005, warm-up 100."
)]
pub struct PretrainArgs {
    #[command(flatten)]
    pub given: Given,
    #[command(flatten)]
    pub settings: SettingsArgs,
    #[command(flatten)]
    pub language: LanguageArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub kernels: KernelsArgs,
    /// Where the run goes [default: the next free runs/DATASET-language-CELL-NUMBER]
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Go on with an interrupted run, as its config.toml says; with --epochs also with a finished one, which has so many
    /// in all then
    #[arg(long, value_name = "RUN", conflicts_with_all = ["run", "negatives", "bptt"])]
    pub resume: Option<PathBuf>,
    #[command(flatten)]
    pub checkpoints: CheckpointArgs,
    /// A line an epoch instead of the dashboard
    #[arg(long)]
    pub plain: bool,
}

#[derive(Clone, Debug, Args)]
pub struct LanguageArgs {
    /// Tokens that a batch's right ones are told from in training, where there are more than 4096 [default: 1024]
    #[arg(long, value_name = "N")]
    pub negatives: Option<usize>,
    /// Timesteps that a step reads of each text, and that its gradient goes back, where texts are longer than max_length
    /// and so are read as streams [default: 128]
    #[arg(long, value_name = "N")]
    pub bptt: Option<usize>,
}

/// Flags of settings that a language model of texts has none of.
const NONE_OF_LANGUAGE_MODELS: [&str; 30] = [
    "ngrams",
    "refit",
    "word_dropout",
    "label_smoothing",
    "adversarial",
    "pooling",
    "dense_size",
    "class_weights",
    "keep",
    "no_mask",
    "padding",
    "no_scale",
    "validation_data",
    "label_column",
    "group_column",
    "labels",
    "label_separator",
    "skip_unlabelled",
    "test_fraction",
    "length",
    "task",
    "value_columns",
    "target_column",
    "window",
    "stride",
    "horizon",
    "missing",
    "decimal_comma",
    "target_data",
    "test_target_data",
];

/// The flags that stand on a command line.
#[derive(Clone, Debug)]
pub struct Given(Vec<String>);

impl Given {
    /// Refuses those that do nothing for a language model, and what of `more` is given too.
    pub fn ensure_of_language_models(&self, more: &[&str]) -> Result<()> {
        let none = |id: &&String| {
            let id = id.as_str();
            NONE_OF_LANGUAGE_MODELS.contains(&id) || more.contains(&id)
        };
        match self.0.iter().find(none) {
            None => Ok(()),
            Some(id) => Err(End::Misused(anyhow!(
                "--{} does nothing for a language model of texts: leave it out",
                id.replace('_', "-")
            ))
            .into()),
        }
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let is_given =
            |id: &&clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        let given = matches.ids().filter(is_given);
        Ok(Self(given.map(ToString::to_string).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Given {
    fn augment_args(command: clap::Command) -> clap::Command {
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        command
    }
}

/// The defaults of `pretrain` where they are others than those of `train`, and what texts without labels have none of.
fn of_language_models(flag: clap::Arg) -> clap::Arg {
    let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
    let default = match flag.get_id().as_str() {
        none if NONE_OF_LANGUAGE_MODELS.contains(&none) => return flag.hide(true),
        "preset" => {
            let names = presets::with_language_model().map(|(preset, _)| preset.name);
            return flag
                .value_parser(PossibleValuesParser::new(names))
                .help("Train the language model that a preset begins with; --config and flags decide over its settings");
        }
        "dataset" => {
            return flag.help(
                "reviews, imdb, a table, a folder of texts with all folders in it, or a text in a .txt file [default: imdb \
                 if it is in the data directory, else reviews]",
            );
        }
        "validation_fraction" => {
            return flag.help("The share of the texts, at their end, that is held out to measure perplexity [default: 0.01]");
        }
        "test_data" => return flag.help(
            "A table of texts that are to be tested on later: texts that equal one are left out",
        ),
        "batch_size" => return flag.help("Texts, or streams of them, a step [default: 16]"),
        "hidden_size" => "256",
        "embedding_size" => "128",
        "vocabulary_size" => "30000",
        "max_length" => "400",
        "learning_rate" => "0.002",
        "schedule" => "cosine",
        "warm_up" => "500",
        "clip_norm" => "1",
        _ => return flag,
    };
    match help.split_once(" [default: ") {
        Some((help, _)) => flag.help(format!("{help} [default: {default}]")),
        None => flag,
    }
}

#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// A language model's folder
    pub run: PathBuf,
    /// What the text begins with
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub prompt: String,
    /// Below 1 the text is likelier and duller, above 1 bolder; at 0 the likeliest token follows each time
    #[arg(long, value_name = "T", default_value = "1", value_parser = parse_temperature)]
    pub temperature: f64,
    /// Tokens that are written at most, if the model doesn't end the text before
    #[arg(long, value_name = "N", default_value = "200")]
    pub length: usize,
    /// The same seed writes the same text
    #[arg(long, value_name = "N", default_value = "42")]
    pub seed: u64,
    /// Only so many of the likeliest tokens may follow [default: all]
    #[arg(long, value_name = "N", value_parser = parse_length)]
    pub top_k: Option<usize>,
    #[command(flatten)]
    pub device: DeviceArgs,
}

fn parse_temperature(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(temperature) if (0.0..=100.0).contains(&temperature) => Ok(temperature),
        _ => Err("give a number from 0 to 100".into()),
    }
}

#[derive(Debug, Args)]
pub struct CheckpointArgs {
    /// Write a checkpoint when the last one is this old, beside the one after every epoch [default: 10]
    #[arg(long, value_name = "MINUTES")]
    pub checkpoint_minutes: Option<f64>,
}

#[derive(Debug, Args)]
pub struct SeedsArgs {
    /// Train once with each seed, and say mean and deviation: how many, from --seed on, or which ones
    #[arg(long, value_name = "N|SEED,SEED,…", value_parser = parse_seeds)]
    seeds: Option<Seeds>,
}

/// Seeds to train with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seeds {
    /// So many, from the configuration's on.
    Count(u64),
    These(Vec<u64>),
}

/// Trainings of one command at most.
const MOST_SEEDS: usize = 100;

fn parse_seeds(text: &str) -> Result<Seeds, String> {
    let numbers: Result<Vec<u64>, _> = text.split(',').map(|part| part.trim().parse()).collect();
    let numbers = numbers.map_err(|_| "give how many, or seeds with commas between them")?;
    match &numbers[..] {
        [count] if (2..=MOST_SEEDS as u64).contains(count) => Ok(Seeds::Count(*count)),
        [_] => Err(format!(
            "give 2 to {MOST_SEEDS} seeds; a single one is --seed"
        )),
        _ if numbers.len() > MOST_SEEDS => Err(format!("give at most {MOST_SEEDS} seeds")),
        _ if !numbers.iter().all_unique() => Err("a seed is there twice".into()),
        _ => Ok(Seeds::These(numbers)),
    }
}

impl SeedsArgs {
    /// The seeds to train with, if there are several; `first` is the configuration's.
    pub fn of(&self, first: u64) -> Option<Vec<u64>> {
        Some(match self.seeds.as_ref()? {
            Seeds::Count(count) => (0..*count).map(|more| first.saturating_add(more)).collect(),
            Seeds::These(seeds) => seeds.clone(),
        })
    }
}

/// What a run's configuration holds.
#[derive(Debug, Args)]
pub struct SettingsArgs {
    /// Train with settings that go together; --config and flags decide over them. `gatefold presets` says what each gives
    #[arg(long, value_parser = PossibleValuesParser::new(PRESETS.iter().map(|preset| preset.name)))]
    pub preset: Option<String>,
    /// Read a run's settings from a TOML file; flags decide over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub dataset: DatasetArgs,
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub training: TrainingArgs,
    #[command(flatten)]
    pub ngrams: NgramArgs,
}

/// What is learnt beside the network.
#[derive(Debug, Args)]
pub struct NgramArgs {
    /// Also learn runs of up to N tokens, 1 to 3, by logistic regression, and blend its answers with the network's
    #[arg(long, value_name = "N")]
    pub ngrams: Option<usize>,
}

/// The flags that a resumed run has in its configuration, but where its data lie. One by one, so that a refusal names those that were given.
fn settings_but_epochs() -> Vec<clap::Id> {
    let settings = SettingsArgs::augment_args(clap::Command::new("settings"));
    let ids = settings.get_arguments().map(|argument| argument.get_id());
    ids.filter(|id| *id != "epochs" && *id != "data")
        .cloned()
        .collect()
}

#[derive(Debug, Args)]
#[command(mut_arg("cell", |cell| cell.hide(true)))]
pub struct CompareArgs {
    /// Kinds of recurrent layer to compare [default: all; with --recurrent-dropout or --weight-dropout those with recurrent products]
    #[arg(long, value_parser = cell(), value_delimiter = ',', conflicts_with = "cell")]
    pub cells: Vec<Cell>,
    #[command(flatten)]
    pub settings: SettingsArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub kernels: KernelsArgs,
    /// Where the runs and the report go [default: the next free runs/compare-DATASET-NUMBER]
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    #[command(flatten)]
    pub seeds: SeedsArgs,
    /// Leave out the adding problem and first-token recall
    #[arg(long)]
    pub no_memory_tasks: bool,
    #[command(flatten)]
    pub format: FormatArgs,
}

#[derive(Debug, Args)]
#[command(mut_arg("dataset", |dataset| dataset.help(TESTED_DATASET)))]
pub struct EvaluateArgs {
    /// A trained run's folder; the test part of its own dataset is the one to test on, unless --dataset names
    /// another, of which a file is test part as a whole. Of several runs, or of a folder that `train --seeds` made, the
    /// mean of the answers is tested, on the first one's test part
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    #[command(flatten)]
    pub given: Given,
    #[command(flatten)]
    pub dataset: DatasetArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub format: FormatArgs,
}

const TESTED_DATASET: &str =
    "reviews, imdb, adding, recall, a table, or a folder of texts [default: the run's own]";

#[derive(Debug, Args)]
pub struct PredictArgs {
    /// A trained run's folder, or one that `train --seeds` made: the mean of its runs answers
    pub run: PathBuf,
    /// Another run that answers too, once for each: the mean of all answers is given
    #[arg(long, value_name = "RUN")]
    pub with: Vec<PathBuf>,
    /// Texts; without any, standard input is read, a text a line. A word that begins with a dash stands behind --
    #[arg(value_parser = without_mark)]
    pub texts: Vec<String>,
    /// Answer each row of a table, written as the run's; - is standard input. Where it has the run's column of labels,
    /// the answers are scored too, unless a row may have several. Of a run that has read series of numbers every
    /// sequence of a file is answered, and what comes after the end of each series forecast; `evaluate` scores these
    #[arg(long, value_name = "FILE", conflicts_with_all = ["texts", "null"])]
    pub dataset: Option<String>,
    /// The table's column of texts [default: the run's, or the only one]
    #[arg(
        long,
        value_name = "NAME",
        requires = "dataset",
        conflicts_with = "texts"
    )]
    pub text_column: Option<String>,
    /// The table's column of labels [default: the run's, if it is there]
    #[arg(
        long,
        value_name = "NAME",
        requires = "dataset",
        conflicts_with = "texts"
    )]
    pub label_column: Option<String>,
    /// Texts on standard input end with a zero byte, so that they can hold line breaks
    #[arg(short = '0', long, conflicts_with = "texts")]
    pub null: bool,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// How the answers are written; CSV and JSON hold all probabilities and a table's other columns
    #[arg(long, value_enum, default_value = "text")]
    pub format: AnswerFormat,
}

/// Stands before an argument that begins with a dash and is a text: no character of Unicode's.
const MARK: char = '\u{fdd0}';

/// The program's arguments, with a mark before those of `predict` and `explain` that begin with a dash and are no
/// flags, since white space stands in them: as `- not good`.
pub fn arguments(given: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<_> = given.collect();
    let is_flag = |argument: &&OsString| argument.to_string_lossy().starts_with('-');
    let command = arguments.iter().skip(1).find(|argument| !is_flag(argument));
    if command.is_some_and(|command| command == "predict" || command == "explain") {
        for argument in &mut arguments {
            if let Some(text) = argument.to_str().filter(|text| is_dashed_text(text)) {
                *argument = format!("{MARK}{text}").into();
            }
        }
    }
    arguments
}

fn is_dashed_text(text: &str) -> bool {
    let name = text.split('=').next().unwrap_or_default();
    text.starts_with('-') && name.contains(char::is_whitespace)
}

fn without_mark(text: &str) -> Result<String, Infallible> {
    Ok(text.strip_prefix(MARK).unwrap_or(text).to_owned())
}

#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Folders of runs, or single runs; runs that `compare` made are found in its folder [default: runs]
    #[arg(value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,
    #[command(flatten)]
    pub format: FormatArgs,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A trained run's folder
    pub run: PathBuf,
    /// The text; without one, standard input is read as a whole
    #[arg(value_parser = without_mark)]
    pub text: Vec<String>,
    /// Also write a page of HTML, with plots
    #[arg(long, value_name = "FILE", value_parser = parse_new_file)]
    pub html: Option<PathBuf>,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub format: FormatArgs,
}

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// A PyTorch state dict or checkpoint (.pt, .pth, .safetensors), or a Keras network (.keras, .weights.h5, .h5)
    pub file: PathBuf,
    /// The run's folder, which must not be there yet
    #[arg(long, value_name = "RUN", required_unless_present = "dry_run")]
    pub out: Option<PathBuf>,
    /// Which words the network's ids stand for: Keras's imdb_word_index.json, a Tokenizer's JSON, {"word": id}, a word a
    /// line, or a run's vocabulary.json
    #[arg(long, value_name = "FILE")]
    pub vocabulary: Option<PathBuf>,
    /// What texts are cut into [default: keras]
    #[arg(long, value_name = "keras|unicode|characters|bytes")]
    pub tokenizer: Option<Tokenizer>,
    /// The classes' names in the order of the network's outputs; of a single output, first that of 0, then that of 1
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub labels: Vec<String>,
    /// The entry of a checkpoint that holds the weights, where there are several
    #[arg(long, value_name = "NAME")]
    pub key: Option<String>,
    /// Which of the file's modules is which of the network's, where shapes don't tell: embedding, recurrent.0, dense,
    /// output
    #[arg(long = "map", value_name = "OURS=THEIRS", value_parser = parse_map)]
    pub maps: Vec<(String, String)>,
    /// Tensors that may be left over; * stands for anything
    #[arg(long = "ignore", value_name = "PATTERN")]
    pub ignored: Vec<String>,
    /// The kind of recurrent layer; of a simple RNN it says that it is one with tanh, which its file may not say
    #[arg(long, value_parser = cell())]
    pub cell: Option<Cell>,
    /// Tokens that the network reads of a text: the last ones [default: as the file says]
    #[arg(long, value_name = "N", value_parser = parse_length)]
    pub max_length: Option<usize>,
    /// The network leaves padding out, as with mask_zero=True in Keras or packed sequences in PyTorch [default: as the file
    /// says]
    #[arg(long, conflicts_with = "no_mask")]
    pub mask: bool,
    /// The network reads padding as if it were text: what Keras does without mask_zero, PyTorch without packing
    #[arg(long)]
    pub no_mask: bool,
    /// Where padding stands that is read: in front, as Keras's pad_sequences has it, or at the end
    #[arg(long, value_name = "pre|post")]
    pub padding: Option<PaddingSide>,
    /// Compare the network's answers with those of an .npz: `ids` [rows, time], `lengths` [rows], and `logits` [rows,
    /// outputs], from before sigmoid or softmax
    #[arg(long, value_name = "FILE.npz")]
    pub verify: Option<PathBuf>,
    /// Say what is in the file and what becomes of it, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub format: FormatArgs,
}

fn parse_map(text: &str) -> Result<(String, String), String> {
    let both = text
        .split_once('=')
        .filter(|(ours, theirs)| !ours.is_empty() && !theirs.is_empty());
    let (ours, theirs) = both.ok_or("give OURS=THEIRS, as output=classifier")?;
    Ok((ours.into(), theirs.into()))
}

fn parse_length(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("give a whole number above 0".into()),
        Ok(length) => Ok(length),
    }
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// A trained run's folder
    pub run: PathBuf,
    /// What for: a state dict for PyTorch, the same as SafeTensors, a Keras network, or an ONNX one
    #[arg(long, value_name = "FORMAT", value_parser = export_format())]
    pub format: ExportFormat,
    /// The file; one that is there is replaced
    #[arg(long, value_name = "FILE", value_parser = parse_new_file)]
    pub out: PathBuf,
}

fn export_format() -> impl TypedValueParser<Value = ExportFormat> {
    PossibleValuesParser::new(ExportFormat::ALL.map(ExportFormat::name)).map(|name| {
        let is = |format: &ExportFormat| format.name() == name;
        ExportFormat::ALL
            .into_iter()
            .find(is)
            .expect("it is one of the names")
    })
}

#[derive(Debug, Args)]
pub struct DatasetCommandArgs {
    #[command(subcommand)]
    pub command: DatasetCommand,
}

#[derive(Debug, Subcommand)]
pub enum DatasetCommand {
    /// Count examples, labels, words and lengths
    Info {
        /// reviews, imdb, adding, recall, a table, or a folder of texts
        #[arg(value_name = "DATASET")]
        name: String,
        #[command(flatten)]
        at: DataArgs,
        #[command(flatten)]
        place: Box<PlaceArgs>,
        /// What texts are cut into [default: keras, or what can read the texts if that can't]
        #[arg(long, value_name = "keras|unicode|characters|bytes")]
        tokenizer: Option<Tokenizer>,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Write a table of series to try things with, a CSV file: one to forecast, to classify, or to tag
    Generate {
        /// For what
        #[arg(value_name = "classify|tag|forecast")]
        task: SeriesTask,
        /// The file; one that is there is replaced
        #[arg(value_name = "FILE.csv", value_parser = parse_new_file)]
        file: PathBuf,
        /// The same seed writes the same table
        #[arg(long, value_name = "N", default_value = "42")]
        seed: u64,
    },
    /// Download a published dataset into the data directory
    Fetch {
        /// Which one
        #[arg(value_parser = ["imdb"])]
        name: String,
        /// Another address of the same file
        #[arg(long)]
        url: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct DevicesArgs {
    #[command(flatten)]
    pub format: FormatArgs,
}

#[derive(Debug, Args)]
pub struct PresetsArgs {
    /// Whose settings to print, as a configuration file has them
    #[arg(value_parser = PossibleValuesParser::new(PRESETS.iter().map(|preset| preset.name)))]
    pub name: Option<String>,
    /// Print the settings of the language model that it begins with
    #[arg(long, requires = "name")]
    pub language_model: bool,
    #[command(flatten)]
    pub format: FormatArgs,
}

#[derive(Debug, Args)]
pub struct SummaryArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub format: FormatArgs,
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Where to run, as with `train` [default: the CPU and every GPU]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,
    #[command(flatten)]
    pub kernels: KernelsArgs,
    /// Kinds of recurrent layer
    #[arg(long, value_parser = cell(), value_delimiter = ',', default_value = "lstm,gru")]
    pub cells: Vec<Cell>,
    /// Sequences a step
    #[arg(long, value_parser = at_least_one(), value_delimiter = ',', default_value = "128")]
    pub batches: Vec<u32>,
    /// Tokens a sequence
    #[arg(long, value_parser = at_least_one(), value_delimiter = ',', default_value = "256")]
    pub times: Vec<u32>,
    /// Hidden sizes of the recurrent layer
    #[arg(long, value_parser = at_least_one(), value_delimiter = ',', default_value = "64")]
    pub hiddens: Vec<u32>,
    /// Size of a token's vector, the recurrent layer's input
    #[arg(long, value_name = "N", value_parser = at_least_one(), default_value = "16")]
    pub embedding_size: u32,
    /// Give the sequences lengths between a quarter of T and T, and pad them; Burn's layers read the padding
    #[arg(long)]
    pub ragged: bool,
    /// Whose layers; Burn's can take minutes on a software adapter
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "gatefold,burn"
    )]
    pub implementations: Vec<Implementation>,
    /// Steps to measure, of each kind and after warming up
    #[arg(long, value_name = "N", value_parser = at_least_one(), default_value = "10")]
    pub steps: u32,
    /// Measure what a GPU's cores, caches, barriers and dispatches do instead, in seconds; --markdown does both
    #[arg(long)]
    pub probes: bool,
    #[command(flatten)]
    pub format: FormatArgs,
    /// Also write a Markdown page, to send in or to keep
    #[arg(long, value_name = "FILE", value_parser = parse_new_file)]
    pub markdown: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub struct FormatArgs {
    /// How the answer is written
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct DeviceArgs {
    /// Where to compute: auto, cpu, gpu, discrete, integrated, virtual, software, vulkan, metal, dx12, gl, one of these by
    /// number as vulkan:1, or what `devices` lists: a number, a name, or part of one
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
}

#[derive(Debug, Args)]
pub struct KernelsArgs {
    /// How walks are laid out on a GPU, which changes their time and no bit of the results
    #[arg(long, value_enum, default_value = "auto")]
    pub kernels: Kernels,
}

#[derive(Debug, Args)]
pub struct DatasetArgs {
    /// reviews, imdb, adding, recall, a table, or a folder of texts [default: imdb if it is in the
    /// data directory, else reviews]
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,
    #[command(flatten)]
    pub at: DataArgs,
    #[command(flatten)]
    pub place: PlaceArgs,
}

#[derive(Debug, Args)]
pub struct DataArgs {
    /// Where IMDB lies: the aclImdb folder, its archive, Keras's imdb.npz, or a folder with one of them; of a run
    /// that is there, where its dataset lies now
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// What separates a table's values: a character, or `tab` [default: recognised]
    #[arg(long, value_parser = parse_separator, value_name = "CHARACTER")]
    pub separator: Option<char>,
    /// A table's first line is a row: its columns are called 1, 2, …
    #[arg(long)]
    pub no_header: bool,
    /// A table's encoding, or that of a folder's texts, such as windows-1252 [default: recognised]
    #[arg(long, value_parser = parse_encoding, value_name = "NAME")]
    pub encoding: Option<String>,
    /// How a table's texts are quoted: with doubled quotation marks within, with backslashes before them, or not at
    /// all [default: recognised]
    #[arg(long, value_name = "double|backslash|none")]
    pub quoting: Option<Quoting>,
    /// A table's test part [default: a share of the table]
    #[arg(long, value_name = "FILE")]
    pub test_data: Option<PathBuf>,
    /// A table to choose the best epoch with [default: a share of the table]
    #[arg(long, value_name = "FILE")]
    pub validation_data: Option<PathBuf>,
    /// A table's column of texts [default: text, or one that is called or looks like it]
    #[arg(long, value_name = "NAME")]
    pub text_column: Option<String>,
    /// A table's column of labels, of any number and names [default: label, or one that is called or looks like it]
    #[arg(long, value_name = "NAME")]
    pub label_column: Option<String>,
    /// A table's column that says which rows belong together: to one part, such as an author's texts; of series of
    /// numbers, to one sequence. Of imdb, `film`: no film is trained on and validated on
    #[arg(long, value_name = "NAME")]
    pub group_column: Option<String>,
    /// Which labels to keep, in this order, the positive one of two last. FROM=TO names one otherwise, several to one
    /// name make it one label, FROM= leaves it out; quotation marks around a name keep commas in it [default: all]
    #[arg(long, value_name = "LABEL,FROM=TO,…")]
    pub labels: Vec<String>,
    /// What stands between the labels of a row that may have any number of them: one answer a label
    #[arg(long, value_name = "TEXT")]
    pub label_separator: Option<String>,
    /// Leave out rows without a label
    #[arg(long)]
    pub skip_unlabelled: bool,
    /// The share of a table that becomes its test part [default: 0.2]
    #[arg(long, value_name = "SHARE")]
    pub test_fraction: Option<f64>,
    /// Timesteps of the longest sequences of adding and recall [default: 100]
    #[arg(long, value_name = "N")]
    pub length: Option<usize>,
    #[command(flatten)]
    pub series: SeriesArgs,
}

/// Series of numbers in a file.
#[derive(Debug, Args)]
pub struct SeriesArgs {
    /// What is learnt from series of numbers: a class a sequence, a class a timestep, or the numbers that come next
    #[arg(long, value_name = "classify|tag|forecast")]
    pub task: Option<SeriesTask>,
    /// The columns of numbers that are read [default: all that are left; to forecast, what is forecast]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub value_columns: Option<Vec<String>>,
    /// The column of classes, or those to forecast
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub target_column: Option<Vec<String>>,
    /// Timesteps of the windows that a series is cut into [default: 48 to forecast]
    #[arg(long, value_name = "N")]
    pub window: Option<usize>,
    /// Timesteps from one window's start to that of the next [default: 1 to forecast, else a window]
    #[arg(long, value_name = "N")]
    pub stride: Option<usize>,
    /// Timesteps to forecast [default: 1]
    #[arg(long, value_name = "N")]
    pub horizon: Option<usize>,
    /// What becomes of missing numbers: an error, or their column's mean, with a mark beside it [default: refuse]
    #[arg(long, value_name = "refuse|mask")]
    pub missing: Option<Missing>,
    /// Numbers have a decimal comma
    #[arg(long)]
    pub decimal_comma: bool,
    /// The targets of an array of sequences, an array too
    #[arg(long, value_name = "FILE.npy")]
    pub target_data: Option<PathBuf>,
    /// The targets of the test part's array
    #[arg(long, value_name = "FILE.npy")]
    pub test_target_data: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub struct InputArgs {
    /// What texts are cut into: words as Keras has them, words of all scripts as Unicode has them, characters, or
    /// bytes [default: keras]
    #[arg(long, value_name = "keras|unicode|characters|bytes")]
    pub tokenizer: Option<Tokenizer>,
    /// Sequences are cut to their last timesteps, this many [default: 256]
    #[arg(long, value_name = "N")]
    pub max_length: Option<usize>,
    /// Pad every sequence to the full length and read the padding as if it belonged to it, as Keras does
    /// without a mask
    #[arg(long)]
    pub no_mask: bool,
    /// Where that padding stands: behind a sequence, or before it as Keras's pad_sequences has it [default: post]
    #[arg(long, value_name = "post|pre")]
    pub padding: Option<PaddingSide>,
    /// Read numbers as they are, not brought to mean 0 and deviation 1
    #[arg(long)]
    pub no_scale: bool,
}

#[derive(Clone, Debug, Args)]
pub struct ModelArgs {
    /// Kind of recurrent layer [default: lstm]
    #[arg(long, value_parser = cell())]
    pub cell: Option<Cell>,
    /// Recurrent layers, one on top of the other [default: 1]
    #[arg(long, value_name = "N")]
    pub layers: Option<usize>,
    /// Hidden size of each recurrent layer and direction [default: 64]
    #[arg(long, value_name = "N")]
    pub hidden_size: Option<usize>,
    /// Size of a token's vector [default: 16]
    #[arg(long, value_name = "N")]
    pub embedding_size: Option<usize>,
    /// What of the last layer's states is answered from [default: last]
    #[arg(long, value_parser = parse_pooling, value_name = "last|max|mean|max-mean|concat")]
    pub pooling: Option<Reading>,
    /// Size of the dense layer; 0 leaves it out [default: 64]
    #[arg(long, value_name = "N")]
    pub dense_size: Option<usize>,
    /// Number of token ids, padding, start and unknown included [default: 10000]
    #[arg(long, value_name = "N")]
    pub vocabulary_size: Option<usize>,
    /// Walk time in both directions
    #[arg(long)]
    pub bidirectional: bool,
    /// Share of a recurrent layer's outputs zeroed in training [default: 0]
    #[arg(long, value_name = "SHARE")]
    pub dropout: Option<f64>,
    /// Share of the hidden units that recurrent products leave out, the same ones at every timestep
    /// [default: 0]
    #[arg(long, value_name = "SHARE")]
    pub recurrent_dropout: Option<f64>,
    /// Share of the recurrent weights' numbers that are zero in a training step [default: 0]
    #[arg(long, value_name = "SHARE")]
    pub weight_dropout: Option<f64>,
    /// Share of the tokens whose vectors are zero in a training step [default: 0]
    #[arg(long, value_name = "SHARE")]
    pub embedding_dropout: Option<f64>,
    /// Share of what the dense layer reads that is zeroed in training [default: that of --dropout]
    #[arg(long, value_name = "SHARE")]
    pub head_dropout: Option<f64>,
    /// Whose first weights [default: keras]
    #[arg(long, value_parser = parse_initializers, value_name = "keras|pytorch")]
    pub initializers: Option<Initializers>,
}

#[derive(Debug, Args)]
pub struct TrainingArgs {
    /// Passes over the training examples [default: 5]
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// Examples a step [default: 128]
    #[arg(long, value_name = "N")]
    pub batch_size: Option<usize>,
    /// Adam's learning rate [default: 0.001]
    #[arg(long, value_name = "RATE")]
    pub learning_rate: Option<f64>,
    /// Settles first weights, batches and dropout [default: 42]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How the learning rate goes after its warm-up [default: constant]
    #[arg(long, value_parser = parse_schedule, value_name = "constant|cosine|linear")]
    pub schedule: Option<Schedule>,
    /// Steps over which the learning rate grows to its full value [default: 0]
    #[arg(long, value_name = "STEPS")]
    pub warm_up: Option<usize>,
    /// Keep the epoch that is best on the validation part by this: the lowest loss (or `best`), the highest accuracy, or
    /// the highest mean of the classes' F1, each class counted alike; or keep the last one [default: loss]
    #[arg(long, value_parser = parse_keep, value_name = "loss|accuracy|f1|last")]
    pub keep: Option<Keep>,
    /// Train again in the end, from the first weights on, on the training and the validation part together, for as many
    /// epochs as led to the one that is kept
    #[arg(long)]
    pub refit: bool,
    /// Stop after this many epochs in a row that are no better by what an epoch is kept for [default: never]
    #[arg(long, value_name = "EPOCHS")]
    pub patience: Option<usize>,
    /// Scale the gradient down to this norm [default: never]
    #[arg(long, value_name = "NORM")]
    pub clip_norm: Option<f64>,
    /// Decoupled weight decay [default: 0]
    #[arg(long, value_name = "RATE")]
    pub weight_decay: Option<f64>,
    /// Share of a text's words that training reads as unknown, others in each epoch [default: 0]
    #[arg(long, value_name = "SHARE")]
    pub word_dropout: Option<f64>,
    /// Of a label's probability, the share that training spreads over all classes [default: 0]
    #[arg(long, value_name = "SHARE")]
    pub label_smoothing: Option<f64>,
    /// Learn each batch also with the words' vectors moved so far the way that raises the loss most, such as 1; a step
    /// takes twice as long [default: 0]
    #[arg(long, value_name = "LENGTH")]
    pub adversarial: Option<f64>,
    /// Answer with an exponential moving average of the weights that decays so, as 0.999 [default: none is made]
    #[arg(long, value_name = "DECAY")]
    pub ema_decay: Option<f64>,
    /// What share of the learning rate a part of the network has: embedding, recurrent, head [default: 1]
    #[arg(long, value_name = "PART=SHARE,…", value_delimiter = ',', value_parser = parse_part::<f64>)]
    pub rates: Vec<(Part, f64)>,
    /// For how many epochs, at the beginning, a part of the network stays as it is [default: 0]
    #[arg(long, value_name = "PART=EPOCHS,…", value_delimiter = ',', value_parser = parse_part::<usize>)]
    pub frozen_epochs: Vec<(Part, usize)>,
    /// The share of the training rows that is held out to choose the best epoch [default: 0.2]
    #[arg(long, value_name = "SHARE")]
    pub validation_fraction: Option<f64>,
    /// What the loss of each class's examples counts in training: a number each, in the order of the labels, or
    /// balanced, so that every class counts alike [default: 1,1,…]
    #[arg(long, value_name = "balanced|FIRST,SECOND,…")]
    pub class_weights: Option<ClassWeights>,
}

/// A part of a network.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    Embedding,
    Recurrent,
    Head,
}

impl Part {
    fn of(self, groups: &mut Groups) -> &mut Group {
        match self {
            Self::Embedding => &mut groups.embedding,
            Self::Recurrent => &mut groups.recurrent,
            Self::Head => &mut groups.head,
        }
    }
}

fn parse_part<T: FromStr>(text: &str) -> Result<(Part, T), String> {
    let (part, value) = text
        .split_once('=')
        .ok_or("give PART=NUMBER, as embedding=1")?;
    let part = match part {
        "embedding" => Part::Embedding,
        "recurrent" => Part::Recurrent,
        "head" => Part::Head,
        _ => return Err("the parts are embedding, recurrent and head".into()),
    };
    let value = value.parse();
    Ok((part, value.map_err(|_| "behind = a number is wanted")?))
}

/// Puts a flag's value in a field if the flag was given.
fn set<T>(field: &mut T, flag: Option<T>) {
    if let Some(value) = flag {
        *field = value;
    }
}

impl Command {
    /// Whether it asks which graphics adapters there are.
    pub fn looks_for_adapters(&self) -> bool {
        let device = match self {
            Self::Train(args) => &args.device.device,
            Self::Pretrain(args) => &args.device.device,
            Self::Generate(args) => &args.device.device,
            Self::Compare(args) => &args.device.device,
            Self::Evaluate(args) => &args.device.device,
            Self::Predict(args) => &args.device.device,
            Self::Explain(args) => &args.device.device,
            Self::Bench(args) => args.device.as_ref().unwrap_or(&DeviceChoice::Auto),
            Self::Devices(_) => &DeviceChoice::Auto,
            Self::Runs(_)
            | Self::Presets(_)
            | Self::Import(_)
            | Self::Export(_)
            | Self::Dataset(_)
            | Self::Summary(_)
            | Self::Completions(_) => &DeviceChoice::Cpu,
        };
        *device != DeviceChoice::Cpu
    }
}

/// `settings` with flags applied to them. What `check` finds wrong then is the flags' fault, unless it was wrong
/// before.
pub fn with_flags<T: Clone>(
    settings: T,
    apply: impl FnOnce(&mut T),
    check: impl Fn(&T) -> Result<()>,
) -> Result<T> {
    let mut changed = settings.clone();
    apply(&mut changed);
    let Err(error) = check(&changed) else {
        return Ok(changed);
    };
    match check(&settings) {
        Err(before) if before.to_string() == error.to_string() => Err(error),
        _ => Err(End::Misused(error).into()),
    }
}

/// Bytes of a configuration file; a whole one has a kilobyte.
const MOST_BYTES: u64 = 1 << 20;

/// A configuration file's text, and what messages call it.
fn read_file(path: Option<&Path>) -> Result<Option<(String, String)>> {
    let read = |path: &Path| {
        let text = files::read_text(path, MOST_BYTES)?;
        Ok((text, path.display().to_string()))
    };
    path.map(read).transpose()
}

/// A configuration file's settings over a preset's, or the lesson's; and those of them that were asked for.
fn read_settings(preset: Option<&str>, path: Option<&Path>) -> Result<(RunConfig, Table)> {
    let file = read_file(path)?;
    let file = file.as_ref().map(|(text, name)| (&text[..], &name[..]));
    presets::settings(preset.and_then(presets::find), file)
}

/// Whether a run can follow the settings.
pub fn is_sound(config: &RunConfig) -> Result<()> {
    Ok(config.validate()?)
}

impl SettingsArgs {
    /// The file's settings, or the lesson's, with the flags over them, in which `check` finds nothing wrong; and what the
    /// preset and the file have of them.
    pub fn into_config(
        self,
        check: impl Fn(&RunConfig) -> Result<()>,
    ) -> Result<(RunConfig, Table)> {
        let path = self.config;
        let (settings, given) = read_settings(self.preset.as_deref(), path.as_deref())?;
        let apply = |config: &mut RunConfig| {
            let other = self.dataset.dataset.as_ref();
            if other.is_some_and(|other| config.dataset.name.as_ref() != Some(other)) {
                // A run's own file says what its own data asked for.
                config.unsettle();
            }
            self.dataset.apply(&mut config.dataset);
            self.input.apply(&mut config.input);
            self.model.apply(&mut config.model);
            self.training.apply(&mut config.training);
            if let Some(orders) = self.ngrams.ngrams {
                config.ngrams.get_or_insert_default().orders = orders;
            }
        };
        let config = with_flags(settings, apply, check);
        match (&config, path) {
            (Err(error), Some(path)) if !error.is::<End>() => {
                config.with_context(|| format!("in the configuration {}", path.display()))
            }
            _ => config,
        }
        .map(|config| (config, given))
    }
}

/// What a language model is trained with, unless something else is said: of words as of IMDB's reviews, of characters and
/// bytes as of a book.
fn language_model(tokenizer: Tokenizer) -> RunConfig {
    let mut config = RunConfig {
        pretraining: Some(PretrainingConfig::default()),
        ..RunConfig::default()
    };
    let short = matches!(tokenizer, Tokenizer::Characters | Tokenizer::Bytes);
    config.model.vocabulary_size = 30_000;
    config.model.embedding_size = if short { 64 } else { 128 };
    config.model.hidden_size = 256;
    config.input.max_length = 400;
    let training = &mut config.training;
    training.batch_size = 16;
    training.epochs = if short { 10 } else { 5 };
    training.learning_rate = if short { 5e-3 } else { 2e-3 };
    training.schedule = Schedule::Cosine;
    training.warm_up = if short { 100 } else { 500 };
    training.clip_norm = Some(1.0);
    training.validation_fraction = 0.01;
    config
}

impl SettingsArgs {
    /// The file's settings over the preset's, or over those of a language model, with the flags over them.
    pub fn into_language_model(self, language: &LanguageArgs) -> Result<RunConfig> {
        let file = read_file(self.config.as_deref())?;
        let tokenizer = match (self.input.tokenizer, &file) {
            (Some(tokenizer), _) => tokenizer,
            (None, Some((text, name))) => RunConfig::from_toml(text, name)?.input.tokenizer,
            (None, None) => Tokenizer::default(),
        };
        let mut settings = language_model(tokenizer);
        let is_asked = |name| self.preset.as_deref() == Some(name);
        let preset = presets::with_language_model().find(|(preset, _)| is_asked(preset.name));
        if let Some((preset, model)) = preset {
            let text = (model.text, preset.name);
            settings = presets::with_file(&settings.to_toml()?, text, None)?;
        }
        if let Some((text, name)) = &file {
            let asked = preset.map(|(preset, _)| preset.name);
            settings = presets::with_file(&settings.to_toml()?, (text, name), asked)?;
        }
        if let Some((preset, _)) = preset {
            settings.preset = Some(preset.name.to_owned());
        }
        let apply = |config: &mut RunConfig| {
            let pretraining = config.pretraining.get_or_insert_default();
            set(&mut pretraining.negatives, language.negatives);
            set(&mut pretraining.bptt, language.bptt);
            config.training.objective = None;
            self.dataset.apply(&mut config.dataset);
            self.input.apply(&mut config.input);
            self.model.apply(&mut config.model);
            self.training.apply(&mut config.training);
        };
        with_flags(settings, apply, is_sound)
    }
}

impl CheckpointArgs {
    pub fn apply(self, config: &mut TrainingConfig) {
        set(&mut config.checkpoint_minutes, self.checkpoint_minutes);
    }
}

impl DatasetArgs {
    pub fn apply(self, config: &mut DatasetConfig) {
        if self.dataset.is_some() {
            config.name = self.dataset;
        }
        self.at.apply(config);
        self.place.apply(config);
    }
}

impl DataArgs {
    pub fn apply(self, config: &mut DatasetConfig) {
        if self.data.is_some() {
            config.path = self.data;
        }
    }
}

impl PlaceArgs {
    pub fn apply(self, config: &mut DatasetConfig) {
        if self.test_data.is_some() {
            config.test_path = self.test_data;
        }
        config.separator = self.separator.or(config.separator);
        config.header &= !self.no_header;
        config.encoding = self.encoding.or(config.encoding.take());
        config.quoting = self.quoting.or(config.quoting);
        config.validation_path = self.validation_data.or(config.validation_path.take());
        config.text_column = self.text_column.or(config.text_column.take());
        config.label_column = self.label_column.or(config.label_column.take());
        config.group_column = self.group_column.or(config.group_column.take());
        config.label_separator = self.label_separator.or(config.label_separator.take());
        if !self.labels.is_empty() {
            let items = self.labels.iter();
            config.labels = items.flat_map(|list| LabelChoice::items(list)).collect();
        }
        config.skip_unlabelled |= self.skip_unlabelled;
        set(&mut config.test_fraction, self.test_fraction);
        config.length = self.length.or(config.length);
        self.series.apply(config);
    }
}

impl SeriesArgs {
    pub fn apply(self, config: &mut DatasetConfig) {
        config.task = self.task.or(config.task);
        set(&mut config.value_columns, self.value_columns);
        set(&mut config.target_columns, self.target_column);
        config.window = self.window.or(config.window);
        config.stride = self.stride.or(config.stride);
        config.horizon = self.horizon.or(config.horizon);
        set(&mut config.missing, self.missing);
        config.decimal_comma |= self.decimal_comma;
        config.target_path = self.target_data.or(config.target_path.take());
        config.test_target_path = self.test_target_data.or(config.test_target_path.take());
    }
}

impl InputArgs {
    pub fn apply(self, config: &mut InputConfig) {
        set(&mut config.tokenizer, self.tokenizer);
        set(&mut config.max_length, self.max_length);
        config.mask &= !self.no_mask;
        set(&mut config.padding, self.padding);
        if self.no_scale {
            config.scale = Some(false);
        }
    }
}

impl ModelArgs {
    pub fn apply(self, config: &mut NetworkConfig) {
        set(&mut config.cell, self.cell);
        set(&mut config.layers, self.layers);
        set(&mut config.hidden_size, self.hidden_size);
        set(&mut config.embedding_size, self.embedding_size);
        set(&mut config.reading, self.pooling);
        set(&mut config.dense_size, self.dense_size);
        set(&mut config.vocabulary_size, self.vocabulary_size);
        set(&mut config.dropout, self.dropout);
        set(&mut config.recurrent_dropout, self.recurrent_dropout);
        set(&mut config.weight_dropout, self.weight_dropout);
        set(&mut config.embedding_dropout, self.embedding_dropout);
        config.head_dropout = self.head_dropout.or(config.head_dropout);
        set(&mut config.initializers, self.initializers);
        config.bidirectional |= self.bidirectional;
    }
}

impl TrainingArgs {
    pub fn apply(self, config: &mut TrainingConfig) {
        set(&mut config.epochs, self.epochs);
        set(&mut config.batch_size, self.batch_size);
        set(&mut config.learning_rate, self.learning_rate);
        set(&mut config.seed, self.seed);
        set(&mut config.schedule, self.schedule);
        set(&mut config.warm_up, self.warm_up);
        set(&mut config.weight_decay, self.weight_decay);
        set(&mut config.validation_fraction, self.validation_fraction);
        set(&mut config.keep, self.keep);
        set(&mut config.word_dropout, self.word_dropout);
        set(&mut config.label_smoothing, self.label_smoothing);
        config.refit |= self.refit;
        set(&mut config.adversarial, self.adversarial);
        config.ema_decay = self.ema_decay.or(config.ema_decay);
        for (part, rate) in self.rates {
            part.of(&mut config.groups).rate = rate;
        }
        for (part, epochs) in self.frozen_epochs {
            part.of(&mut config.groups).frozen_epochs = epochs;
        }
        config.patience = self.patience.or(config.patience);
        config.clip_norm = self.clip_norm.or(config.clip_norm);
        config.class_weights = self.class_weights.or(config.class_weights.take());
    }
}

impl BenchArgs {
    /// Every combination of the sizes asked for.
    pub fn workloads(&self) -> Vec<Workload> {
        iproduct!(&self.cells, &self.batches, &self.times, &self.hiddens)
            .map(|(&cell, &batch, &time, &hidden)| Workload {
                cell,
                batch: batch as usize,
                time: time as usize,
                input: self.embedding_size as usize,
                hidden: hidden as usize,
                ragged: self.ragged,
            })
            .collect()
    }
}

fn at_least_one() -> RangedI64ValueParser<u32> {
    value_parser!(u32).range(1..)
}

/// Refuses a folder that isn't there before anything is measured.
fn parse_new_file(path: &str) -> Result<PathBuf, String> {
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    match path.parent() {
        Some(folder) if folder.is_dir() && !path.is_dir() => Ok(path),
        Some(folder) if !folder.is_dir() => Err(format!("there is no folder {}", folder.display())),
        _ => Err("that is a folder, not a file".into()),
    }
}

fn cell() -> impl TypedValueParser<Value = Cell> {
    let named = |name: String| Cell::ALL.into_iter().find(|cell| cell.name() == name);
    PossibleValuesParser::new(Cell::ALL.map(Cell::name))
        .map(move |name| named(name).expect("the parser takes no other name"))
}

fn parse_separator(name: &str) -> Result<char, String> {
    let mut characters = name.chars();
    match (name, characters.next(), characters.next()) {
        ("tab" | "\\t", ..) => Ok('\t'),
        ("space", ..) => Ok(' '),
        (_, Some(one), None) if one.is_ascii() && !matches!(one, '"' | '\n' | '\r') => Ok(one),
        _ => Err("a separator is one ASCII character, such as `;`, or `tab`".into()),
    }
}

fn parse_encoding(name: &str) -> Result<String, String> {
    let known = encoding_name(name).map(str::to_lowercase);
    known.ok_or_else(|| {
        "no such encoding; utf-8, utf-16le, utf-16be, windows-1252, latin-1, shift_jis, gb18030, big5 and euc-kr are \
         some"
            .into()
    })
}

fn parse_schedule(name: &str) -> Result<Schedule, String> {
    match name {
        "constant" => Ok(Schedule::Constant),
        "cosine" => Ok(Schedule::Cosine),
        "linear" => Ok(Schedule::Linear),
        _ => Err("the schedules are constant, cosine and linear".into()),
    }
}

fn parse_keep(name: &str) -> Result<Keep, String> {
    match name {
        "loss" | "best" => Ok(Keep::Loss),
        "accuracy" => Ok(Keep::Accuracy),
        "f1" => Ok(Keep::F1),
        "last" => Ok(Keep::Last),
        _ => Err("an epoch is kept for its loss, accuracy or f1, or as the last".into()),
    }
}

fn parse_pooling(name: &str) -> Result<Reading, String> {
    match name {
        "last" => Ok(Reading::Last),
        "max" => Ok(Reading::Max),
        "mean" => Ok(Reading::Mean),
        "max-mean" => Ok(Reading::MaxMean),
        "concat" => Ok(Reading::Concat),
        _ => Err("the poolings are last, max, mean, max-mean and concat".into()),
    }
}

fn parse_initializers(name: &str) -> Result<Initializers, String> {
    match name {
        "keras" => Ok(Initializers::Keras),
        "pytorch" => Ok(Initializers::PyTorch),
        _ => Err("the initializers are keras and pytorch".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_text_may_begin_with_a_dash() {
        let texts = |arguments: &[&str]| {
            let given = ["gatefold", "predict", "run"].iter().chain(arguments);
            let cli = Cli::try_parse_from(super::arguments(given.map(Into::into)))?;
            match cli.command {
                Command::Predict(args) => Ok::<_, clap::Error>((args.texts, args.null)),
                _ => panic!("predict was asked for"),
            }
        };
        let found = texts(&["good", "- not good", "-0", "--null of it"]);
        assert!(found.is_err(), "standard input is not read beside texts");
        let (found, _) = texts(&["good", "- not good", "--device=cpu", "-- x=1"]).unwrap();
        assert_eq!(found, ["good", "- not good", "-- x=1"]);
        let (found, null) = texts(&["--", "-0", "--bad"]).unwrap();
        assert_eq!(
            (&found[..], null),
            (&["-0".into(), "--bad".into()][..], false)
        );
        let error = texts(&["--bad"]).unwrap_err().to_string();
        assert!(error.contains("-- --bad"), "{error}");
        assert!(texts(&["--format=no such"]).is_err());
    }

    #[test]
    fn a_resumed_run_has_its_settings() {
        let resume = ["gatefold", "train", "--resume", "run"];
        for flag in [
            "--from=run",
            "--embeddings=v.txt",
            "--cell=gru",
            "--dataset=imdb",
            "--text-column=x",
            "--run=y",
            "--seeds=3",
        ] {
            let command = resume.into_iter().chain([flag]);
            assert!(Cli::try_parse_from(command).is_err(), "{flag}");
        }
        let command = ["--cell=gru", "--no-mask", "--epochs=9"];
        let refused = Cli::try_parse_from(resume.into_iter().chain(command)).unwrap_err();
        let refused = refused.to_string();
        assert!(refused.contains("--cell") && refused.contains("--no-mask"));
        for other in ["--layers", "--tokenizer", "--batch-size"] {
            assert!(!refused.contains(other), "{refused}");
        }
        let allowed = [
            "--device=cpu",
            "--plain",
            "--checkpoint-minutes=1",
            "--epochs=9",
            "--data=x",
        ];
        Cli::try_parse_from(resume.into_iter().chain(allowed)).unwrap();
    }

    #[test]
    fn seeds_are_counted_or_named() {
        let of = |text| parse_seeds(text).map(|seeds| SeedsArgs { seeds: Some(seeds) }.of(7));
        assert_eq!(of("3"), Ok(Some(vec![7, 8, 9])));
        assert_eq!(of("5, 1"), Ok(Some(vec![5, 1])));
        for wrong in ["", "1", "0", "101", "1,1", "1,x", "-3", "2,"] {
            of(wrong).unwrap_err();
        }
    }

    #[test]
    fn flags_decide_over_a_configuration() {
        let Command::Train(args) = Cli::parse_from([
            "gatefold",
            "train",
            "--cell",
            "gru",
            "--epochs",
            "2",
            "--no-mask",
            "--padding=pre",
            "--dataset",
            "imdb",
            "--class-weights",
            "1,2.5",
        ])
        .command
        else {
            panic!("train was asked for");
        };
        let (config, _) = args.settings.into_config(is_sound).unwrap();
        assert_eq!(config.dataset.name.as_deref(), Some("imdb"));
        assert_eq!(config.model.cell, Cell::Gru);
        assert_eq!((config.training.epochs, config.training.seed), (2, 42));
        assert_eq!(
            config.training.class_weights,
            Some(ClassWeights::Each(vec![1.0, 2.5]))
        );
        assert_eq!(
            (config.input.mask, config.input.padding),
            (false, PaddingSide::Pre)
        );
    }

    #[test]
    fn only_what_flags_break_is_their_fault() {
        let broken = |file: usize, flag: Option<usize>| {
            let mut settings = RunConfig::default();
            settings.training.epochs = file;
            let apply = |config: &mut RunConfig| set(&mut config.training.epochs, flag);
            with_flags(settings, apply, is_sound)
        };
        assert_eq!(broken(0, Some(2)).unwrap().training.epochs, 2);
        assert!(!broken(0, None).unwrap_err().is::<End>());
        for file in [3, usize::MAX] {
            assert!(broken(file, Some(0)).unwrap_err().is::<End>());
        }
    }
}
