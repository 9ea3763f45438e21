//! `gatefold predict`

mod asked;
mod score;

use std::io::{BufReader, IsTerminal, Read, stdin};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use gatefold::device::{self, ComputeDevice};
use gatefold::run_folder::RunFolder;
use gatefold::terminal::{program, quoted, within_line, word};
use gatefold::{dataset, pretraining, say};
use gatefold_data::{
    Content, LabelChoice, Labels, LoadProgress, Note, NoteKind, RowLabel, Target, TextColumns,
    TextRows, UnknownWords,
};
use gatefold_model::Reading;
use gatefold_training::config::DatasetConfig;
use gatefold_training::{Answer, Objective};
use serde_json::{Map, Value, json};

use self::asked::{Asked, Texts, refuse_a_file};
use self::score::Score;
use super::averaged_runs::{self, AveragedRuns, SeenBefore, words};
use super::predict_series;
use crate::cli::PredictArgs;
use crate::output::{self, AnswerFormat};

/// Bytes of texts that are answered at once: those of the largest pipe, and many batches of texts.
const AT_ONCE: usize = 1 << 20;

/// Stands before the command that scores what isn't scored here.
pub const NOT_SCORED: &str = "the table's labels aren't scored here; to score them: ";

/// Answers of which it is said that the network knows few words of their texts.
const WARNINGS: usize = 5;

pub fn run(args: PredictArgs) -> Result<()> {
    let paths = || [&args.run].into_iter().chain(&args.with);
    let folders = averaged_runs::open(paths())?;
    let runs = words(paths());
    let config = folders[0].config()?;
    for folder in &folders {
        pretraining::ensure_answers(&folder.config()?, folder.path())?;
    }
    if config.model.input_size.is_some() {
        let file = args.dataset.filter(|_| config.dataset.task.is_some());
        let file = file.with_context(|| {
            format!(
                "{} reads numbers, and predict gives it texts: name a file of series with --dataset, ask it through the \
                 library (gatefold_training::Predictor), or test it with evaluate",
                args.run.display()
            )
        })?;
        let columns = [args.text_column, args.label_column];
        predict_series::ensure_answerable(&file, &columns, args.format)?;
        let batch = config.training.batch_size.saturating_mul(folders.len());
        let (selected, device) = device::open_for_answers(args.device.device, &config, batch)?;
        let to_score = format!("{} --dataset {}", evaluate(&runs), word(Path::new(&file)));
        let runs = AveragedRuns::load(&folders, &device)?;
        return predict_series::answer(&runs, &selected, &file, args.format, &to_score);
    }
    let with = args.with.iter().map(|run| format!(" --with {}", word(run)));
    let with: String = with.collect();
    let command = format!("{} predict {}{with}", program(), word(&args.run));
    for text in &args.texts {
        refuse_a_file(text, &command)?;
    }
    // Nobody knows how much standard input or a table will bring: a batch of it is the least that is worth a GPU.
    let texts = if args.texts.is_empty() {
        config.training.batch_size
    } else {
        args.texts.len()
    };
    let count = texts.saturating_mul(folders.len());
    let (selected, device) = device::open_for_answers(args.device.device, &config, count)?;
    let of_run = config.dataset;
    let averaged = AveragedRuns::load(&folders, &device)?;
    let mut answering = Answering {
        score: Score::new(averaged.first().labels()),
        runs: averaged,
        selected,
        format: args.format,
        columns: None,
        doubtful: 0,
    };
    if let Some(table) = &args.dataset {
        let columns = [args.text_column.as_deref(), args.label_column.as_deref()];
        answering.answer_table(Path::new(table), columns, &of_run, (&folders, &runs))?;
    } else if !args.texts.is_empty() {
        let texts = args.texts.into_iter().enumerate();
        let texts = texts.map(|(i, text)| Asked::text(text, format!("text {}", i + 1)));
        answering.answer(texts.collect())?;
    } else {
        let input = stdin().lock();
        if input.is_terminal() && !args.null {
            say!("a text a line; Ctrl-D ends");
        }
        let input = BufReader::with_capacity(AT_ONCE, input);
        let texts = Texts::new(
            input,
            args.null,
            of_run.text_column.as_deref().unwrap_or("text"),
        );
        answering.answer_all(texts)?;
    }
    answering.finish();
    Ok(())
}

/// The command that tests runs, which are written as its arguments.
fn evaluate(runs: &str) -> String {
    format!("{} evaluate {runs}", program())
}

/// Says what was recognised and what is doubtful.
pub fn say_notes(notes: Vec<Note>) {
    for note in notes {
        match note.kind {
            NoteKind::Understood => say!("{}", note.text),
            NoteKind::Doubtful => say!("warning: {}", note.text),
        }
    }
}

/// Texts as they come, answered a line each.
struct Answering {
    runs: AveragedRuns,
    selected: ComputeDevice,
    format: AnswerFormat,
    /// Those of the table that is answered; of texts, none until the first answer is written.
    columns: Option<Vec<String>>,
    score: Score,
    /// Texts of which the network knows few words.
    doubtful: usize,
}

impl Answering {
    /// A line for each text: in batches while there is input, and at once where whoever asks waits for the answer.
    fn answer_all<R: Read>(&mut self, mut texts: Texts<R>) -> Result<()> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        loop {
            let text = match texts.next_text() {
                Ok(text) => text,
                Err(error) if batch.is_empty() => return Err(error),
                Err(error) => {
                    self.answer(batch)?;
                    return Err(error);
                }
            };
            let is_end = text.is_none();
            bytes += text.as_ref().map_or(0, Asked::size);
            batch.extend(text);
            if !batch.is_empty() && (self.is_batch(&batch, bytes) || !texts.has_more()) {
                self.answer(std::mem::take(&mut batch))?;
                bytes = 0;
            }
            if is_end {
                return Ok(());
            }
        }
    }

    /// A line for each row of a table; `-` is standard input.
    fn answer_table(
        &mut self,
        path: &Path,
        [text, label]: [Option<&str>; 2],
        of_run: &DatasetConfig,
        (folders, runs): (&[RunFolder], &str),
    ) -> Result<()> {
        let config = self.runs.first().config();
        let names_one = matches!(config.objective(), Objective::Binary | Objective::Classes)
            && config.model.reading != Reading::EveryStep;
        let labels = self.runs.first().labels().filter(|_| names_one).cloned();
        let choice = LabelChoice::new(&of_run.labels)?;
        let columns = TextColumns {
            text,
            usual_text: of_run.text_column.as_deref().unwrap_or("text"),
            label,
            usual_label: of_run.label_column.as_deref().unwrap_or("label"),
            labels: labels.as_ref(),
            choice: Some(&choice),
        };
        let is_input = path == Path::new("-");
        let form = dataset::table_form(of_run);
        let name = if is_input {
            Path::new("standard input")
        } else {
            path
        };
        let progress: &mut dyn FnMut(LoadProgress) = &mut |_| {};
        let mut rows = match is_input {
            true => TextRows::read(name, stdin().lock(), &form, &columns, progress)?,
            false => TextRows::open(name, &form, &columns, progress)?,
        };
        self.columns = Some(rows.columns().to_vec());
        self.score.column = rows.label_column().map(str::to_owned);
        if self.score.column.is_some() && names_one {
            let seen = folders.iter().map(|run| SeenBefore::by(run, folders.len()));
            self.score.seen = seen.collect::<Result<_>>()?;
        }
        self.write_header()?;
        let name = name.display().to_string();
        let mut batch = Vec::new();
        let mut bytes = 0;
        loop {
            let row = rows.next_row()?;
            say_notes(rows.take_notes());
            let is_end = row.is_none();
            if let Some(row) = row {
                if let RowLabel::Unknown(label) = &row.label {
                    self.score.unknown(label, row.line);
                }
                let row = Asked::row(row, &name);
                bytes += row.size();
                batch.push(row);
            }
            if !batch.is_empty() && (is_end || self.is_batch(&batch, bytes)) {
                self.answer(std::mem::take(&mut batch))?;
                bytes = 0;
            }
            if is_end {
                break;
            }
        }
        if rows.label_column().is_some() && !names_one {
            let mut to_score = evaluate(runs);
            let file = if is_input { "FILE".into() } else { word(path) };
            to_score += &format!(" --dataset {file}");
            for (flag, column) in [("text", text), ("label", label)] {
                if let Some(column) = column {
                    to_score += &format!(" --{flag}-column={}", quoted(column));
                }
            }
            say!("{NOT_SCORED}{to_score}");
        }
        Ok(())
    }

    fn is_batch(&self, batch: &[Asked], bytes: usize) -> bool {
        batch.len() == self.runs.first().config().training.batch_size || bytes >= AT_ONCE
    }

    /// One line for each text, in their order.
    fn answer(&mut self, asked: Vec<Asked>) -> Result<()> {
        if self.columns.is_none() {
            self.columns = Some(vec!["text".into()]);
            self.write_header()?;
        }
        let contents = asked.iter().map(|asked| Content::Text(asked.text.clone()));
        let contents: Vec<Content> = contents.collect();
        let targets = asked.iter().map(|asked| asked.class.map(Target::Class));
        let questions: Vec<_> = contents.iter().zip(targets).collect();
        let together = self.runs.answer(&questions, &self.selected)?;
        self.score.add(&together.examples, together.evaluation);
        for (asked, answer) in asked.iter().zip(&together.answers) {
            let vocabulary = self.runs.first().encoder().vocabulary();
            let unknown = vocabulary.map(|vocabulary| vocabulary.unknown(&asked.text));
            match self.format {
                AnswerFormat::Json => output::json(&self.as_row(asked, answer, unknown.as_ref()))?,
                AnswerFormat::Text => output::line(&self.as_text(answer))?,
                AnswerFormat::Csv => {
                    let cells = asked.csv().into_iter().map(str::to_owned);
                    output::csv(cells.chain(self.as_csv(answer)))?;
                }
            }
            if let Some(warning) = unknown.and_then(|unknown| unknown.warning()) {
                self.doubtful += 1;
                if self.doubtful <= WARNINGS {
                    say!("warning: {}: {warning}", asked.place);
                }
            }
        }
        Ok(())
    }

    /// What is said when all is answered.
    fn finish(&self) {
        if self.doubtful > WARNINGS {
            say!(
                "warning: of {} more texts the network knows few words or none; --format json names them",
                self.doubtful - WARNINGS
            );
        }
        self.score.say(self.runs.first().labels());
    }

    /// Of CSV the names of the columns: the table's own, and the answer's.
    fn write_header(&self) -> Result<()> {
        if self.format != AnswerFormat::Csv {
            return Ok(());
        }
        let own = self.columns.as_deref().unwrap_or_default();
        let mut all = own.to_vec();
        for mut name in self.answer_columns()? {
            while all.contains(&name) {
                name.insert_str(0, "predicted ");
            }
            all.push(name);
        }
        output::csv(all)
    }

    fn answer_columns(&self) -> Result<Vec<String>> {
        let config = self.runs.first().config();
        ensure!(
            config.model.reading != Reading::EveryStep,
            "this network answers every timestep, for which CSV has no columns: ask for --format json"
        );
        let names = self.runs.first().labels().map_or(&[][..], Labels::names);
        Ok(match config.objective() {
            Objective::Values => (1..=config.model.output_size)
                .map(|value| format!("value {value}"))
                .collect(),
            objective => {
                let first = match objective {
                    Objective::MultiLabel => &["labels"][..],
                    _ => &["label", "probability"],
                };
                let first = first.iter().map(|name| name.to_string());
                let probabilities = names.iter().map(|name| format!("p({name})"));
                first.chain(probabilities).collect()
            }
        })
    }

    fn as_csv(&self, answer: &Answer) -> Vec<String> {
        match (self.class(answer), answer) {
            (Some((label, probability)), Answer::Class(probabilities)) => {
                let probabilities = std::iter::once(&probability).chain(probabilities);
                let probabilities = probabilities.map(f64::to_string);
                std::iter::once(label.to_owned())
                    .chain(probabilities)
                    .collect()
            }
            (_, Answer::ClassSet(probabilities)) => {
                let there = self.classes_there(answer).into_iter();
                let there = there.map(|(label, _)| label).collect::<Vec<_>>();
                let probabilities = probabilities.iter().map(f64::to_string);
                std::iter::once(there.join(";"))
                    .chain(probabilities)
                    .collect()
            }
            (_, Answer::Values(values)) => values.iter().map(f64::to_string).collect(),
            _ => Vec::new(),
        }
    }

    /// An answer with what is known of its text.
    fn as_row(&self, asked: &Asked, answer: &Answer, unknown: Option<&UnknownWords>) -> Value {
        let mut object = self.as_json(answer);
        if let Some(unknown) = unknown.filter(|unknown| unknown.share() > 0.0) {
            object["unknown"] = json!({"share": unknown.share(), "words": unknown.words});
        }
        let columns = self.columns.as_deref().unwrap_or_default();
        if let (Some((line, _)), Some(row)) = (&asked.row, asked.json(columns)) {
            object["line"] = (*line).into();
            object["row"] = row;
        }
        object
    }

    /// The likeliest class's name; and the probability of the second class of two, or else of the likeliest.
    fn class(&self, answer: &Answer) -> Option<(&str, f64)> {
        let Answer::Class(probabilities) = answer else {
            return None;
        };
        let (class, probability) = answer.class()?;
        let label = self.runs.first().labels()?.name(class)?;
        match probabilities[..] {
            [_, second] => Some((label, second)),
            _ => Some((label, probability)),
        }
    }

    /// Of an answer with any number of classes at once, those that are there, with their probabilities.
    fn classes_there(&self, answer: &Answer) -> Vec<(&str, f64)> {
        let names = self.runs.first().labels().map_or(&[][..], Labels::names);
        let names = names.iter().map(String::as_str);
        let there = names.zip(answer.probabilities().iter().copied());
        there
            .filter(|(_, probability)| *probability > 0.5)
            .collect()
    }

    fn as_text(&self, answer: &Answer) -> String {
        match (self.class(answer), answer) {
            (Some((label, probability)), _) => {
                format!("{probability:.4} {}", within_line(label))
            }
            (None, Answer::ClassSet(_)) => match &self.classes_there(answer)[..] {
                [] => "none".to_owned(),
                there => {
                    let there = there.iter().map(|(label, probability)| {
                        format!("{probability:.4} {}", within_line(label))
                    });
                    there.collect::<Vec<_>>().join(", ")
                }
            },
            (None, Answer::Values(values)) => join(values.iter().map(|value| value.to_string())),
            (None, Answer::Steps(steps)) => join(steps.iter().map(|step| self.as_text(step))),
            (None, _) => String::new(),
        }
    }

    fn as_json(&self, answer: &Answer) -> Value {
        let labels = self.runs.first().labels();
        let named = |probabilities: &[f64]| -> Value {
            let names = labels.map_or(&[][..], |labels| labels.names());
            let all = names.iter().cloned().zip(probabilities.iter().copied());
            let all: Map<_, _> = all.map(|(name, share)| (name, share.into())).collect();
            all.into()
        };
        match (self.class(answer), answer) {
            (Some((label, probability)), Answer::Class(probabilities)) => {
                let mut object = json!({"probability": probability, "label": label});
                object["probabilities"] = named(probabilities);
                object
            }
            (_, Answer::ClassSet(probabilities)) => {
                let there = self.classes_there(answer).into_iter();
                let there: Vec<&str> = there.map(|(label, _)| label).collect();
                json!({"labels": there, "probabilities": named(probabilities)})
            }
            (_, Answer::Values(values)) => json!({"values": values}),
            (_, Answer::Steps(steps)) => {
                let steps = steps.iter().map(|step| self.as_json(step));
                json!({"steps": steps.collect::<Vec<_>>()})
            }
            _ => Value::Null,
        }
    }
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(" ")
}
