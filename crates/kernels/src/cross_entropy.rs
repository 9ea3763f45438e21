//! The cross-entropy of a right answer among candidates, and its gradient: what a softmax over very many, or over some that
//! are drawn of them, is trained by.

use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

use crate::backend::RecurrentBackend;
use crate::tensors::CrossEntropyInputs;

/// The losses of R rows, and the gradient of their weighted sum.
#[derive(Clone, Debug)]
pub struct CrossEntropy {
    /// Each row's, unweighted, `[R, 1]`.
    pub losses: Tensor<2>,
    /// The gradient by each candidate's logit, `[R, S]`.
    pub logits: Tensor<2>,
    /// That by the right answer's, `[R, 1]`.
    pub right: Tensor<2>,
}

/// `ln(e^r + Σ e^(z + b)) - r` of every row, and its gradient times a weight, outside any graph.
///
/// - `logits`: z, `[R, S]`, and `biases`: b, `[1, S]`;
/// - `hits`: of each row a candidate and what is added to its logit, `[R, 1]` each: 0, or -1e30 where it is the right
///   answer, which then counts once;
/// - `right`: r, `[R, 1]`, and `weights` `[R, 1]`.
///
/// # Panics
/// If shapes don't fit together.
pub fn cross_entropy(
    logits: Tensor<2>,
    biases: Tensor<2>,
    hits: (Tensor<2, Int>, Tensor<2>),
    right: Tensor<2>,
    weights: Tensor<2>,
) -> CrossEntropy {
    let ([rows, candidates], (places, lowered)) = (logits.dims(), hits);
    let columns = [places.dims(), lowered.dims(), right.dims(), weights.dims()];
    assert!(
        biases.dims() == [1, candidates] && columns == [[rows, 1]; 4] && candidates > 0,
        "cross_entropy: {rows} rows of {candidates} candidates, biases {:?} and columns {columns:?} don't fit together",
        biases.dims()
    );
    let outputs = Dispatch::cross_entropy(CrossEntropyInputs {
        logits: logits.into_dispatch(),
        biases: biases.into_dispatch(),
        places: places.into_dispatch(),
        lowered: lowered.into_dispatch(),
        right: right.into_dispatch(),
        weights: weights.into_dispatch(),
    });
    CrossEntropy {
        losses: Tensor::from_dispatch(outputs.losses),
        logits: Tensor::from_dispatch(outputs.logits),
        right: Tensor::from_dispatch(outputs.right),
    }
}
