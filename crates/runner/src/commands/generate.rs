//! `gatefold generate`

use anyhow::Result;
use gatefold::run_folder::RunFolder;
use gatefold::terminal::{program, word};
use gatefold::{device, say};
use gatefold_training::{Generator, Sampling};

use crate::cli::GenerateArgs;
use crate::output::Stream;

pub fn run(args: GenerateArgs) -> Result<()> {
    let folder = RunFolder::open(&args.run)?;
    let bundle = folder.bundle()?;
    anyhow::ensure!(
        bundle.config.pretraining.is_some(),
        "{run} is no language model, and writes nothing; `{program} pretrain` makes one; to answer texts: {program} \
         predict {run}",
        run = word(&args.run),
        program = program()
    );
    let (_, device) = device::open_for_answers(args.device.device, &bundle.config, 1)?;
    let sampling = Sampling {
        temperature: args.temperature,
        top_k: args.top_k,
        seed: args.seed,
    };
    let mut generator = Generator::new(bundle, sampling, &device)?;
    let unknown = generator.vocabulary().unknown(&args.prompt);
    if let Some(warning) = unknown.warning().filter(|_| !args.prompt.is_empty()) {
        say!("warning: {warning}");
    }
    let mut out = Stream::default();
    out.write(args.prompt.as_bytes())?;
    generator.begin(&args.prompt)?;
    for _ in 0..args.length {
        match generator.next()? {
            Some(token) => out.write(&token)?,
            None => break,
        }
    }
    out.end()
}
