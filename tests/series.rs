//! Series of numbers from end to end, as people type them.

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

/// The program in an empty folder of its own.
struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn gatefold(&self, line: &str) -> Command {
        let mut command = Command::cargo_bin("gatefold").unwrap();
        command
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .env("GATEFOLD_DATA", self.folder.path())
            .env_remove("RUST_LOG");
        command
    }

    fn train(&self, line: &str) -> Command {
        self.gatefold(&format!(
            "train --device cpu --plain --run run --batch-size 32 --learning-rate 0.01 {line}"
        ))
    }

    fn json(&self, line: &str) -> Vec<Value> {
        let output = self.gatefold(line).assert().success().get_output().clone();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

#[test]
fn a_forecast_is_in_the_unit_of_the_data_and_better_than_the_last_value() {
    let here = Sandbox::new();
    here.gatefold("dataset generate forecast power.csv")
        .assert()
        .success();
    let refused = here.train("--dataset power.csv").assert().code(1);
    refused.stderr(contains("--task forecast --target-column"));
    here.train(
        "--dataset power.csv --task forecast --target-column load --value-columns temperature --window 26 \
         --horizon 2 --hidden-size 24 --epochs 8",
    )
    .assert()
    .success()
    .stderr(contains("split by time").and(contains("of the last value")));
    let text = fs::read_to_string(here.path("run/summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&text).unwrap();
    let column = &summary["forecast"]["columns"][0];
    let error = |of: &str| column[of]["rmse"].as_f64().unwrap();
    assert!(error("network") < 0.8 * error("last_value"), "{column}");
    assert!(error("network") > 1.0, "{column}");
    let report = fs::read_to_string(here.path("run/report.html")).unwrap();
    assert!(report.contains("Forecasts of load") && report.contains("the last value stays"));

    // The run remembers all that it needs to be tested, and to be asked what comes next.
    let tested = &here.json("evaluate run --device cpu --format json")[0];
    assert_eq!(tested["columns"][0]["column"], "load");
    assert!(
        (tested["columns"][0]["network"]["rmse"].as_f64().unwrap() - error("network")).abs() < 1e-3
    );
    let answers = here.json("predict run --dataset power.csv --device cpu --format json");
    let next = answers.last().unwrap();
    assert_eq!(
        (&next["last_line"], next.get("target")),
        (&2401.into(), None)
    );
    let forecast = next["forecast"]["load"].as_array().unwrap();
    assert_eq!(forecast.len(), 2);
    assert!(
        forecast
            .iter()
            .all(|load| (150.0..350.0).contains(&load.as_f64().unwrap()))
    );
    // Without its scaler, numbers would mean something else.
    fs::remove_file(here.path("run/target_scaler.json")).unwrap();
    here.gatefold("evaluate run --device cpu")
        .assert()
        .code(1)
        .stderr(contains("scaler.json"));
}

#[test]
fn a_forecast_that_is_worse_than_none_is_said_to_be() {
    let here = Sandbox::new();
    // A staircase: the last value is nearly always right.
    let rows = (0..400).map(|row| format!("{},{}\n", row, row / 40));
    fs::write(
        here.path("stairs.csv"),
        format!("at,step\n{}", rows.collect::<String>()),
    )
    .unwrap();
    let worse =
        "warning: of `step`, the last value is as good a forecast as the network's, or better; try";
    here.train("--dataset stairs.csv --task forecast --target-column step --window 8 --hidden-size 4 --epochs 1")
        .assert()
        .success()
        .stderr(contains(worse));
    // A warning is no answer.
    here.gatefold("evaluate run --device cpu")
        .assert()
        .success()
        .stdout(contains("of the last value").and(contains("warning").not()))
        .stderr(contains(worse));
}

#[test]
fn a_series_is_tested_as_the_run_read_it() {
    let here = Sandbox::new();
    here.gatefold("dataset generate forecast power.csv")
        .assert()
        .success();
    let columns = "--target-column load --value-columns load,temperature";
    let read = format!("--task forecast {columns} --window 8");
    here.train(&format!(
        "--dataset power.csv {read} --hidden-size 4 --epochs 1"
    ))
    .assert()
    .success();
    let own = here.json("evaluate run --device cpu --format json");
    assert_eq!(own[0]["trained_on"], 0);
    let same = format!("evaluate run --device cpu --format json {read} --horizon 1");
    assert_eq!(here.json(&same), own);
    for other in [
        "--task classify",
        "--target-column temperature",
        "--value-columns temperature,load",
        "--horizon 2",
        "--window 9",
    ] {
        for dataset in ["", "--dataset power.csv"] {
            here.gatefold(&format!("evaluate run --device cpu {dataset} {other}"))
                .assert()
                .code(2)
                .stderr(contains("a run is tested as it was trained, with"));
        }
    }
}

#[test]
fn sequences_are_classified_and_timesteps_tagged() {
    let here = Sandbox::new();
    for (task, target, columns) in [
        ("classify", "gesture", "x,y"),
        ("tag", "state", "acceleration"),
    ] {
        let file = format!("{task}.csv");
        here.gatefold(&format!("dataset generate {task} {file}"))
            .assert()
            .success();
        here.gatefold(&format!(
            "train --device cpu --plain --run {task} --batch-size 16 --learning-rate 0.01 --hidden-size 24 --epochs 6 \
             --dataset {file} --task {task} --target-column {target} --group-column recording"
        ))
        .assert()
        .success();
        let tested = &here.json(&format!("evaluate {task} --device cpu --format json"))[0];
        assert!(
            tested["accuracy"].as_f64().unwrap() > 0.9,
            "{task}: {tested}"
        );
        // A table without the column of classes is answered too.
        let table = fs::read_to_string(here.path(&file)).unwrap();
        let mut without = format!("recording,{columns}\n");
        for line in table.lines().skip(1).take(150) {
            let cells: Vec<&str> = line.split(',').collect();
            without += &format!("{},{}\n", cells[0], cells[2..].join(","));
        }
        fs::write(here.path("new.csv"), without).unwrap();
        let answers = here.json(&format!(
            "predict {task} --dataset new.csv --device cpu --format json"
        ));
        assert_eq!(answers[0]["group"], "1");
        let key = if task == "tag" { "labels" } else { "label" };
        assert!(
            answers[0].get(key).is_some() && answers[0].get("target").is_none(),
            "{}",
            answers[0]
        );
    }
}

#[test]
fn missing_numbers_are_refused_or_masked_and_flags_without_a_task_too() {
    let here = Sandbox::new();
    let rows = (0..200).map(|row| match row {
        77 => "?\n".to_owned(),
        _ => format!("{}\n", row % 10),
    });
    fs::write(
        here.path("gaps.csv"),
        format!("level\n{}", rows.collect::<String>()),
    )
    .unwrap();
    let forecast = "--dataset gaps.csv --task forecast --window 8 --hidden-size 4 --epochs 1";
    here.train(forecast).assert().code(1).stderr(
        contains("gaps.csv, line 79: `level`: \"?\" is no number").and(contains("--missing mask")),
    );
    here.train(&format!("{forecast} --missing mask"))
        .assert()
        .success();
    here.gatefold("evaluate run --device cpu")
        .assert()
        .success();
    here.gatefold("predict run --device cpu --dataset gaps.csv")
        .assert()
        .success();
    here.gatefold("train --dataset reviews --window 8")
        .assert()
        .code(1)
        .stderr(contains("--window is for series of numbers"));
}
