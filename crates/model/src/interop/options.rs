//! What an import is told.

use gatefold_kernels::Cell;

/// What a file doesn't say.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Under which entry of a PyTorch checkpoint the weights stand, where there are several.
    pub key: Option<String>,
    /// Which of theirs is `embedding`, `recurrent.0`, …, `dense` or `output`: ours, then theirs. PyTorch names modules as
    /// it likes; without it, they are told by their shapes.
    pub maps: Vec<(String, String)>,
    /// Tensors that may be left over, with `*` for anything.
    pub ignored: Vec<String>,
    /// The cell, where the file doesn't settle it: a simple RNN may be one with tanh, which is ours, or with ReLU.
    pub cell: Option<Cell>,
}
