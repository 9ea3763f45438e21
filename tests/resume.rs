//! A run that is killed, stopped or out of room goes on as if nothing had happened.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use gatefold::checkpoint::Checkpoints;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tempfile::TempDir;

const KILLS: usize = 20;

/// A folder with a table to train on. Everything random is on: dropout of both kinds.
struct Sandbox {
    folder: TempDir,
}

const SETTINGS: &str = "--dataset films.csv --cell lstm --hidden-size 32 --epochs 5 --batch-size 16 \
     --learning-rate 0.003 --dropout 0.2 --recurrent-dropout 0.2 --schedule cosine --warm-up 20 \
     --clip-norm 1 --weight-decay 0.01";

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
        let _ = fs::remove_dir_all(self.path(run));
        self.begin(run)
    }

    /// Waits until `run` has a checkpoint.
    fn wait_for_checkpoint(&self, run: &str) {
        let patience = Instant::now() + Duration::from_secs(60);
        while self.checkpoints(run).is_empty() {
            assert!(Instant::now() < patience, "no checkpoint was written");
            sleep(Duration::from_millis(5));
        }
    }

    fn checkpoints(&self, run: &str) -> Vec<PathBuf> {
        let folder = self.path(run).join("checkpoints");
        let Ok(entries) = fs::read_dir(folder) else {
            return Vec::new();
        };
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|end| end == "safetensors"))
            .collect();
        paths.sort();
        paths
    }

    /// A finished run's weights, and its metrics without their times.
    fn result(&self, run: &str) -> (Vec<u8>, Vec<Value>) {
        let run = self.path(run);
        assert!(run.join("summary.json").is_file(), "the run is finished");
        (
            fs::read(run.join("model.safetensors")).unwrap(),
            metrics(&run),
        )
    }
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
            "vocabulary.json" | "summary.json" => {
                drop(serde_json::from_slice::<Value>(&bytes()).unwrap());
            }
            "model.safetensors" => {
                drop(safetensors::SafeTensors::deserialize(&bytes()).unwrap());
            }
            "checkpoints" => {
                let found =
                    Checkpoints::of(&path).latest(&mut |path| panic!("{path:?} is damaged"));
                found.unwrap();
            }
            // A log that grows, and the report at the end.
            name => assert!(
                name.starts_with("events.out.tfevents")
                    || [".gatefold.part", "report.html"].contains(&name),
                "what is {name}?"
            ),
        }
    }
}

#[test]
fn a_run_killed_at_twenty_random_moments_ends_as_one_never_killed() {
    let sandbox = Sandbox::new();
    let start = Instant::now();
    finish(sandbox.begin("whole"));
    let duration = start.elapsed();
    let whole = sandbox.result("whole");

    let mut random = ChaCha8Rng::seed_from_u64(5);
    let (mut kills, mut resumes, mut mid_epoch) = (0, 0, 0);
    while kills < KILLS {
        if sandbox.path("killed/summary.json").is_file() {
            // Done before it could be killed twenty times: once more from the beginning.
            assert_eq!(sandbox.result("killed"), whole);
            fs::remove_dir_all(sandbox.path("killed")).unwrap();
        }
        resumes += usize::from(sandbox.path("killed/config.toml").is_file());
        let mut child = sandbox.begin_or_resume("killed").spawn().unwrap();
        sleep(duration.mul_f64(random.random_range(0.0..0.8)));
        let ended = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        kills += usize::from(!ended);
        assert_whole(&sandbox.path("killed"));
        let last = Checkpoints::of(&sandbox.path("killed/checkpoints"));
        let last = last.latest(&mut |_| {}).unwrap();
        mid_epoch += usize::from(last.is_some_and(|(_, last)| last.header.progress.step > 0));
    }
    finish(sandbox.begin_or_resume("killed"));
    eprintln!(
        "{kills} kills, {resumes} resumes, {mid_epoch} times with a checkpoint in the middle of an epoch; a whole run takes {duration:.1?}"
    );
    assert!(resumes >= KILLS / 2 && mid_epoch > 0);
    assert_eq!(sandbox.result("killed"), whole);
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before_it() {
    let sandbox = Sandbox::new();
    finish(sandbox.begin("whole"));
    let mut child = sandbox.begin("run").spawn().unwrap();
    while sandbox.checkpoints("run").len() < 2 {
        sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let last = sandbox.checkpoints("run").pop().unwrap();
    let mut bytes = fs::read(&last).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&last, bytes).unwrap();

    let said = errors(&finish(sandbox.train(&["--resume", "run"])));
    assert!(
        said.contains("is damaged; the one before it is used"),
        "{said}"
    );
    assert_eq!(sandbox.result("run"), sandbox.result("whole"));
}

#[test]
fn what_can_not_be_gone_on_with_is_refused_with_the_reason() {
    let sandbox = Sandbox::new();
    let mut child = sandbox.begin("run").spawn().unwrap();
    sandbox.wait_for_checkpoint("run");
    child.kill().unwrap();
    child.wait().unwrap();
    let refused = |why: &str| {
        let output = sandbox.train(&["--resume", "run"]).output().unwrap();
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
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
    let said = errors(&finish(sandbox.train(&["--resume", "run"])));
    assert!(said.contains("finished"), "{said}");
}

#[test]
fn a_folder_that_can_not_be_written_to_ends_a_run_that_can_go_on() {
    let sandbox = Sandbox::new();
    finish(sandbox.begin("whole"));
    // Root may write to any folder, so a file stands in the place of this one.
    let mut child = sandbox.begin("run").spawn().unwrap();
    while !sandbox.path("run/config.toml").is_file() {
        sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let _ = fs::remove_dir_all(sandbox.path("run/checkpoints"));
    fs::write(sandbox.path("run/checkpoints"), "").unwrap();
    let output = sandbox.train(&["--resume", "run"]).output().unwrap();
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("checkpoints"), "{said}");
    fs::remove_file(sandbox.path("run/checkpoints")).unwrap();
    finish(sandbox.train(&["--resume", "run"]));
    assert_eq!(sandbox.result("run"), sandbox.result("whole"));
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
        finish(sandbox.begin("whole"));
        let mut child = sandbox.begin("run").spawn().unwrap();
        sandbox.wait_for_checkpoint("run");
        child.kill().unwrap();
        child.wait().unwrap();
        let before = sandbox.checkpoints("run");
        let resume = sandbox.train(&["--resume", "run"]);
        let output = without_room(&resume, 16).output().unwrap();
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("cannot write"), "{said}");
        assert_whole(&sandbox.path("run"));
        assert_eq!(
            sandbox.checkpoints("run"),
            before,
            "those that were there stay"
        );
        finish(resume);
        assert_eq!(sandbox.result("run"), sandbox.result("whole"));
    }

    fn signal(child: &Child, name: &str) {
        let id = child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    #[test]
    fn a_signal_saves_and_says_how_to_go_on() {
        let sandbox = Sandbox::new();
        finish(sandbox.begin("whole"));
        for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
            let run = format!("stopped-by-{name}");
            let child = sandbox.begin(&run).spawn().unwrap();
            sandbox.wait_for_checkpoint(&run);
            signal(&child, name);
            let output = child.wait_with_output().unwrap();
            let said = errors(&output);
            assert_eq!(output.status.code(), Some(code), "{said}");
            assert!(said.contains(&format!("--resume {run}")), "{said}");
            finish(sandbox.train(&["--resume", &run]));
            assert_eq!(sandbox.result(&run), sandbox.result("whole"));
        }
    }
}
