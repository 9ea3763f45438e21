//! Every layout that a walk may have on a GPU gives the same bits. Choices are those of the whole process, so there is only
//! one test here.

#[path = "devices/gpu.rs"]
mod gpu;

use burn::tensor::{Device, Int, Tensor};
use gatefold_kernels::kernel_choices::{KernelChoice, Pass, candidates, choose};
use gatefold_kernels::{Cell, Direction, RecurrentWeights, State, walk};
use gpu::gpu;

/// Numbers within ±1 that differ from place to place.
fn numbers<const D: usize>(shape: [usize; D], scale: f32, device: &Device) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let angles = Tensor::<1, Int>::arange(0..count as i64, device).float() * 0.7;
    (angles.sin() * scale).reshape(shape).require_grad()
}

/// The hidden states, the final one, and the gradients of what went in.
fn results(cell: Cell, lengths: &[i32], hidden: usize, device: &Device) -> Vec<Vec<u8>> {
    let (batch, width) = (lengths.len(), cell.gates() * hidden);
    let projections = numbers([batch, 4, width], 2.0, device);
    let weight = numbers([hidden, width], 0.2, device);
    let bias = numbers([width], 0.5, device);
    let [state, cell_state] = [0.5, 0.8].map(|scale| numbers([batch, hidden], scale, device));
    let recurrent = RecurrentWeights {
        weight: Some(weight.clone()),
        bias: cell.has_recurrent_bias().then(|| bias.clone()),
    };
    let initial = State {
        hidden: state.clone(),
        cell: cell.has_cell_state().then_some(cell_state),
    };
    let lengths = Tensor::<1, Int>::from_data(lengths, device);
    let given = Some(initial);
    let direction = Direction::Reverse;
    let walked = walk(
        cell,
        projections.clone(),
        recurrent,
        given,
        lengths,
        direction,
    )
    .unwrap();
    let loss =
        walked.hidden_states.clone().powi_scalar(2).sum() + walked.final_state.hidden.clone().sum();
    let gradients = loss.backward();
    let found = [
        walked.hidden_states.into_data(),
        walked.final_state.hidden.into_data(),
        projections.grad(&gradients).unwrap().into_data(),
        weight.grad(&gradients).unwrap().into_data(),
        state.grad(&gradients).unwrap().into_data(),
    ];
    found.map(|data| data.as_bytes().to_vec()).into()
}

#[test]
fn every_layout_gives_the_same_bits() {
    let device = gpu();
    let tracked = device.clone().autodiff();
    // Three tiles, the last one not full; the rows that are longest are not the first.
    let lengths = [2, 1, 3, 0, 4, 4, 2, 3, 1];
    let mut compared = 0;
    for (cell, hidden) in [
        (Cell::Lstm, 66),
        (Cell::Gru, 66),
        (Cell::Lstm, 128),
        (Cell::Rnn, 260),
    ] {
        let of = |pass| candidates(&device, cell, pass, hidden, lengths.len());
        let passes = [Pass::Forward, Pass::Backward].map(of);
        let usual = results(cell, &lengths, hidden, &tracked);
        for at in 1..passes[0].len().max(passes[1].len()) {
            let chosen: Vec<KernelChoice> = passes
                .iter()
                .filter_map(|pass| pass.get(at).copied())
                .collect();
            choose(&device, &chosen).unwrap();
            let found = results(cell, &lengths, hidden, &tracked);
            assert!(found == usual, "{chosen:?}");
            compared += 1;
        }
        choose(&device, &[]).unwrap();
    }
    eprintln!("{compared} layouts beside the usual ones give the same bits");
    assert!(compared >= 12, "{compared}");
}
