//! `gatefold import`

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use burn::tensor::Device;
use gatefold::imported::{Probe, write_run};
use gatefold::run_folder::RunFolder;
use gatefold::say;
use gatefold::terminal::{program, word};
use gatefold_data::{Encoder, ForeignVocabulary, Labels};
use gatefold_model::Cell;
use gatefold_model::interop::{Activation, Fate, Import, ImportOptions, TableRow};
use gatefold_training::bundle::Bundle;
use gatefold_training::config::{ImportedConfig, InputConfig, PaddingSide};
use gatefold_training::{Objective, Predictor, RunConfig};
use serde::Serialize;

use crate::cli::ImportArgs;
use crate::output::{self, End, Format};

/// A probe's answers may differ by so much: the sums of a network are not taken in one order everywhere.
const TOLERANCE: f64 = 1e-4;

/// One of their tensors, and what becomes of it.
#[derive(Serialize)]
struct Line {
    theirs: Option<String>,
    shape: Option<Vec<usize>>,
    ours: Option<String>,
    fate: &'static str,
}

/// What was imported.
#[derive(Serialize)]
struct Imported {
    run: String,
    cell: Cell,
    layers: usize,
    bidirectional: bool,
    parameters: u64,
    objective: Objective,
    mask: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    padding: Option<String>,
    max_length: usize,
    vocabulary: String,
    labels: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<Verified>,
}

#[derive(Serialize)]
struct Verified {
    rows: usize,
    largest_difference: f64,
}

pub fn run(args: ImportArgs) -> Result<()> {
    let file = args.file.display().to_string();
    let options = ImportOptions {
        key: args.key.clone(),
        maps: args.maps.clone(),
        ignored: args.ignored.clone(),
        cell: args.cell,
    };
    let import = quietly(|| Import::open(&args.file, &options))
        .with_context(|| format!("cannot import {file}"))?;
    if args.dry_run {
        write_table(&import.table(), args.format.format)?;
        import
            .config()
            .with_context(|| format!("cannot import {file}"))?;
        return Ok(());
    }
    let out = args
        .out
        .as_deref()
        .ok_or_else(|| misused("--out must name the run's folder"))?;
    RunFolder::ensure_free(out)?;
    let model = import.config().with_context(|| {
        let command = format!("{} import {} --dry-run", program(), word(&args.file));
        format!("cannot import {file}; `{command}` shows what is in it")
    })?;
    let input = input(&args, &import)?;
    let objective = objective(&import, model.output_size)?;
    let Some(vocabulary) = &args.vocabulary else {
        bail!(
            "cannot import {file}: which words its {} ids stand for isn't in it; --vocabulary names a file that says so: \
             Keras's imdb_word_index.json, a Tokenizer's JSON, a list of words, or a run's vocabulary.json",
            model.vocabulary_size
        );
    };
    let found = ForeignVocabulary::read(vocabulary, model.vocabulary_size, input.tokenizer)?;
    // Keras leaves out id 0 itself, whatever it stands for.
    let skips_0 = import.mask() == Some(true);
    ensure!(
        (input.mask && !skips_0) || found.vocabulary.has_padding() && found.swapped.is_none(),
        "id 0 is padding to the network, and in {} it is something else: that is another network's vocabulary, or one without \
         an entry for padding, as <pad>",
        vocabulary.display()
    );
    let labels = labels(&args, &import, (objective, model.output_size), &found)?;
    let weights = quietly(|| import.weights()).with_context(|| format!("cannot import {file}"))?;
    // The file is not needed any more.
    drop(import);
    let weights = match found.swapped {
        Some(rows) => weights.with_rows_swapped("embedding.weight", rows),
        None => weights,
    };
    let mut config = RunConfig {
        input,
        model,
        imported: Some(ImportedConfig {
            file: args
                .file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
        }),
        ..RunConfig::default()
    };
    config.training.objective = Some(objective);
    config.input.tokenizer = found.vocabulary.tokenizer();
    config.validate()?;
    let bundle = Bundle {
        config,
        encoder: Encoder::Text(found.vocabulary),
        labels: Some(labels),
        weights,
        ngrams: None,
    };
    bundle.check()?;
    let probe = args.verify.as_deref().map(Probe::read).transpose()?;
    let verified = probe
        .map(|probe| verify(&bundle, &probe, found.swapped))
        .transpose()?;
    write_run(out, &bundle)?;
    if args.labels.is_empty()
        && bundle
            .labels
            .as_ref()
            .is_some_and(|labels| labels.name(0) == Some("0"))
    {
        say!(
            "its classes have no names in the file: they are called by their numbers; --labels names them"
        );
    }
    let imported = Imported::of(&bundle, out, found.format.to_string(), verified);
    match args.format.format {
        Format::Json => output::json(&imported),
        Format::Text => imported.write(&file),
    }
}

/// Runs what may meet a panic in a library, which is told as an error then, without the panic's own words.
fn quietly<T>(run: impl FnOnce() -> T) -> T {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = run();
    std::panic::set_hook(usual);
    result
}

fn misused(what: impl Into<String>) -> anyhow::Error {
    End::Misused(anyhow!(what.into())).into()
}

fn write_table(table: &[TableRow], format: Format) -> Result<()> {
    let lines = table.iter().map(|row| Line {
        theirs: row.theirs.as_ref().map(|(name, _)| name.clone()),
        shape: row.theirs.as_ref().map(|(_, shape)| shape.clone()),
        ours: row.ours.clone(),
        fate: match row.fate {
            Fate::Taken => "taken",
            Fate::Ignored => "ignored",
            Fate::LeftOver => "left over",
            Fate::Missing => "missing",
        },
    });
    if format == Format::Json {
        return lines.into_iter().try_for_each(|line| output::json(&line));
    }
    let cells = lines.map(|line| {
        let shape = line.shape.map(|shape| format!("{shape:?}"));
        let ours = line.ours.unwrap_or_default();
        let becomes = match line.fate {
            "taken" => ours,
            fate => format!("{ours} {fate}").trim().to_owned(),
        };
        vec![
            line.theirs.unwrap_or_default(),
            shape.unwrap_or_default(),
            becomes,
        ]
    });
    output::table(&["theirs", "shape", "ours"], cells.collect(), 3)
}

/// How texts become what the network reads.
fn input(args: &ImportArgs, import: &Import) -> Result<InputConfig> {
    let mask = match (import.mask(), args.mask, args.no_mask) {
        (Some(true), _, true) => {
            return Err(misused(
                "--no-mask must be left out: the file says that the network leaves padding out (mask_zero=True)",
            ));
        }
        (Some(false), true, _) => {
            return Err(misused(
                "--mask must be left out: the file says that the network reads padding (mask_zero=False)",
            ));
        }
        (Some(mask), ..) => mask,
        (None, mask, no_mask) if mask != no_mask => mask,
        // A probe tells.
        (None, ..) if args.verify.is_some() => args.padding.is_none(),
        (None, ..) => bail!(
            "whether the network reads padding isn't in the file: say --mask if it leaves it out, as with mask_zero=True or \
             packed sequences, or --no-mask if it reads padding as if it were text; or give its answers with --verify"
        ),
    };
    let padding = match (mask, args.padding) {
        (true, None) => PaddingSide::default(),
        (true, Some(_)) => {
            return Err(misused(
                "--padding must be left out: the network doesn't read padding, wherever it stands",
            ));
        }
        (false, Some(padding)) => padding,
        (false, None) => bail!(
            "the network reads padding, and where that stood isn't in the file: say --padding pre, the default of Keras's \
             pad_sequences, or --padding post"
        ),
    };
    let max_length = match (args.max_length, import.max_length()) {
        (Some(given), Some(settled)) if given != settled => {
            return Err(misused(format!(
                "--max-length must be {settled}, as the file has it, or be left out"
            )));
        }
        (given, settled) => given.or(settled),
    };
    let Some(max_length) = max_length else {
        bail!(
            "how many tokens of a text the network reads isn't in the file: say it with --max-length, as maxlen of Keras's \
             pad_sequences had it; of longer texts the last ones are read"
        );
    };
    Ok(InputConfig {
        tokenizer: args.tokenizer.unwrap_or_default(),
        max_length,
        mask,
        padding,
        ..InputConfig::default()
    })
}

fn objective(import: &Import, outputs: usize) -> Result<Objective> {
    Ok(match (import.activation(), outputs) {
        (Some(Activation::Softmax), _) => Objective::Classes,
        (_, 1) => Objective::Binary,
        (Some(Activation::Sigmoid), _) => Objective::MultiLabel,
        _ => Objective::Classes,
    })
}

/// The classes' names, in their order.
fn labels(
    args: &ImportArgs,
    import: &Import,
    (objective, outputs): (Objective, usize),
    vocabulary: &ForeignVocabulary,
) -> Result<Labels> {
    let classes = match objective {
        Objective::Binary => 2,
        _ => outputs,
    };
    if !args.labels.is_empty() {
        if args.labels.len() != classes {
            let count = args.labels.len();
            return Err(misused(format!(
                "--labels must name the network's {classes} classes, not {count}"
            )));
        }
        return Ok(Labels::new(args.labels.clone())?);
    }
    if vocabulary.is_imdb() && objective == Objective::Binary {
        return Ok(Labels::negative_positive());
    }
    ensure!(
        outputs > 1 || import.activation() == Some(Activation::Sigmoid),
        "whether the network's single answer tells two classes apart, or is a number, isn't in the file: name the classes with \
         --labels, first that of 0, then that of 1; networks that answer numbers aren't imported"
    );
    Ok(Labels::new(
        (0..classes).map(|class| class.to_string()).collect(),
    )?)
}

/// Compares the network's answers with those that a probe has.
fn verify(bundle: &Bundle, probe: &Probe, swapped: Option<[u32; 2]>) -> Result<Verified> {
    let predictor = Predictor::new(bundle.clone(), &Device::flex())?;
    let config = &bundle.config;
    if let Some(in_front) = probe.is_padded_in_front()
        && !config.input.mask
        && in_front != (config.input.padding == PaddingSide::Pre)
    {
        let side = if in_front { "pre" } else { "post" };
        return Err(misused(format!(
            "--padding must be {side}, as the probe's rows are padded"
        )));
    }
    let examples = probe.examples(config.input.mask, config.model.vocabulary_size, swapped)?;
    let (outputs, _) = predictor.evaluate(&examples, &mut |_, _| {})?;
    let mut largest = 0.0_f64;
    for (row, (ours, theirs)) in outputs.iter().zip(&probe.logits).enumerate() {
        ensure!(
            ours.len() == theirs.len(),
            "the probe has {} logits a row where the network has {}",
            theirs.len(),
            ours.len()
        );
        for (ours, theirs) in ours.iter().zip(theirs) {
            let difference = f64::from((ours - theirs).abs());
            ensure!(
                difference <= TOLERANCE * f64::from(theirs.abs()).max(1.0),
                "the network answers otherwise than the probe says: {ours} where row {row} of it has {theirs}. What a file \
                 doesn't say, the import takes to be as Gatefold has it: the state after a row's last token is read, a layer \
                 before the last has ReLU, rows are read without their padding; and the probe's logits stand before sigmoid \
                 or softmax"
            );
            largest = largest.max(difference);
        }
    }
    Ok(Verified {
        rows: outputs.len(),
        largest_difference: largest,
    })
}

impl Imported {
    fn of(bundle: &Bundle, out: &Path, vocabulary: String, verified: Option<Verified>) -> Self {
        let (input, model) = (&bundle.config.input, &bundle.config.model);
        Self {
            run: out.display().to_string(),
            cell: model.cell,
            layers: model.layers,
            bidirectional: model.bidirectional,
            parameters: model.parameters() as u64,
            objective: bundle.config.objective(),
            mask: input.mask,
            padding: (!input.mask).then(|| input.padding.to_string()),
            max_length: input.max_length,
            vocabulary,
            labels: bundle
                .labels
                .iter()
                .flat_map(|labels| labels.names().to_vec())
                .collect(),
            verified,
        }
    }

    fn write(&self, file: &str) -> Result<()> {
        let layers = match self.layers {
            1 => String::new(),
            layers => format!(", {layers} layers"),
        };
        let both = if self.bidirectional {
            ", both directions"
        } else {
            ""
        };
        output::line(&format!(
            "{file} is imported: {}{layers}{both}, {} parameters",
            self.cell.title(),
            self.parameters
        ))?;
        let padding = match &self.padding {
            None => "padding is left out".to_owned(),
            Some(side) => format!("padding is read ({side})"),
        };
        output::line(&format!(
            "It reads the last {} tokens of a text; {padding}",
            self.max_length
        ))?;
        output::line(&format!("Vocabulary: {}", self.vocabulary))?;
        output::line(&format!("Classes: {}", self.labels.join(", ")))?;
        match &self.verified {
            Some(Verified {
                rows,
                largest_difference,
            }) => output::line(&format!(
                "Verified: {rows} rows of the probe, largest difference {largest_difference:.1e}"
            )),
            None => output::line(
                "Not verified: whether the network is used as Gatefold uses it, a probe of its answers tells (--verify)",
            ),
        }?;
        let run = word(Path::new(&self.run));
        output::line(&format!(
            "\n{program} predict {run} \"a text\"\n{program} evaluate {run} --dataset FILE",
            program = program()
        ))
    }
}
