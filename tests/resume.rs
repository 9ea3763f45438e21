//! A run that is killed, stopped or out of room goes on as if nothing had happened.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use gatefold::checkpoints::Checkpoints;
use gatefold_training::Checkpoint;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tempfile::TempDir;

/// How often a run is killed, unless `GATEFOLD_TEST_KILLS` says otherwise.
const KILLS: usize = 20;

/// A run that nothing interrupts: its result, and how long it takes.
static WHOLE: LazyLock<(RunResult, Duration)> = LazyLock::new(|| {
    let sandbox = Sandbox::new();
    let start = Instant::now();
    finish(sandbox.begin("whole"));
    (sandbox.result("whole"), start.elapsed())
});

/// A finished run's weights, and its metrics without their times.
type RunResult = (Vec<u8>, Vec<Value>);

/// A folder with a table to train on. Everything random is on, and all that training keeps beside the weights.
struct Sandbox {
    folder: TempDir,
}

const EPOCHS: usize = 5;

const SETTINGS: &str = "--dataset films.csv --cell lstm --hidden-size 32 --epochs 5 --batch-size 16 \
     --learning-rate 0.003 --dropout 0.2 --recurrent-dropout 0.2 --weight-dropout 0.1 --embedding-dropout 0.1 \
     --word-dropout 0.1 --label-smoothing 0.1 --adversarial 0.5 --pooling concat --schedule cosine --warm-up 20 --clip-norm 1 \
     --weight-decay 0.01 --ema-decay 0.98 --rates recurrent=0.5 --frozen-epochs embedding=2 --refit";

impl Sandbox {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut table = String::from("text,label\n");
        for i in 0..2400 {
            let (word, label) = [("good", "pos"), ("bad", "neg")][i % 2];
            let filler = "scene after scene ".repeat(i % 11);
            writeln!(
                table,
                "\"a {word} film of {filler} number {}\",{label}",
                i % 97
            )
            .unwrap();
        }
        fs::write(folder.path().join("films.csv"), table).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `gatefold train`, on the CPU, with a checkpoint every 60 ms.
    fn train(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatefold"));
        command
            .args(["train", "--device", "cpu", "--checkpoint-minutes", "0.001"])
            .args(arguments)
            .current_dir(self.folder.path())
            .env("GATEFOLD_DATA", self.folder.path())
            .env_remove("RUST_LOG")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    fn begin(&self, run: &str) -> Command {
        let settings: Vec<&str> = SETTINGS.split_whitespace().chain(["--run", run]).collect();
        self.train(&settings)
    }

    /// Begins the run, or goes on with what there is of it.
    fn begin_or_resume(&self, run: &str) -> Command {
        if self.path(run).join("config.toml").is_file() {
            return self.train(&["--resume", run]);
        }
        self.begin(run)
    }

    /// Begins a run and kills it once `is_due` of its folder.
    fn kill_when(&self, run: &str, is_due: impl Fn(&Path) -> bool) {
        let mut child = self.begin(run).spawn().unwrap();
        wait_until(|| is_due(&self.path(run)));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn result(&self, run: &str) -> RunResult {
        let run = self.path(run);
        assert!(run.join("summary.json").is_file(), "the run is finished");
        (
            fs::read(run.join("model.safetensors")).unwrap(),
            metrics(&run),
        )
    }
}

/// A run's checkpoints, the first one first.
fn checkpoints(run: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(run.join("checkpoints")) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "safetensors"))
        .collect();
    paths.sort();
    paths
}

fn has_checkpoint(run: &Path) -> bool {
    !checkpoints(run).is_empty()
}

fn wait_until(is_due: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(60);
    while !is_due() {
        assert!(Instant::now() < patience, "it did not happen in a minute");
        sleep(Duration::from_millis(2));
    }
}

/// The epochs that are done; none where no file says so.
fn epochs(run: &Path) -> usize {
    fs::read_to_string(run.join("metrics.jsonl")).map_or(0, |text| text.lines().count())
}

fn is_finished(run: &Path) -> bool {
    run.join("report.html").is_file()
}

fn metrics(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines()
        .map(|line| {
            let mut epoch: Value = serde_json::from_str(line).unwrap();
            epoch.as_object_mut().unwrap().remove("seconds").unwrap();
            epoch
        })
        .collect()
}

fn finish(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    output
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a program said that ended with `code`.
#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let said = errors(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// Every file of a run is whole, whatever became of the process that wrote it.
fn assert_whole(run: &Path) {
    let Ok(entries) = fs::read_dir(run) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let bytes = || fs::read(&path).unwrap();
        match path.file_name().unwrap().to_str().unwrap() {
            "config.toml" => drop(toml::from_slice::<toml::Table>(&bytes()).unwrap()),
            "metrics.jsonl" => drop(metrics(run)),
            "vocabulary.json" | "summary.json" | "evaluation.json" => {
                drop(serde_json::from_slice::<Value>(&bytes()).unwrap());
            }
            "model.safetensors" => {
                drop(safetensors::SafeTensors::deserialize(&bytes()).unwrap());
            }
            // A hash a text.
            "seen.bin" => assert!(bytes().len().is_multiple_of(8)),
            "checkpoints" => {
                latest(&path);
            }
            // A log that grows, the report at the end, the lock, and what a writer that was killed left.
            name => assert!(
                name.starts_with("events.out.tfevents")
                    || ["report.html", ".lock"].contains(&name)
                    || name.starts_with(".gatefold.") && name.ends_with(".part"),
                "what is {name}?"
            ),
        }
    }
}

/// The last of the checkpoints in a folder, all of which are whole.
fn latest(folder: &Path) -> Option<Checkpoint> {
    let damaged = &mut |path: &Path, why: &str| panic!("{path:?}: {why}");
    let found = Checkpoints::of(folder).latest(1 << 24, &mut Ok, damaged);
    found.unwrap()
}

#[test]
fn a_run_killed_at_random_moments_ends_as_one_never_killed() {
    let kills_wanted = std::env::var("GATEFOLD_TEST_KILLS");
    let kills_wanted = kills_wanted.map_or(KILLS, |kills| kills.parse().unwrap());
    let sandbox = Sandbox::new();
    let (whole, duration) = &*WHOLE;
    let run = sandbox.path("killed");
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let (mut kills, mut resumes, mut mid_epoch, mut after_training) = (0, 0, 0, 0);
    while kills < kills_wanted {
        // Most kills should meet training: a run that is trained may mostly come to its end.
        if epochs(&run) == EPOCHS && !is_finished(&run) && random.random_bool(0.7) {
            finish(sandbox.begin_or_resume("killed"));
        }
        if is_finished(&run) {
            // Done before it could be killed often enough: once more from the beginning.
            assert_eq!(sandbox.result("killed"), *whole);
            fs::remove_dir_all(&run).unwrap();
        }
        resumes += usize::from(run.join("config.toml").is_file());
        let mut child = sandbox.begin_or_resume("killed").spawn().unwrap();
        if random.random_bool(0.15) {
            // Testing and reporting are short: a kill at any moment would hardly meet them.
            wait_until(|| epochs(&run) == EPOCHS);
            if after_training > 0 {
                sleep(duration.mul_f64(random.random_range(0.0..0.1)));
            }
        } else {
            sleep(duration.mul_f64(random.random_range(0.0..0.4)));
        }
        let ended = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        kills += usize::from(!ended);
        assert_whole(&run);
        let step = latest(&run.join("checkpoints")).map(|last| last.header.progress.step);
        mid_epoch += usize::from(step.is_some_and(|step| step > 0));
        after_training += usize::from(!ended && epochs(&run) == EPOCHS);
    }
    if !is_finished(&run) {
        finish(sandbox.begin_or_resume("killed"));
    }
    eprintln!(
        "{kills} kills, {resumes} resumes, {mid_epoch} times with a checkpoint in the middle of an epoch, {after_training} times in testing or reporting; a whole run takes {duration:.1?}"
    );
    assert!(resumes >= kills_wanted / 2 && mid_epoch > 0 && after_training > 0);
    assert_eq!(sandbox.result("killed"), *whole);
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before_it_and_a_copy_stays() {
    let sandbox = Sandbox::new();
    let run = sandbox.path("run");
    sandbox.kill_when("run", |run| checkpoints(run).len() >= 2);
    let last = checkpoints(&run).pop().unwrap();
    let mut bytes = fs::read(&last).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&last, bytes).unwrap();
    let copy = run.join("checkpoints/000001-backup.safetensors");
    fs::write(&copy, "somebody's own").unwrap();

    let said = errors(&finish(sandbox.train(&["--resume", "run"])));
    for part in ["is damaged", "the one before it is used"] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(sandbox.result("run"), WHOLE.0);
    assert!(!last.is_file());
    assert_eq!(fs::read(&copy).unwrap(), b"somebody's own");
}

#[test]
fn without_a_whole_checkpoint_what_is_there_is_kept_and_named() {
    let sandbox = Sandbox::new();
    let run = sandbox.path("run");
    sandbox.kill_when("run", |run| epochs(run) > 0);
    let kept = || ["metrics.jsonl", "model.safetensors"].map(|name| fs::read(run.join(name)));
    let before = kept().map(Result::unwrap);
    let refused = || {
        let output = sandbox.train(&["--resume", "run"]).output().unwrap();
        let said = said(&output, 1);
        for part in [
            "no checkpoint",
            "metrics.jsonl",
            "model.safetensors",
            "--run",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert_eq!(kept().map(Result::unwrap), before);
    };
    for path in checkpoints(&run) {
        fs::write(path, "damaged").unwrap();
    }
    refused();
    fs::remove_dir_all(run.join("checkpoints")).unwrap();
    refused();
}

#[test]
fn one_program_at_a_time_writes_a_run() {
    let sandbox = Sandbox::new();
    let mut first = sandbox.begin("run").spawn().unwrap();
    wait_until(|| has_checkpoint(&sandbox.path("run")));
    for second in [sandbox.train(&["--resume", "run"]), sandbox.begin("run")] {
        let mut second = second;
        let output = second.output().unwrap();
        let said = said(&output, 1);
        assert!(said.contains("another program"), "{said}");
        if cfg!(unix) {
            assert!(said.contains(&format!("process {}", first.id())), "{said}");
        }
    }
    assert!(first.wait().unwrap().success());
    assert_eq!(sandbox.result("run"), WHOLE.0);

    // Two that begin at once: one gets the folder.
    let both = [(); 2].map(|()| sandbox.begin("same").spawn().unwrap());
    let codes = both.map(|mut child| child.wait().unwrap().code());
    assert!(
        codes == [Some(0), Some(1)] || codes == [Some(1), Some(0)],
        "{codes:?}"
    );
    assert_eq!(sandbox.result("same"), WHOLE.0);
}

#[test]
fn what_can_not_be_gone_on_with_is_refused_with_the_reason() {
    let sandbox = Sandbox::new();
    sandbox.kill_when("run", has_checkpoint);
    let refused = |why: &str| {
        let output = sandbox.train(&["--resume", "run"]).output().unwrap();
        let said = said(&output, 1);
        assert!(said.contains(why), "{said}");
    };
    let config = fs::read_to_string(sandbox.path("run/config.toml")).unwrap();
    let other = config.replace("hidden_size = 32", "hidden_size = 33");
    fs::write(sandbox.path("run/config.toml"), other).unwrap();
    refused("`hidden_size = 32`");
    fs::write(sandbox.path("run/config.toml"), config).unwrap();

    let table = fs::read_to_string(sandbox.path("films.csv")).unwrap();
    fs::write(sandbox.path("films.csv"), table.replace("good", "great")).unwrap();
    refused("the dataset is not the one");
    fs::write(sandbox.path("films.csv"), table).unwrap();

    let output = sandbox.train(&["--resume", "nowhere"]).output().unwrap();
    assert!(errors(&output).contains("is no run"));
    finish(sandbox.train(&["--resume", "run"]));
    let output = sandbox.train(&["--resume", "run"]).output().unwrap();
    let said = said(&output, 1);
    assert!(said.contains("train --from run"), "{said}");
}

#[test]
fn a_folder_that_can_not_be_written_to_ends_a_run_that_can_go_on() {
    let sandbox = Sandbox::new();
    sandbox.kill_when("run", |run| run.join("config.toml").is_file());
    // Root may write to any folder, so a file stands in the place of this one.
    let [folder, aside] = ["run/checkpoints", "aside"].map(|name| sandbox.path(name));
    let there = folder.is_dir();
    if there {
        fs::rename(&folder, &aside).unwrap();
    }
    fs::write(&folder, "").unwrap();
    let output = sandbox.train(&["--resume", "run"]).output().unwrap();
    let said = said(&output, 1);
    assert!(said.contains("checkpoints"), "{said}");
    fs::remove_file(&folder).unwrap();
    if there {
        fs::rename(&aside, &folder).unwrap();
    }
    finish(sandbox.train(&["--resume", "run"]));
    assert_eq!(sandbox.result("run"), WHOLE.0);
}

#[cfg(unix)]
mod unix {
    use super::*;

    /// `command`, which may write no file of more than `kibibytes`: it fails in the middle of one, as on a
    /// full disk.
    fn without_room(command: &Command, kibibytes: usize) -> Command {
        let mut limited = Command::new("sh");
        // The signal would kill; without it the write fails. A block has 512 bytes.
        let script = format!(
            "trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"",
            2 * kibibytes
        );
        limited
            .args(["-c", &script])
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(command.get_current_dir().unwrap())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => limited.env(name, value),
                None => limited.env_remove(name),
            };
        }
        limited
    }

    #[test]
    fn a_full_disk_ends_a_run_that_can_go_on() {
        let sandbox = Sandbox::new();
        let run = sandbox.path("run");
        sandbox.kill_when("run", has_checkpoint);
        let before = checkpoints(&run);
        let resume = sandbox.train(&["--resume", "run"]);
        let output = without_room(&resume, 16).output().unwrap();
        let said = said(&output, 1);
        assert!(said.contains("cannot write"), "{said}");
        assert_whole(&run);
        assert_eq!(checkpoints(&run), before, "those that were there stay");
        finish(resume);
        assert_eq!(sandbox.result("run"), WHOLE.0);
    }

    fn signal(child: &Child, name: &str) {
        let id = child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    #[test]
    fn a_signal_saves_and_says_how_to_go_on() {
        let sandbox = Sandbox::new();
        for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
            let run = format!("stopped-by-{name}");
            let child = sandbox.begin(&run).spawn().unwrap();
            wait_until(|| has_checkpoint(&sandbox.path(&run)));
            signal(&child, name);
            let output = child.wait_with_output().unwrap();
            let said = said(&output, code);
            assert!(said.contains(&format!("--resume {run}")), "{said}");
            finish(sandbox.train(&["--resume", &run]));
            assert_eq!(sandbox.result(&run), WHOLE.0);
        }
    }
}
