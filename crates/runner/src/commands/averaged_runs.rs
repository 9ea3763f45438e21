//! The runs of a command that gives the mean of their answers; of one, its own.

use std::path::PathBuf;

use anyhow::{Context, Result};
use burn::tensor::Device;
use gatefold::device::ComputeDevice;
use gatefold::memory::ensure_answers_fit;
use gatefold::run_folder::RunFolder;
use gatefold::terminal::word;
use gatefold::{pretraining, say};
use gatefold_data::{Content, Example, Sequence, Target};
use gatefold_training::ensemble::Question;
use gatefold_training::{Answer, Ensemble, Evaluation, Predictor, RunConfig, Seen};
use itertools::Itertools;

use super::train::resume;

/// The runs that are meant: a path is that of a run, or of several that `train --seeds` made.
///
/// # Errors
/// If one is none, or answers another question than the first: the message says what differs.
pub fn open<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Result<Vec<RunFolder>> {
    let folders = paths.into_iter().map(|path| RunFolder::open_all(path));
    let folders: Vec<RunFolder> = folders.flatten_ok().collect::<Result<_>>()?;
    if let [first, others @ ..] = &folders[..]
        && !others.is_empty()
    {
        let parts = |folder: &RunFolder| -> Result<_> {
            let config = folder.config()?;
            pretraining::ensure_answers(&config, folder.path())?;
            let (encoder, labels) = folder.encoder(&config)?;
            Ok((config, encoder, labels))
        };
        for folder in folders.iter().filter(|folder| !folder.is_finished()) {
            say!(
                "warning: {} isn't finished: the mean is with the best of its epochs so far; to finish it: {}",
                folder.path().display(),
                resume(folder)
            );
        }
        let of_first = parts(first)?;
        for other in others {
            let of_other = parts(other)?;
            let [ours, theirs] = [&of_first, &of_other].map(|(config, encoder, labels)| Question {
                config,
                encoder,
                labels: labels.as_ref(),
            });
            ours.ensure_alike(theirs).with_context(|| {
                let [first, other] = [first, other].map(|folder| folder.path().display());
                format!("the answers of {first} and {other} have no mean")
            })?;
        }
    }
    Ok(folders)
}

/// The runs as arguments, in a line to paste.
pub fn words<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> String {
    paths.into_iter().map(|path| word(path)).join(" ")
}

/// What a run kept of the examples that it was trained on.
pub struct SeenBefore {
    /// The run, for people.
    run: String,
    config: RunConfig,
    seen: Option<Seen>,
}

impl SeenBefore {
    /// Of one of `all` runs.
    pub fn by(folder: &RunFolder, all: usize) -> Result<Self> {
        let run = match all {
            1 => "the run".into(),
            _ => format!("the run {}", folder.path().display()),
        };
        Ok(Self {
            run,
            config: folder.config()?,
            seen: folder.seen()?,
        })
    }

    /// Whether the run is known to have been trained on what it reads so.
    pub fn has(&self, read: &Sequence) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.has(read))
    }

    /// Whether there is something that tells; of a run without, it is said, with who trained it. `reviews`: the built-in
    /// ones are tested, which an earlier version had others of.
    pub fn tells(&self, reviews: bool) -> bool {
        if self.seen.is_none() {
            say!(
                "warning: {} trained {}{}",
                self.config.trainer(),
                self.run,
                match reviews && self.config.imported.is_none() {
                    true => ", on other built-in reviews than are tested here",
                    false => " and kept nothing that tells whether it was trained on these",
                }
            );
        }
        self.seen.is_some()
    }
}

/// Runs whose networks are all at hand, to answer what comes.
pub struct AveragedRuns {
    runs: Vec<Predictor>,
}

/// What runs answer together.
pub struct Together {
    /// The examples as each run reads them.
    pub examples: Vec<Vec<Example>>,
    /// The mean answers, in the examples' order.
    pub answers: Vec<Answer>,
    /// How good they are where there are targets.
    pub evaluation: Evaluation,
}

impl AveragedRuns {
    pub fn load(folders: &[RunFolder], device: &Device) -> Result<Self> {
        let runs = folders.iter().map(|folder| {
            let predictor = Predictor::new(folder.bundle()?, device);
            predictor.with_context(|| format!("in the run {}", folder.path().display()))
        });
        Ok(Self {
            runs: runs.collect::<Result<_>>()?,
        })
    }

    /// The run whose labels and settings count.
    pub fn first(&self) -> &Predictor {
        &self.runs[0]
    }

    pub fn answer(
        &self,
        asked: &[(&Content, Option<Target>)],
        selected: &ComputeDevice,
    ) -> Result<Together> {
        let read = |run: &Predictor| -> Result<Vec<Example>> {
            let examples = asked.iter().map(|(content, target)| {
                let input = run.encode(content)?;
                let target = target.clone();
                Ok(Example { input, target })
            });
            let examples: Vec<Example> = examples.collect::<Result<_>>()?;
            let inputs = examples.iter().map(|example| &example.input);
            ensure_answers_fit(run.config(), inputs, selected)?;
            Ok(examples)
        };
        let examples: Vec<_> = self.runs.iter().map(read).collect::<Result<_>>()?;
        let silent = &mut |_, _| {};
        let mut mean = Ensemble::new(self.first(), &examples[0], silent)?;
        for (run, examples) in self.runs.iter().zip(&examples).skip(1) {
            mean.add(run, examples, silent)?;
        }
        let (answers, evaluation) = (mean.answers(), mean.evaluation());
        Ok(Together {
            examples,
            answers,
            evaluation,
        })
    }
}
