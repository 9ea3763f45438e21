//! Answers of a network with n-grams beside it, and answers that are known.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use gatefold_data::Batch;
use gatefold_model::{Network, NetworkError};
use rayon::prelude::*;

use super::LinearPath;
use crate::batch::{Answers, tokens};

/// A network, and n-grams beside it if there are any, which answer together.
#[derive(Module, Debug)]
pub struct Blended {
    /// The network.
    pub network: Network,
    #[module(skip)]
    path: Option<Arc<LinearPath>>,
}

impl Blended {
    /// `network`, with the n-grams that are blended with it.
    pub fn new(network: Network, path: Option<LinearPath>) -> Self {
        let path = path.map(Arc::new);
        Self { network, path }
    }

    /// Whether there are n-grams.
    pub fn has_ngrams(&self) -> bool {
        self.path.is_some()
    }
}

impl Answers for Blended {
    fn answers(&self, batch: &Batch, device: &Device) -> Result<Tensor<2>, NetworkError> {
        let answers = self.network.answers(batch, device)?;
        let Some(path) = &self.path else {
            return Ok(answers);
        };
        // Padding that is read is no word, and in no run.
        let logits = |(row, &length): (&[i32], &i32)| {
            let ids = row[..length as usize].iter().map(|&id| id as u32);
            let logits = path.ngrams.logits(&ids.collect::<Vec<_>>());
            path.blend.beside(&logits).collect::<Vec<_>>()
        };
        let rows = tokens(batch)?
            .par_chunks(batch.time.max(1))
            .zip(&batch.lengths);
        let beside: Vec<Vec<f32>> = rows.map(logits).collect();
        let beside = TensorData::new(beside.concat(), answers.dims());
        Ok(answers * path.blend.network + Tensor::from_data(beside, device))
    }

    fn weight_name(path: &str) -> String {
        Network::weight_name(path.strip_prefix("network.").unwrap_or(path))
    }
}

/// Answers that are known, to be scored as a network's: those to the examples of each batch's indices.
#[derive(Module, Debug)]
pub(super) struct Given {
    #[module(skip)]
    answers: Vec<Vec<f32>>,
}

impl Given {
    pub fn new(answers: Vec<Vec<f32>>) -> Self {
        Self { answers }
    }
}

impl Answers for Given {
    fn answers(&self, batch: &Batch, device: &Device) -> Result<Tensor<2>, NetworkError> {
        let rows = batch.indices.iter().flat_map(|&index| &self.answers[index]);
        let rows: Vec<f32> = rows.copied().collect();
        let width = rows.len() / batch.size.max(1);
        Ok(Tensor::from_data(
            TensorData::new(rows, [batch.size, width]),
            device,
        ))
    }
}
