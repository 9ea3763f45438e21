//! Whether a device that dropped work is noticed, on the device that the kernels are tested on.

#[path = "devices/gpu.rs"]
mod gpu;

use std::ops::ControlFlow;

use burn::tensor::{Device, Distribution, Int, Tensor};
use gatefold::dataset;
use gatefold_kernels::{Direction, Heartbeat, LostWork, lstm};
use gatefold_model::{Cell, StackConfig};
use gatefold_training::{RunConfig, fit};
use gpu::gpu;

/// Beats once more, and checks the number.
fn beat(heartbeat: &mut Heartbeat, device: &Device) -> Result<(), LostWork> {
    heartbeat.beat(Tensor::zeros([1], device));
    let found = heartbeat.number().into_scalar();
    heartbeat.check(found)
}

#[test]
fn every_walk_that_comes_to_its_end_is_counted() {
    let device = gpu();
    let tracked = device.clone().autodiff();
    let mut heartbeat = Heartbeat::new(&device);
    // Five rows are two tiles, one of them not full. 300 units go step by step.
    for (hidden, time) in [(8, 20), (300, 3)] {
        let input = Tensor::<3>::random([5, time, 4], Distribution::Default, &tracked);
        let lengths = Tensor::<1, Int>::from_data([3, 1, 2, 0, 3], &tracked);
        for cell in Cell::ALL {
            let lengths = Some(lengths.clone());
            let input = input.clone().require_grad();
            let stack = StackConfig::new(cell, 4, hidden).init(&tracked);
            let output = stack.forward(input, lengths, None);
            let gradients = (output.hidden_states.sum() + output.last.sum()).backward();
            beat(&mut heartbeat, &device)
                .unwrap_or_else(|error| panic!("{cell:?}, H {hidden}: {error}"));
            drop(gradients);
        }
    }
}

#[test]
fn a_walk_that_never_ran_leaves_the_heartbeat_behind_for_good() {
    let device = gpu();
    let tracked = device.clone().autodiff();
    let mut heartbeat = Heartbeat::new(&device);
    beat(&mut heartbeat, &device).unwrap();
    // What training keeps of it, 20 MiB a row, is more than a buffer may have.
    let (batch, time, hidden) = (256, 16_384, 64);
    let projections = Tensor::<3>::zeros([batch, 1, 4 * hidden], &tracked);
    let projections = projections.require_grad().expand([batch, time, 4 * hidden]);
    let weight = Tensor::zeros([hidden, 4 * hidden], &tracked);
    let lengths = Tensor::full([batch], 1, &tracked);
    let output = lstm(projections, weight, None, lengths, Direction::Forward).unwrap();
    assert!(output.final_state.hidden.try_into_data().is_err());
    let lost = beat(&mut heartbeat, &device).unwrap_err();
    assert_eq!(lost.found + 1.0, lost.expected);
    assert!(beat(&mut heartbeat, &device).is_err());
    // Another one begins anew.
    beat(&mut Heartbeat::new(&device), &device).unwrap();
}

#[test]
fn a_training_goes_on_as_long_as_nothing_is_dropped() {
    let mut config = RunConfig::default();
    config.dataset.name = Some("reviews".into());
    config.model.hidden_size = 8;
    config.input.max_length = 8;
    config.training.batch_size = 512;
    config.training.epochs = 1;
    let data = dataset::prepare(&mut config).unwrap();
    let device = gpu();
    let network = config.model.init(config.training.seed, &device).unwrap();
    let on_event = &mut |_| ControlFlow::Continue(());
    let (_, history) = fit(network, &data, &config, &device, on_event).unwrap();
    assert_eq!(history.len(), 1);
}
