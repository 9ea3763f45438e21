//! A sequence as it comes, a timestep at a time, on the CPU: the stepper in plain vectors, the layer's own steps in
//! tensors, and Burn's layer with the same weights; microseconds a step of each.
//!
//! ```sh
//! cargo run --release --package gatefold-model --example streaming
//! ```

use std::hint::black_box;
use std::time::Instant;

use burn::nn;
use burn::tensor::{Device, Tensor, TensorData};
use gatefold_model::{BurnLayerError, Cell, Gru, Lstm, MinGruConfig, RecurrentCell, SimpleRnn};

/// A layer of ours, and a step of Burn's with the same weights, which keeps its state.
type Pair = (RecurrentCell, Option<Box<dyn FnMut(Tensor<3>)>>);

/// Shows it.
pub fn main() -> Result<(), BurnLayerError> {
    let device = Device::flex();
    println!("microseconds a step, median of 9 rounds");
    println!("cell      H   B   stepper   layer   Burn's");
    for hidden in [32, 64, 256] {
        for batch in [1, 16] {
            for cell in Cell::ALL {
                let input = hidden / 4;
                let (ours, mut burns) = pair(cell, [input, hidden], &device)?;
                agrees(&ours, [batch, input], &device);
                let [stepper, layer, burn] = measure(&ours, &mut burns, [batch, input], &device);
                print!("{cell:6} {hidden:4} {batch:3} {stepper:9.2} {layer:7.2}");
                match burns {
                    Some(_) => println!(" {burn:8.2}"),
                    None => println!("        –"),
                }
            }
        }
    }
    Ok(())
}

fn pair(cell: Cell, [input, hidden]: [usize; 2], device: &Device) -> Result<Pair, BurnLayerError> {
    Ok(match cell {
        Cell::Rnn => {
            let theirs = nn::RnnConfig::new(input, hidden, true).init(device);
            let ours = SimpleRnn::try_from(&theirs)?;
            let mut state = None;
            let step = move |x| state = Some(theirs.forward(x, state.take()).1);
            (ours.into(), Some(Box::new(step)))
        }
        Cell::Lstm => {
            let theirs = nn::LstmConfig::new(input, hidden, true).init(device);
            let ours = Lstm::try_from(&theirs)?;
            let mut state = None;
            let step = move |x| state = Some(theirs.forward(x, state.take()).1);
            (ours.into(), Some(Box::new(step)))
        }
        Cell::Gru => {
            let theirs = nn::GruConfig::new(input, hidden, true).init(device);
            let ours = Gru::try_from(&theirs)?;
            let mut state = None;
            let step = move |x| state = Some(theirs.forward(x, state.take()).squeeze_dim(1));
            (ours.into(), Some(Box::new(step)))
        }
        Cell::MinGru => (MinGruConfig::new(input, hidden).init(device).into(), None),
    })
}

/// Streamed in vectors, a sequence ends where it does as a whole.
fn agrees(layer: &RecurrentCell, [batch, size]: [usize; 2], device: &Device) {
    let time = 20;
    let value =
        |t: usize, row: usize, i: usize| ((t * 31 + row * 17 + i * 7) % 13) as f32 / 6.5 - 1.0;
    let rows = (0..batch).flat_map(|row| (0..time).map(move |t| (row, t)));
    let whole: Vec<f32> = rows
        .flat_map(|(row, t)| (0..size).map(move |i| value(t, row, i)))
        .collect();
    let whole = Tensor::from_data(TensorData::new(whole, [batch, time, size]), device);
    let walked = layer.forward(whole, None, None).final_state.hidden;

    let mut stepper = layer.stepper(batch);
    for t in 0..time {
        let rows = (0..batch).flat_map(|row| (0..size).map(move |i| (row, i)));
        let input: Vec<f32> = rows.map(|(row, i)| value(t, row, i)).collect();
        stepper.step(&input);
    }
    for (found, expected) in stepper
        .hidden()
        .iter()
        .zip(walked.into_data().iter::<f32>())
    {
        assert!(
            (found - expected).abs() < 1e-5,
            "{found}, expected {expected}"
        );
    }
}

/// The ways in turn, round after round.
fn measure(
    ours: &RecurrentCell,
    burns: &mut Option<Box<dyn FnMut(Tensor<3>)>>,
    [batch, input]: [usize; 2],
    device: &Device,
) -> [f64; 3] {
    let values = vec![0.5; batch * input];
    let rows = Tensor::<2>::from_data(TensorData::new(values.clone(), [batch, input]), device);
    let (mut stepper, mut state) = (ours.stepper(batch), ours.zero_state(batch));
    let mut rounds: [Vec<f64>; 3] = Default::default();
    let steps = 300;
    for _ in 0..9 {
        let mut time = |way: usize, step: &mut dyn FnMut()| {
            let start = Instant::now();
            (0..steps).for_each(|_| step());
            rounds[way].push(start.elapsed().as_secs_f64() * 1e6 / steps as f64);
        };
        time(0, &mut || {
            black_box(stepper.step(black_box(&values)));
        });
        time(1, &mut || state = ours.step(rows.clone(), state.clone()));
        time(2, &mut || {
            if let Some(step) = burns {
                step(rows.clone().unsqueeze_dim(1));
            }
        });
    }
    rounds.map(|mut rounds| {
        rounds.sort_by(f64::total_cmp);
        rounds[rounds.len() / 2]
    })
}
