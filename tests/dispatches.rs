//! How many kernels a step launches, as CubeCL reports each launch: so many, whatever the length of the
//! sequence. Every test here counts all launches of this process, so there is only one.

#[path = "devices/gpu.rs"]
mod gpu;

use burn::tensor::{Device, Distribution, Tensor};
use gatefold::bench::launches::count;
use gatefold_data::{Batch, BatchInput, BatchTargets};
use gatefold_model::{Cell, LstmConfig, LstmState, StackConfig};
use gatefold_training::{RunConfig, Trainer};
use gpu::gpu;

/// The launches of a warm run.
fn launches<T>(device: &Device, mut run: impl FnMut() -> T) -> usize {
    let mut run = || {
        let result = run();
        device.sync().unwrap();
        result
    };
    // Burn's fusion settles on its kernels, and Adam on its moments, in the first steps.
    for _ in 0..3 {
        run();
    }
    count(run).1
}

/// Of one training step of the lesson's network, 64 reviews of `time` words.
fn training_step(cell: Cell, time: usize, device: &Device) -> usize {
    let mut config = RunConfig::default();
    config.model.cell = cell;
    let size = 64;
    let batch = Batch {
        input: BatchInput::Tokens(
            (0..size * time)
                .map(|i| (i * 7919 % 10_000) as i32)
                .collect(),
        ),
        lengths: (0..size).map(|row| (time - row) as i32).collect(),
        targets: Some(BatchTargets::Classes(
            (0..size).map(|row| (row % 2) as i32).collect(),
        )),
        size,
        time,
        indices: (0..size).collect(),
    };
    let training = &config.training;
    let network = config.model.init(training.seed, device).unwrap();
    let mut trainer = Trainer::new(network, config.objective(), training, device);
    launches(device, || {
        trainer.step(&batch, training.learning_rate).unwrap()
    })
}

#[test]
fn a_step_takes_few_dispatches_however_long_the_sequence() {
    let device = gpu();
    let opengl = std::env::var("GATEFOLD_TEST_API").is_ok_and(|api| api == "gl");
    let input = Tensor::<3>::random([8, 256, 16], Distribution::Default, &device);
    for cell in Cell::ALL {
        let layer = StackConfig::new(cell, 16, 64).init(&device);
        let walk = || layer.forward(input.clone(), None, None).last;
        let (forward, step) = match cell {
            Cell::Rnn => (3, 17),
            Cell::Lstm => (3, 17),
            Cell::Gru => (3, 18),
            Cell::MinGru => (3, 17),
        };
        let found = launches(&device, walk);
        let [short, long] = [256, 1024].map(|time| training_step(cell, time, &device));
        eprintln!(
            "{cell:?}: {found} dispatches forward, {short} a training step at T 256, {long} at T 1024"
        );
        assert_eq!([found, long], [forward, short], "{cell:?}");
        // As the documentation says. OpenGL gives a kernel fewer buffers, so Burn fuses less.
        let more = if opengl { 4 } else { 0 };
        assert!((step..=step + more).contains(&short), "{cell:?}: {short}");
    }

    let lstm = LstmConfig::new(16, 64).init(&device);
    // One memory in two places of a kernel is no valid WebGPU: the second one is copied.
    let state = || Tensor::<2>::ones([8, 64], &device);
    let [hidden, cell] = [state(), state()];
    let forward = |hidden: &Tensor<2>, cell: &Tensor<2>| {
        let (hidden, cell) = (hidden.clone(), cell.clone());
        let state = LstmState { hidden, cell };
        let output = lstm.forward(input.clone(), None, Some(state));
        output.final_state.hidden
    };
    let apart = launches(&device, || forward(&hidden, &cell));
    let twice = launches(&device, || forward(&hidden, &hidden));
    assert_eq!(twice, apart + 1);
    let [apart, twice] = [&cell, &hidden].map(|cell| forward(&hidden, cell).into_data());
    assert_eq!(apart, twice);
}
