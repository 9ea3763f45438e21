//! Where each part of a recurrent layer stands in the files of each framework: one table, read in both directions.
//!
//! A cell's weights are blocks of H columns, one a gate. Ours stand in the order of [`Cell`]'s gates: LSTM i, f, g, o; GRU
//! r, z, n. The sources: `torch.nn.LSTM`, `torch.nn.GRU` and `torch.nn.RNN`; Keras 3's `LSTMCell`, `GRUCell`
//! (`reset_after=True`) and `SimpleRNNCell`; ONNX's `LSTM`, `GRU` (`linear_before_reset=1`) and `RNN`, version 14.

use gatefold_kernels::Cell;

/// Whose files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framework {
    /// PyTorch: `.pt`, `.pth`, and SafeTensors with PyTorch's names.
    PyTorch,
    /// Keras: `.keras`, `.weights.h5`, `.h5`.
    Keras,
    /// ONNX.
    Onnx,
}

/// A part of a recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// W, ours `[in, G·H]`.
    InputWeight,
    /// U, ours `[H, G·H]`.
    RecurrentWeight,
    /// b, `[G·H]`.
    Bias,
    /// b_r, `[G·H]`. Of a cell that has none, theirs is added to b, and is zero where it is written.
    RecurrentBias,
    /// b and b_r in one tensor, `[2·G·H]` or `[2, G·H]`.
    Biases,
}

/// One part of one cell in one framework.
pub(crate) struct Row {
    framework: Framework,
    cell: Cell,
    pub part: Part,
    /// PyTorch's name without its layer and direction, Keras's without its path, ONNX's input.
    pub name: &'static str,
    /// Their block k is our block `gates[k]`.
    pub gates: &'static [usize],
    /// Whether theirs is `[G·H, in]`.
    pub transposed: bool,
}

use Framework::{Keras, Onnx, PyTorch};
use Part::{Bias, Biases, InputWeight, RecurrentBias, RecurrentWeight};

#[rustfmt::skip] // A line a row.
const ROWS: [Row; 30] = [
    row(PyTorch, Cell::Rnn, InputWeight, "weight_ih", &[0], true),
    row(PyTorch, Cell::Rnn, RecurrentWeight, "weight_hh", &[0], true),
    row(PyTorch, Cell::Rnn, Bias, "bias_ih", &[0], false),
    row(PyTorch, Cell::Rnn, RecurrentBias, "bias_hh", &[0], false),
    row(PyTorch, Cell::Lstm, InputWeight, "weight_ih", &[0, 1, 2, 3], true),
    row(PyTorch, Cell::Lstm, RecurrentWeight, "weight_hh", &[0, 1, 2, 3], true),
    row(PyTorch, Cell::Lstm, Bias, "bias_ih", &[0, 1, 2, 3], false),
    row(PyTorch, Cell::Lstm, RecurrentBias, "bias_hh", &[0, 1, 2, 3], false),
    row(PyTorch, Cell::Gru, InputWeight, "weight_ih", &[0, 1, 2], true),
    row(PyTorch, Cell::Gru, RecurrentWeight, "weight_hh", &[0, 1, 2], true),
    row(PyTorch, Cell::Gru, Bias, "bias_ih", &[0, 1, 2], false),
    row(PyTorch, Cell::Gru, RecurrentBias, "bias_hh", &[0, 1, 2], false),
    row(Keras, Cell::Rnn, InputWeight, "kernel", &[0], false),
    row(Keras, Cell::Rnn, RecurrentWeight, "recurrent_kernel", &[0], false),
    row(Keras, Cell::Rnn, Bias, "bias", &[0], false),
    row(Keras, Cell::Lstm, InputWeight, "kernel", &[0, 1, 2, 3], false),
    row(Keras, Cell::Lstm, RecurrentWeight, "recurrent_kernel", &[0, 1, 2, 3], false),
    row(Keras, Cell::Lstm, Bias, "bias", &[0, 1, 2, 3], false),
    // z, r, h.
    row(Keras, Cell::Gru, InputWeight, "kernel", &[1, 0, 2], false),
    row(Keras, Cell::Gru, RecurrentWeight, "recurrent_kernel", &[1, 0, 2], false),
    row(Keras, Cell::Gru, Biases, "bias", &[1, 0, 2], false),
    row(Onnx, Cell::Rnn, InputWeight, "W", &[0], true),
    row(Onnx, Cell::Rnn, RecurrentWeight, "R", &[0], true),
    row(Onnx, Cell::Rnn, Biases, "B", &[0], false),
    // i, o, f, c.
    row(Onnx, Cell::Lstm, InputWeight, "W", &[0, 3, 1, 2], true),
    row(Onnx, Cell::Lstm, RecurrentWeight, "R", &[0, 3, 1, 2], true),
    row(Onnx, Cell::Lstm, Biases, "B", &[0, 3, 1, 2], false),
    // z, r, h.
    row(Onnx, Cell::Gru, InputWeight, "W", &[1, 0, 2], true),
    row(Onnx, Cell::Gru, RecurrentWeight, "R", &[1, 0, 2], true),
    row(Onnx, Cell::Gru, Biases, "B", &[1, 0, 2], false),
];

const fn row(
    framework: Framework,
    cell: Cell,
    part: Part,
    name: &'static str,
    gates: &'static [usize],
    transposed: bool,
) -> Row {
    Row {
        framework,
        cell,
        part,
        name,
        gates,
        transposed,
    }
}

/// The parts of a cell in a framework's order; none of a cell that the framework has not.
pub(crate) fn rows(framework: Framework, cell: Cell) -> impl Iterator<Item = &'static Row> {
    let is_its = move |row: &&Row| row.framework == framework && row.cell == cell;
    ROWS.iter().filter(is_its)
}

impl Row {
    /// Theirs, `[rows, columns]`, as ours.
    pub fn to_ours(&self, theirs: Matrix) -> Matrix {
        let theirs = match self.transposed {
            true => theirs.transposed(),
            false => theirs,
        };
        theirs.with_blocks(self.gates, |block, gate| (gate, block))
    }

    /// Ours, `[rows, columns]`, as theirs.
    pub fn to_theirs(&self, ours: Matrix) -> Matrix {
        let theirs = ours.with_blocks(self.gates, |block, gate| (block, gate));
        match self.transposed {
            true => theirs.transposed(),
            false => theirs,
        }
    }
}

/// Numbers `[rows, columns]`, row-major.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matrix {
    pub rows: usize,
    pub columns: usize,
    pub values: Vec<f32>,
}

impl Matrix {
    pub fn zeros(rows: usize, columns: usize) -> Self {
        let values = vec![0.0; rows * columns];
        Self {
            rows,
            columns,
            values,
        }
    }

    /// The first half of the numbers and the second, a row each.
    pub fn halves(self) -> [Self; 2] {
        let (first, second) = self.values.split_at(self.values.len() / 2);
        [first, second].map(|values| Self {
            rows: 1,
            columns: values.len(),
            values: values.to_vec(),
        })
    }

    /// Adds numbers of the same shape.
    pub fn add(&mut self, other: &Self) {
        for (value, more) in self.values.iter_mut().zip(&other.values) {
            *value += more;
        }
    }

    /// The numbers, little endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.values
            .iter()
            .copied()
            .flat_map(f32::to_le_bytes)
            .collect()
    }

    pub fn transposed(&self) -> Self {
        let column = |column| self.values.iter().skip(column).step_by(self.columns);
        Self {
            rows: self.columns,
            columns: self.rows,
            values: (0..self.columns).flat_map(column).copied().collect(),
        }
    }

    /// The same numbers with each row's blocks of columns moved; `to_and_from` is asked for each block and its gate.
    fn with_blocks(
        mut self,
        gates: &[usize],
        to_and_from: impl Fn(usize, usize) -> (usize, usize),
    ) -> Self {
        if gates.iter().enumerate().all(|(block, &gate)| block == gate) {
            return self;
        }
        let size = self.columns / gates.len();
        for row in self.values.chunks_exact_mut(self.columns) {
            let before = row.to_vec();
            for (block, &gate) in gates.iter().enumerate() {
                let (to, from) = to_and_from(block, gate);
                row[to * size..][..size].copy_from_slice(&before[from * size..][..size]);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_framework_has_every_gated_cell_and_none_has_mingru() {
        for framework in [PyTorch, Keras, Onnx] {
            for cell in Cell::ALL {
                let parts: Vec<Part> = rows(framework, cell).map(|row| row.part).collect();
                assert_eq!(
                    parts.is_empty(),
                    cell == Cell::MinGru,
                    "{framework:?} {cell}"
                );
                for row in rows(framework, cell) {
                    let mut gates = row.gates.to_vec();
                    gates.sort_unstable();
                    assert!(gates.into_iter().eq(0..cell.gates()), "{}", row.name);
                }
            }
        }
    }

    #[test]
    fn gates_and_axes_go_where_the_framework_has_them_and_back() {
        let lstm = rows(Onnx, Cell::Lstm).next().unwrap();
        // One number a gate: i, f, g, o in two rows.
        let ours = Matrix {
            rows: 2,
            columns: 4,
            values: vec![1.0, 2.0, 3.0, 4.0, 10.0, 20.0, 30.0, 40.0],
        };
        let theirs = lstm.to_theirs(ours.clone());
        assert_eq!((theirs.rows, theirs.columns), (4, 2));
        // i, o, f, c.
        assert_eq!(theirs.values, [1.0, 10.0, 4.0, 40.0, 2.0, 20.0, 3.0, 30.0]);
        for row in &ROWS {
            let count = 2 * row.gates.len();
            let ours = Matrix {
                rows: 3,
                columns: count,
                values: (0..3 * count).map(|value| value as f32).collect(),
            };
            assert_eq!(
                row.to_ours(row.to_theirs(ours.clone())),
                ours,
                "{}",
                row.name
            );
        }
    }
}
