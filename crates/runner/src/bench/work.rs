//! The least that a recurrent layer has to compute and to move.

use gatefold_training::RunConfig;

use super::{Pass, Workload};

/// What a step needs at least. It is a lower bound: a layer may do more, and the network has other
/// layers beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work {
    /// Multiplications with an addition each.
    pub multiply_adds: f64,
    /// Bytes read from and written to the adapter's memory.
    pub bytes: f64,
}

/// The work of the recurrent layer in one step, with G gates (LSTM 4, GRU 3, simple RNN 1, minGRU 2), hidden size
/// H and input size D, in f32.
///
/// A token needs G·H·H multiply-adds forward (none where the cell has no recurrent weights), and its projection G·H·D: once a token, or once a word where
/// the vocabulary is smaller than the batch. A training step needs three times that: the gradients of a
/// product's two sides are a product each.
///
/// A token moves, in numbers: its projections G·H, read where the walk looks them up, and its hidden state H,
/// written. A training step also writes and reads what the backward pass needs of the forward pass, 4·H numbers of an
/// LSTM or a GRU and 2·H of a minGRU, and the G·H gradients of the preactivations.
/// A simple RNN's backward pass needs nothing beside its hidden states. Weights, and reading the hidden
/// states and the input, are left out.
pub fn necessary(workload: &Workload, pass: Pass) -> Work {
    let (hidden, input) = (workload.hidden as f64, workload.input as f64);
    let gates = workload.cell.gates() as f64;
    let saved = workload.cell.saved() as f64 * hidden;
    let projection = gates * hidden;
    let tokens = workload.tokens() as f64;
    let words = RunConfig::default().model.vocabulary_size as f64;
    let recurrent = if workload.cell.has_recurrent_weight() {
        hidden
    } else {
        0.0
    };
    let forward_multiply_adds = projection * (recurrent * tokens + input * tokens.min(words));
    let forward_numbers = projection + hidden;
    let (multiply_adds, numbers) = match pass {
        Pass::Forward => (forward_multiply_adds, forward_numbers),
        Pass::Train => (
            3.0 * forward_multiply_adds,
            forward_numbers + 2.0 * (saved + projection),
        ),
    };
    Work {
        multiply_adds,
        bytes: tokens * numbers * size_of::<f32>() as f64,
    }
}

#[cfg(test)]
mod tests {
    use gatefold_model::Cell;

    use super::*;

    /// Multiply-adds and numbers a token, for H = 64 and D = 16.
    fn a_token(cell: Cell, pass: Pass) -> (f64, f64) {
        let workload = Workload {
            cell,
            batch: 2,
            time: 5,
            input: 16,
            hidden: 64,
            ragged: false,
        };
        let work = necessary(&workload, pass);
        (work.multiply_adds / 10.0, work.bytes / 40.0)
    }

    #[test]
    fn a_forward_pass_moves_projections_and_hidden_states_once() {
        let of = |cell| a_token(cell, Pass::Forward);
        assert_eq!(of(Cell::Lstm), (20_480.0, 256.0 + 64.0));
        assert_eq!(of(Cell::Gru), (15_360.0, 192.0 + 64.0));
        assert_eq!(of(Cell::Rnn), (5_120.0, 64.0 + 64.0));
        assert_eq!(of(Cell::MinGru), (2_048.0, 128.0 + 64.0));
    }

    #[test]
    fn words_are_projected_once() {
        let workload = Workload {
            cell: Cell::Lstm,
            batch: 128,
            time: 256,
            input: 16,
            hidden: 64,
            ragged: false,
        };
        let work = necessary(&workload, Pass::Forward);
        let expected = 256.0 * (64.0 * 32_768.0 + 16.0 * 10_000.0);
        assert_eq!(work.multiply_adds, expected);
    }

    #[test]
    fn a_training_step_also_moves_what_it_saves_and_its_gradients() {
        let of = |cell| a_token(cell, Pass::Train);
        assert_eq!(of(Cell::Lstm), (61_440.0, 320.0 + 512.0 + 512.0));
        assert_eq!(of(Cell::Gru), (46_080.0, 256.0 + 512.0 + 384.0));
        assert_eq!(of(Cell::Rnn), (15_360.0, 128.0 + 128.0));
        assert_eq!(of(Cell::MinGru), (6_144.0, 192.0 + 256.0 + 256.0));
    }
}
