//! N-grams to and from SafeTensors.
//!
//! A file is somebody else's: all that can be told from its bytes is checked.

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::{Blend, LinearPath, MOST_ORDERS, MOST_WEIGHTS, Ngrams};
use crate::error::{Result, TrainingError};

/// The file of a run with n-grams.
pub const NGRAMS: &str = "ngrams.safetensors";

const KEYS: &str = "keys";
const WEIGHTS: &str = "weights";
const BIAS: &str = "bias";
const BLEND: &str = "blend";
const METADATA: &str = "gatefold";

/// What a file says of itself, as JSON in the metadata's entry `gatefold`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    /// The hash of the vocabulary and the labels that ids and outputs belong to.
    vocabulary: String,
    orders: usize,
    base: u32,
    cost: f64,
}

/// Bytes of a file beside a network of so many outputs.
pub fn most_bytes(outputs: usize) -> u64 {
    let runs = MOST_WEIGHTS / outputs.max(1);
    (8 * runs + 4 * MOST_WEIGHTS + (1 << 16) + 64 * outputs) as u64
}

impl LinearPath {
    /// A SafeTensors file's bytes: `keys`, a 64-bit number a run, of which each 21 bits are a token's id plus 1,
    /// ascending; `weights`, `[runs, outputs]`; `bias`, `[outputs]`; `blend`, 64-bit floats: a,
    /// b and an output's c each. `vocabulary` is the [fingerprint](crate::bundle::fingerprint) of what ids and
    /// outputs stand for. The same n-grams make the same bytes.
    ///
    /// # Errors
    /// If they can't be written.
    pub fn to_bytes(&self, vocabulary: &str) -> Result<Vec<u8>> {
        let Ngrams {
            orders,
            base,
            cost,
            keys,
            weights,
            bias,
        } = &self.ngrams;
        let metadata = Metadata {
            vocabulary: vocabulary.into(),
            orders: *orders,
            base: *base,
            cost: *cost,
        };
        let metadata = serde_json::to_string(&metadata).expect("numbers and a text are JSON");
        let floats = |numbers: &[f32]| -> Vec<u8> {
            numbers
                .iter()
                .flat_map(|number| number.to_le_bytes())
                .collect()
        };
        let keys_bytes: Vec<u8> = keys.iter().flat_map(|key| key.to_le_bytes()).collect();
        let (weights, bias_bytes) = (floats(weights), floats(bias));
        let Blend {
            network,
            ngrams,
            bias: added,
        } = &self.blend;
        let blend = [network, ngrams].into_iter().chain(added);
        let blend: Vec<u8> = blend.flat_map(|number| number.to_le_bytes()).collect();
        let view = |kind, shape: Vec<usize>, bytes| {
            TensorView::new(kind, shape, bytes).expect("a tensor has the bytes of its shape")
        };
        let tensors = [
            (KEYS, view(Dtype::U64, vec![keys.len()], &keys_bytes)),
            (
                WEIGHTS,
                view(Dtype::F32, vec![keys.len(), bias.len()], &weights),
            ),
            (BIAS, view(Dtype::F32, vec![bias.len()], &bias_bytes)),
            (BLEND, view(Dtype::F64, vec![2 + added.len()], &blend)),
        ];
        safetensors::serialize(tensors, Some([(METADATA.to_owned(), metadata)].into()))
            .map_err(|error| unfit(&format!("can't be written: {error}")))
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote, beside a network of `outputs` numbers and of a `vocabulary` of this
    /// fingerprint.
    ///
    /// # Errors
    /// If it is damaged, or belongs to another network.
    pub fn from_bytes(bytes: &[u8], outputs: usize, vocabulary: &str) -> Result<Self> {
        let damaged = |what: &str| unfit(&format!("is damaged: {what}"));
        let file = SafeTensors::deserialize(bytes);
        let file = file.map_err(|_| damaged("it is no SafeTensors file"))?;
        let (_, header) =
            SafeTensors::read_metadata(bytes).map_err(|_| damaged("it is no SafeTensors file"))?;
        let entry = header.metadata().as_ref().and_then(|of| of.get(METADATA));
        let metadata = entry.and_then(|entry| serde_json::from_str::<Metadata>(entry).ok());
        let metadata =
            metadata.ok_or_else(|| damaged("its metadata's `gatefold` can't be read"))?;
        if metadata.vocabulary != vocabulary {
            return Err(unfit(
                "was made with another vocabulary or other labels: its ids stand for other words",
            ));
        }
        let tensor = |name: &str, kind, shape: &[usize]| {
            let tensor = file.tensor(name).ok();
            let tensor = tensor.filter(|found| found.dtype() == kind && found.shape() == shape);
            let expected = || damaged(&format!("it has no tensor {name} of the shape {shape:?}"));
            tensor.map(|found| found.data()).ok_or_else(expected)
        };
        let runs = file
            .tensor(KEYS)
            .map_or(0, |keys| keys.shape().iter().product());
        if runs > MOST_WEIGHTS / outputs.max(1) || file.len() != 4 {
            return Err(damaged("it has more than there can be"));
        }
        let floats = |bytes: &[u8]| -> Vec<f32> {
            let (numbers, _) = bytes.as_chunks::<4>();
            numbers
                .iter()
                .map(|&number| f32::from_le_bytes(number))
                .collect()
        };
        let (keys, _) = tensor(KEYS, Dtype::U64, &[runs])?.as_chunks::<8>();
        let keys: Vec<u64> = keys.iter().map(|&key| u64::from_le_bytes(key)).collect();
        if !keys.is_sorted_by(|a, b| a < b) {
            return Err(damaged("its keys don't ascend"));
        }
        let weights = floats(tensor(WEIGHTS, Dtype::F32, &[runs, outputs])?);
        let bias = floats(tensor(BIAS, Dtype::F32, &[outputs])?);
        let (blend, _) = tensor(BLEND, Dtype::F64, &[2 + outputs])?.as_chunks::<8>();
        let blend: Vec<f64> = blend
            .iter()
            .map(|&number| f64::from_le_bytes(number))
            .collect();
        let Metadata {
            orders, base, cost, ..
        } = metadata;
        let are_numbers = weights.iter().chain(&bias).all(|number| number.is_finite())
            && blend.iter().all(|number| number.is_finite())
            && [cost, blend[0], blend[1]]
                .iter()
                .all(|number| *number >= 0.0);
        if !are_numbers || !(1..=MOST_ORDERS).contains(&orders) {
            return Err(damaged("a number in it is none that training leaves"));
        }
        let blend = Blend {
            network: blend[0],
            ngrams: blend[1],
            bias: blend[2..].to_vec(),
        };
        let ngrams = Ngrams {
            orders,
            base,
            cost,
            keys,
            weights,
            bias,
        };
        Ok(Self { ngrams, blend })
    }
}

fn unfit(what: &str) -> TrainingError {
    TrainingError::Bundle(format!("{NGRAMS} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> LinearPath {
        let blend = Blend {
            network: 0.6,
            ngrams: 0.9,
            bias: vec![0.1, -0.25],
        };
        let ngrams = Ngrams {
            orders: 2,
            base: 7,
            cost: 30.0,
            keys: vec![4, 5, 4 << 21 | 5],
            weights: vec![0.5, -1.0, 0.25, 3.0, -2.0, 1.0],
            bias: vec![0.125, -0.5],
        };
        LinearPath { ngrams, blend }
    }

    #[test]
    fn n_grams_survive_the_round_trip() {
        let bytes = path().to_bytes("v").unwrap();
        assert_eq!(bytes, path().to_bytes("v").unwrap());
        assert_eq!(LinearPath::from_bytes(&bytes, 2, "v").unwrap(), path());
        assert!(bytes.len() as u64 <= most_bytes(2));
    }

    #[test]
    fn what_is_damaged_or_of_another_network_is_refused() {
        let read = |path: &LinearPath, outputs, vocabulary| {
            let bytes = path.to_bytes("v").unwrap();
            let read = LinearPath::from_bytes(&bytes, outputs, vocabulary);
            read.unwrap_err().to_string()
        };
        assert!(read(&path(), 2, "w").contains("another vocabulary"));
        assert!(read(&path(), 1, "v").contains("tensor weights of the shape [3, 1]"));
        let changed = |change: fn(&mut LinearPath)| {
            let mut path = path();
            change(&mut path);
            read(&path, 2, "v")
        };
        assert!(changed(|path| path.ngrams.keys.swap(0, 1)).contains("don't ascend"));
        for change in [
            (|path| path.ngrams.weights[3] = f32::NAN) as fn(&mut LinearPath),
            |path| path.ngrams.bias[0] = f32::INFINITY,
            |path| path.ngrams.orders = 4,
            |path| path.ngrams.orders = 0,
            |path| path.blend.ngrams = -1.0,
            |path| path.blend.network = f64::NAN,
        ] {
            assert!(changed(change).contains("a number in it"));
        }
        assert!(changed(|path| path.blend.bias.truncate(1)).contains("tensor blend"));
        let whole = path().to_bytes("v").unwrap();
        for length in 0..whole.len() {
            LinearPath::from_bytes(&whole[..length], 2, "v").unwrap_err();
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            // Whatever it is, it is told without a panic.
            let _ = LinearPath::from_bytes(&bytes, 2, "v");
        }
    }
}
