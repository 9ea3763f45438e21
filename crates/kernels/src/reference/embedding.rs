//! The gradient of an embedding: a sum over every word's places in the batch.

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;
use burn::tensor::IndexingUpdateOp;

use super::array::Array;
use super::timeline::Timeline;
use crate::tensors::{Direction, TokenInputs};

pub(crate) fn backward<B: Backend>(
    tokens: TokenInputs<B>,
    output_gradient: FloatTensor<B>,
) -> FloatTensor<B> {
    let output_gradient = Array::<B>(output_gradient);
    let [batch, time, columns] = output_gradient.dims();
    let timeline = Timeline::<B>::new(time, tokens.lengths, Direction::Forward);
    let counted = output_gradient.clone().zero_where(timeline.padding());
    let ids = B::int_reshape(tokens.ids, [batch * time].into());
    let rows = counted.reshape([batch * time, columns]);
    let zeros = output_gradient.zeros([tokens.words, columns]);
    B::float_select_assign(zeros.0, 0, ids, rows.0, IndexingUpdateOp::Add)
}
