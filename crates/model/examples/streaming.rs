//! A sequence as it comes, a timestep at a time, on the CPU: the stepper in plain vectors, the layer's own steps in
//! tensors, and Burn's layer with the same weights; microseconds a step of each.
//!
//! `cargo run --release --package gatefold-model --example streaming`

use std::hint::black_box;
use std::time::Instant;

use burn::nn;
use burn::tensor::{Device, Tensor, TensorData};
use gatefold_model::{Gru, Lstm, LstmState, SimpleRnn, Stepper};

/// A step of each way.
struct Ways {
    stepper: Stepper,
    layer: Box<dyn FnMut(Tensor<2>)>,
    burn: Box<dyn FnMut(Tensor<3>)>,
}

/// Shows it.
pub fn main() {
    let device = Device::flex();
    println!("microseconds a step, median of 9 rounds");
    println!("cell    H   B   stepper   layer   Burn's");
    for hidden in [32, 64, 256] {
        for batch in [1, 16] {
            for (name, make) in [
                ("rnn", rnn as fn([usize; 3], &Device) -> Ways),
                ("lstm", lstm),
                ("gru", gru),
            ] {
                let input = hidden / 4;
                let ways = make([batch, input, hidden], &device);
                let [stepper, layer, burn] = measure(ways, [batch, input], &device);
                println!("{name:4} {hidden:4} {batch:3} {stepper:9.2} {layer:7.2} {burn:8.2}");
            }
        }
    }
}

fn rnn([batch, input, hidden]: [usize; 3], device: &Device) -> Ways {
    let theirs = nn::RnnConfig::new(input, hidden, true).init(device);
    let ours = SimpleRnn::try_from(&theirs).expect("a layer of Burn's defaults");
    let (mut state, mut their_state) = (ours.zero_state(batch), None);
    agrees(
        ours.stepper(batch),
        |input| ours.forward(input, None, None).final_hidden,
        [batch, input],
        device,
    );
    Ways {
        stepper: ours.stepper(batch),
        layer: Box::new(move |input| state = ours.step(input, state.clone())),
        burn: Box::new(move |input| {
            their_state = Some(theirs.forward(input, their_state.take()).1);
        }),
    }
}

fn lstm([batch, input, hidden]: [usize; 3], device: &Device) -> Ways {
    let theirs = nn::LstmConfig::new(input, hidden, true).init(device);
    let ours = Lstm::try_from(&theirs).expect("a layer of Burn's defaults");
    let mut state: Option<LstmState> = Some(ours.zero_state(batch));
    let mut their_state = None;
    agrees(
        ours.stepper(batch),
        |input| ours.forward(input, None, None).final_state.hidden,
        [batch, input],
        device,
    );
    Ways {
        stepper: ours.stepper(batch),
        layer: Box::new(move |input| {
            let before = state.take().expect("a state");
            state = Some(ours.step(input, before));
        }),
        burn: Box::new(move |input| {
            their_state = Some(theirs.forward(input, their_state.take()).1);
        }),
    }
}

fn gru([batch, input, hidden]: [usize; 3], device: &Device) -> Ways {
    let theirs = nn::GruConfig::new(input, hidden, true).init(device);
    let ours = Gru::try_from(&theirs).expect("a layer of Burn's defaults");
    let (mut state, mut their_state) = (ours.zero_state(batch), None);
    agrees(
        ours.stepper(batch),
        |input| ours.forward(input, None, None).final_hidden,
        [batch, input],
        device,
    );
    Ways {
        stepper: ours.stepper(batch),
        layer: Box::new(move |input| state = ours.step(input, state.clone())),
        burn: Box::new(move |input| {
            let states = theirs.forward(input, their_state.take());
            their_state = Some(states.squeeze_dim(1));
        }),
    }
}

/// Streamed in vectors, a sequence ends where it does as a whole.
fn agrees(
    mut stepper: Stepper,
    whole: impl Fn(Tensor<3>) -> Tensor<2>,
    [batch, size]: [usize; 2],
    device: &Device,
) {
    let time = 20;
    let value =
        |t: usize, row: usize, i: usize| ((t * 31 + row * 17 + i * 7) % 13) as f32 / 6.5 - 1.0;
    let mut values = Vec::new();
    for row in 0..batch {
        for t in 0..time {
            values.extend((0..size).map(|i| value(t, row, i)));
        }
    }
    let input = Tensor::from_data(TensorData::new(values, [batch, time, size]), device);
    let expected: Vec<f32> = whole(input).into_data().iter().collect();
    for t in 0..time {
        let rows = (0..batch).flat_map(|row| (0..size).map(move |i| (row, i)));
        let input: Vec<f32> = rows.map(|(row, i)| value(t, row, i)).collect();
        stepper.step(&input);
    }
    for (found, expected) in stepper.hidden().iter().zip(&expected) {
        assert!(
            (found - expected).abs() < 1e-5,
            "{found}, expected {expected}"
        );
    }
}

/// The ways in turn, round after round.
fn measure(mut ways: Ways, [batch, input]: [usize; 2], device: &Device) -> [f64; 3] {
    let values = vec![0.5; batch * input];
    let data = || TensorData::new(values.clone(), [batch, input]);
    let rows = Tensor::<2>::from_data(data(), device);
    let mut rounds: [Vec<f64>; 3] = Default::default();
    let steps = 300;
    for _ in 0..9 {
        let mut time = |way: usize, step: &mut dyn FnMut()| {
            let start = Instant::now();
            (0..steps).for_each(|_| step());
            rounds[way].push(start.elapsed().as_secs_f64() * 1e6 / steps as f64);
        };
        time(0, &mut || {
            black_box(ways.stepper.step(black_box(&values)));
        });
        time(1, &mut || (ways.layer)(rows.clone()));
        time(2, &mut || (ways.burn)(rows.clone().unsqueeze_dim(1)));
    }
    rounds.map(|mut rounds| {
        rounds.sort_by(f64::total_cmp);
        rounds[rounds.len() / 2]
    })
}
