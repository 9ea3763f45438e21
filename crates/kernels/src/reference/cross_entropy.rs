//! The cross-entropy of a right answer among candidates, of the backend's own operations.

use burn::tensor::IndexingUpdateOp;

use crate::backend::RecurrentBackend;
use crate::tensors::{CrossEntropyInputs, CrossEntropyOutputs};

pub(crate) fn losses<B: RecurrentBackend>(inputs: CrossEntropyInputs<B>) -> CrossEntropyOutputs<B> {
    let CrossEntropyInputs {
        logits,
        biases,
        places,
        lowered,
        right,
        weights,
    } = inputs;
    let logits = B::float_add(logits, biases);
    let logits = B::float_scatter(1, logits, places, lowered, IndexingUpdateOp::Add);
    let largest = B::float_max_dim(logits.clone(), 1);
    let largest = B::float_max_dim(B::float_cat(vec![largest, right.clone()], 1), 1);
    let exponentials = B::float_exp(B::float_sub(logits, largest.clone()));
    let of_right = B::float_exp(B::float_sub(right.clone(), largest.clone()));
    let sum = B::float_add(B::float_sum_dim(exponentials.clone(), 1), of_right.clone());
    let shares = B::float_div(weights.clone(), sum.clone());
    CrossEntropyOutputs {
        losses: B::float_sub(B::float_add(B::float_log(sum), largest), right),
        logits: B::float_mul(exponentials, shares.clone()),
        right: B::float_sub(B::float_mul(of_right, shares), weights),
    }
}
