//! How many bytes a layer's dispatches bind: what they could move through memory, each buffer once.

use std::cell::Cell as Counter;

use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::tensor::{FloatDType, Shape, TensorData};
use burn_cubecl::cubecl::server::{BufferBinding, KernelArguments};
use burn_cubecl::{CubeBackend, CubeDevice};

use crate::backend::RecurrentBackend;
use crate::cell::Cell;
use crate::embedding::sort;
use crate::tensors::{
    Direction, Input, Optional, Places, Projections, TokenInputs, WalkInputs, WalkOutputGradients,
    WalkSaved, Wanted,
};

thread_local! {
    static BYTES: Counter<u64> = const { Counter::new(0) };
}

/// Counts a launch of this thread.
pub(super) fn add(arguments: &KernelArguments) {
    let bytes = |binding: &BufferBinding| {
        let range = binding.range();
        range.end - range.start
    };
    let bound: u64 = arguments.buffers().map(bytes).sum();
    BYTES.set(BYTES.get() + bound);
}

/// Of the lesson's LSTM, in a training step.
fn lesson(batch: usize, time: usize) -> u64 {
    let (words, input, hidden) = (10_000, 16, 64);
    let device = &CubeDevice::default();
    let full = |shape: &[usize]| {
        CubeBackend::float_full(Shape::from(shape), 0.01.into(), device, FloatDType::F32)
    };
    let integers = |values: Vec<i32>, shape: &[usize]| {
        CubeBackend::int_from_data(TensorData::new(values, shape.to_vec()), device)
    };
    let tokens = batch * time;
    let ids = Vec::from_iter((0..tokens).map(|token| (token % words) as i32));
    let (positions, starts) = sort(&ids, &vec![time as i32; batch], words).unwrap();
    let lengths = integers(vec![time as i32; batch], &[batch]);
    let projections = Projections {
        input: Input::PerWord {
            table: full(&[words, input]),
            tokens: TokenInputs {
                ids: integers(ids, &[batch, time]),
                lengths: lengths.clone(),
                words,
                places: Places::Sorted {
                    positions: integers(positions, &[tokens]),
                    starts: integers(starts, &[words + 1]),
                },
            },
        },
        weight: Optional::Given(full(&[input, 4 * hidden])),
        bias: Optional::Given(full(&[4 * hidden])),
    };
    let inputs = WalkInputs {
        projections: projections.clone(),
        recurrent_weight: Optional::Given(full(&[hidden, 4 * hidden])),
        recurrent_bias: Optional::Absent,
        initial_hidden: Optional::Absent,
        initial_cell: Optional::Absent,
        lengths: lengths.clone(),
    };
    BYTES.set(0);
    let walked = CubeBackend::walk_training(inputs, Cell::Lstm, Direction::Forward);
    let saved = WalkSaved {
        projections,
        recurrent_weight: walked.recurrent_weight,
        initial_hidden: Optional::Absent,
        initial_cell: Optional::Absent,
        lengths,
        hidden_states: walked.outputs.hidden_states,
        saved: walked.saved,
    };
    let gradients = WalkOutputGradients {
        hidden_states: Optional::Absent,
        final_hidden: Optional::Given(full(&[batch, hidden])),
        final_cell: Optional::Absent,
    };
    CubeBackend::walk_backward(
        saved,
        gradients,
        Cell::Lstm,
        Direction::Forward,
        Wanted::Input,
    );
    BYTES.get()
}

/// As docs/kernels.md has it.
#[test]
fn a_layers_dispatches_bind_few_bytes_a_token() {
    for (batch, time) in [(64, 256), (128, 256), (64, 1024), (128, 1024)] {
        let (bound, tokens) = (lesson(batch, time), (batch * time) as u64);
        let most = 23_000_000 + 4_760 * tokens;
        assert!(bound <= most, "B {batch}, T {time}: {bound} bytes");
    }
}
