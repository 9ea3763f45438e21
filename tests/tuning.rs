//! The layouts of kernels: measured, kept, recorded, and no bit changed.
//!
//! Not on Windows, which says itself where a user's cache is: a test can't have one of its own there.
#![cfg(not(windows))]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use gatefold::device::{DeviceChoice, find};
use predicates::prelude::*;
use predicates::str::contains;
use tempfile::TempDir;

/// The program in an empty folder of its own, which also has its cache, on a software adapter, or else on a GPU.
struct Sandbox {
    folder: TempDir,
    is_software: bool,
}

impl Sandbox {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            is_software: find(DeviceChoice::SOFTWARE).is_ok(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn train(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatefold"));
        command
            .arg("train")
            .args(arguments.split(' '))
            .args([
                "--device",
                if self.is_software { "software" } else { "gpu" },
            ])
            .current_dir(self.folder.path())
            .envs(["HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"].map(|name| (name, self.folder.path())))
            .env_remove("RUST_LOG");
        command
    }

    fn weights(&self, run: &str) -> Vec<u8> {
        fs::read(self.path(run).join("model.safetensors")).unwrap()
    }

    fn config(&self, run: &str) -> PathBuf {
        self.path(run).join("config.toml")
    }

    /// The groups of each layout that the record of a run names.
    fn groups(&self, run: &str) -> Vec<String> {
        let config = fs::read_to_string(self.config(run)).unwrap();
        let groups = config
            .lines()
            .filter_map(|line| line.strip_prefix("groups = "));
        groups.map(str::to_owned).collect()
    }

    /// Has the record of a run name layouts of so many groups, an invocation a tile.
    fn record(&self, run: &str, groups: usize) {
        let config = fs::read_to_string(self.config(run)).unwrap();
        let line = |line: &str| match line.split_once(" = ") {
            Some(("groups", _)) => format!("groups = {groups}\n"),
            Some(("blocks", _)) => "blocks = 1\n".into(),
            _ => format!("{line}\n"),
        };
        fs::write(
            self.config(run),
            config.lines().map(line).collect::<String>(),
        )
        .unwrap();
    }
}

fn cache_in(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries.into_iter().find_map(|path| match path.is_dir() {
        true => cache_in(&path),
        false => path.ends_with("kernels.json").then_some(path),
    })
}

const NETWORK: &str =
    "--dataset films.csv --cell rnn --hidden-size 66 --batch-size 8 --max-length 4 --epochs 1";

#[test]
fn layouts_are_measured_kept_and_recorded_and_change_no_bit() {
    let sandbox = Sandbox::new();
    let rows = (0..40).map(|i| format!("a {} film,{}\n", ["good", "bad"][i % 2], i % 2));
    let table = format!("text,label\n{}", rows.collect::<String>());
    fs::write(sandbox.path("films.csv"), table).unwrap();
    let measured = contains("kernels: measured");
    // In software only if asked.
    for (kernels, told) in [
        ("default", false),
        ("auto", !sandbox.is_software),
        ("tune", true),
    ] {
        let arguments = format!("{NETWORK} --kernels {kernels} --run {kernels}");
        let ran = sandbox.train(&arguments).assert().success();
        let said = String::from_utf8_lossy(&ran.get_output().stderr).into_owned();
        assert_eq!(measured.eval(&said), told, "{said}");
        assert_eq!(cache_in(sandbox.folder.path()).is_some(), told);
    }
    let cache = fs::read_to_string(cache_in(sandbox.folder.path()).unwrap()).unwrap();
    assert!(cache.contains("\"hidden\": 66"), "{cache}");
    assert_eq!(sandbox.weights("tune"), sandbox.weights("default"));

    // A run that goes on follows its record, whatever the cache says.
    assert_eq!(sandbox.groups("default"), [""; 0]);
    assert_eq!(sandbox.groups("tune").len(), 2);
    sandbox.record("tune", 2);
    for run in ["default", "tune"] {
        let arguments = format!("--resume {run} --epochs 2");
        let silent = measured.clone().not();
        sandbox.train(&arguments).assert().success().stderr(silent);
    }
    assert_eq!(sandbox.groups("tune"), ["2", "2"]);
    assert_eq!(sandbox.weights("tune"), sandbox.weights("default"));

    sandbox.record("tune", 5);
    let refused = contains("no kernel").and(contains("--kernels default"));
    sandbox
        .train("--resume tune --epochs 3")
        .assert()
        .failure()
        .stderr(refused);
    sandbox
        .train("--resume tune --epochs 3 --kernels default")
        .assert()
        .success();
    assert_eq!(sandbox.groups("tune"), [""; 0]);
}
