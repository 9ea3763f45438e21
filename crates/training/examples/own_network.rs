//! A network of one's own in the trainer, which clips, weighs and steps as it does for the program's: two cells side
//! by side, whose last states are answered from together.
//!
//! ```sh
//! cargo run --release --package gatefold-training --example own_network
//! ```

use gatefold_data::{Batch, BatchInput, BatchTargets};
use gatefold_model::burn;
use gatefold_model::burn::module::Module;
use gatefold_model::burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use gatefold_model::burn::tensor::{Device, Tensor, TensorData};
use gatefold_model::{Gru, GruConfig, Lstm, LstmConfig, NetworkError};
use gatefold_training::{Answers, Objective, RunConfig, Trainer};

#[derive(Module, Debug)]
struct SideBySide {
    words: Embedding,
    lstm: Lstm,
    gru: Gru,
    output: Linear,
}

impl Answers for SideBySide {
    fn answers(&self, batch: &Batch, device: &Device) -> Result<Tensor<2>, NetworkError> {
        let BatchInput::Tokens(ids) = &batch.input else {
            return Err(NetworkError::Kind {
                reads: "tokens",
                given: "numbers",
            });
        };
        let ids = TensorData::new(ids.clone(), [batch.size, batch.time]);
        let words = self.words.forward(Tensor::from_data(ids, device));
        let lengths = || Some(Tensor::from_data(&batch.lengths[..], device));
        let lstm = self.lstm.try_forward(words.clone(), lengths(), None)?;
        let gru = self.gru.try_forward(words, lengths(), None)?;
        let last = Tensor::cat(vec![lstm.final_state.hidden, gru.final_hidden], 1);
        Ok(self.output.forward(last))
    }
}

/// Rows of words below 20; which of two is the class is said by the first word.
fn batch(number: usize) -> Batch {
    let (size, time) = (32, 6);
    let word = |row: usize, t: usize| (number * 131 + row * 37 + t * 11 + row * t * 7) % 20;
    let ids = (0..size).flat_map(|row| (0..time).map(move |t| word(row, t) as i32));
    Batch {
        input: BatchInput::Tokens(ids.collect()),
        lengths: vec![time as i32; size],
        targets: Some(BatchTargets::Classes(
            (0..size).map(|row| i32::from(word(row, 0) < 10)).collect(),
        )),
        size,
        time,
        indices: (0..size).collect(),
    }
}

/// Shows it.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    let tracked = device.clone().autodiff();
    tracked.seed(42);
    let network = SideBySide {
        words: EmbeddingConfig::new(20, 8).init(&tracked),
        lstm: LstmConfig::new(8, 16).init(&tracked),
        gru: GruConfig::new(8, 16).init(&tracked),
        output: LinearConfig::new(32, 1).init(&tracked),
    };
    let config = RunConfig::default().training;
    let mut trainer = Trainer::new(network, Objective::Binary, &config, &device);
    let mut right = 0.0;
    for number in 0..500 {
        let batch = batch(number);
        let answers: Vec<f32> = trainer.step(&batch, 1e-2)?.into_data().iter().collect();
        let Some(BatchTargets::Classes(classes)) = &batch.targets else {
            unreachable!("the batch was just made with classes");
        };
        let hits = answers
            .iter()
            .zip(classes)
            .filter(|(answer, class)| (**answer > 0.0) == (**class == 1));
        right = 0.9 * right + 0.1 * hits.count() as f64 / batch.size as f64;
        if number % 100 == 99 {
            println!("step {}: {:.0} % right of late", number + 1, 100.0 * right);
        }
    }
    assert!(right > 0.9, "{right}");
    Ok(())
}
