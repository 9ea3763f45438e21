//! Which layout of a walk is fastest on a device.

use std::time::Instant;

use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::tensor::{FloatDType, IntDType, Shape};
use burn_cubecl::cubecl::future::block_on;
use burn_cubecl::{CubeBackend, CubeDevice};

use super::limits::Limits;
use super::walk::Walk;
use crate::cell::Cell;
use crate::kernel_choices::{KernelChoice, Pass};
use crate::tensors::{Direction, Input, Optional, Projections};

/// Rows that are measured of a larger batch: more are more of the same.
const MOST_ROWS: usize = 256;

/// Steps that are measured, as often as this in a round.
const STEPS: usize = 32;
const WALKS: usize = 4;

const ROUNDS: usize = 3;

/// How many times as fast as the usual layout another one has to be, in every round.
const FASTER: f64 = 1.07;

pub(crate) fn measure(
    device: &CubeDevice,
    cell: Cell,
    hidden: usize,
    batch: usize,
) -> Result<Vec<KernelChoice>, String> {
    let client = device.client();
    let rows = batch.min(MOST_ROWS);
    let passes = [Pass::Forward, Pass::Backward].map(|pass| {
        let candidates = Limits::of(&client).candidates(cell, pass, rows, hidden);
        (pass, candidates)
    });
    if passes.iter().all(|(_, candidates)| candidates.len() < 2) {
        return Ok(Vec::new());
    }
    let full = |shape: &[usize]| {
        CubeBackend::float_full(Shape::from(shape), 0.01.into(), device, FloatDType::F32)
    };
    let width = cell.gates() * hidden;
    let walk = Walk {
        cell,
        batch: rows,
        time: STEPS,
        hidden,
        lengths: CubeBackend::int_full(
            Shape::from([rows]),
            (STEPS as i64).into(),
            device,
            IntDType::I32,
        ),
        direction: Direction::Forward,
        given: false,
    };
    let projections = Projections {
        input: Input::PerToken(full(&[rows, STEPS, width])),
        weight: Optional::Absent,
        bias: Optional::Absent,
    };
    let bias = Optional::new(cell.has_recurrent_bias().then(|| full(&[width])));
    let packed = walk.pack(
        Optional::new(cell.has_recurrent_weight().then(|| full(&[hidden, width]))),
        [Optional::Absent, bias],
        [Optional::Absent, Optional::Absent],
        projections.tensor(),
    );
    let forward = |layout| walk.forward(layout, projections.clone(), packed.clone(), true);
    let walked = forward(passes[0].1[0]);
    let (hidden_states, saved) = (walked.outputs.hidden_states, walked.saved.into_option());
    let d_outputs = [Some(full(&[rows, hidden])), None, None];
    let packed_before = walked.recurrent_weight.into_option();
    let before = [&packed_before, &None];
    let sync = || block_on(client.sync()).map_err(|error| error.to_string());
    let time = |pass, layout| -> Result<f64, String> {
        let begin = Instant::now();
        for _ in 0..WALKS {
            match pass {
                Pass::Forward => drop(forward(layout)),
                Pass::Backward => {
                    drop(walk.back(layout, &hidden_states, before, &saved, &d_outputs))
                }
            }
        }
        sync()?;
        Ok(begin.elapsed().as_secs_f64())
    };
    let mut chosen = Vec::new();
    for (pass, candidates) in passes {
        if candidates.len() < 2 {
            continue;
        }
        let mut times = vec![[0.0; ROUNDS]; candidates.len()];
        // The first time compiles.
        for &layout in &candidates {
            time(pass, layout)?;
        }
        for round in 0..ROUNDS {
            for (times, &layout) in times.iter_mut().zip(&candidates) {
                times[round] = time(pass, layout)?;
            }
        }
        let layout = candidates[fastest(&times)];
        chosen.push(KernelChoice::of(layout, pass, batch));
    }
    Ok(chosen)
}

/// The first, unless another was faster by far in every round.
fn fastest(times: &[[f64; ROUNDS]]) -> usize {
    let usual = times[0];
    let is_faster = |times: &[f64; ROUNDS]| {
        let mut rounds = times.iter().zip(usual);
        rounds.all(|(time, usual)| time * FASTER < usual)
    };
    let total = |at: &usize| times[*at].iter().sum::<f64>();
    let faster = (1..times.len()).filter(|&at| is_faster(&times[at]));
    faster
        .min_by(|a, b| total(a).total_cmp(&total(b)))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_layout_stays_unless_another_is_faster_by_far_every_time() {
        let usual = [1.0, 1.0, 1.0];
        assert_eq!(fastest(&[usual]), 0);
        assert_eq!(fastest(&[usual, [0.94, 0.5, 0.5]]), 0);
        assert_eq!(fastest(&[usual, [0.93, 0.93, 0.93]]), 1);
        assert_eq!(fastest(&[usual, [0.9, 0.9, 0.9], [0.9, 0.8, 0.9]]), 2);
        assert_eq!(fastest(&[usual, [0.1, 0.1, f64::NAN]]), 0);
    }
}
