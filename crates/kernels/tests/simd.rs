//! `GATEFOLD_SIMD`. It is read once a process, so that each value is tried in a process of its own: this test, run
//! again.

use std::process::Command;

use burn::tensor::{Device, Tensor};
use gatefold_kernels::{Direction, simd, simple_rnn};

const INSIDE: &str = "GATEFOLD_TEST_INSIDE";

/// Whether this test passes with the variable so, and what it says.
fn with(level: &str, test: &str) -> (bool, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    let output = command
        .env("GATEFOLD_SIMD", level)
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

fn walk() {
    let device = Device::flex();
    let (projections, weight) = (
        Tensor::<3>::ones([1, 2, 3], &device),
        Tensor::<2>::ones([3, 3], &device),
    );
    let lengths = Tensor::from_data([2], &device);
    let output = simple_rnn(projections, weight, None, lengths, Direction::Forward).unwrap();
    let found: f32 = output.final_hidden.sum().into_scalar();
    let expected = 3.0 * (1.0 + 3.0 * 1f32.tanh()).tanh();
    assert!((found - expected).abs() < 1e-6);
}

#[test]
fn a_level_of_this_processor_is_taken() {
    if std::env::var_os(INSIDE).is_some() {
        let level = std::env::var("GATEFOLD_SIMD").unwrap();
        assert_eq!(simd().unwrap().level.to_string(), level);
        return walk();
    }
    for level in simd().expect("the variable is not set, or right").available {
        let (passed, said) = with(&level.to_string(), "a_level_of_this_processor_is_taken");
        assert!(passed, "{said}");
    }
}

#[test]
fn another_is_an_error_and_an_operation_panics_with_its_words() {
    const MESSAGE: &str =
        "GATEFOLD_SIMD is \"fast\", expected a level that this processor has: plain";
    if std::env::var_os(INSIDE).is_some() {
        let error = simd().unwrap_err().to_string();
        assert!(error.starts_with(MESSAGE), "{error}");
        return walk();
    }
    let test = "another_is_an_error_and_an_operation_panics_with_its_words";
    let (passed, said) = with("fast", test);
    assert!(!passed && said.contains(&format!("\n{MESSAGE}")), "{said}");
}
