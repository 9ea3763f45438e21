//! Where dropout's masks come from: a device's generator, as Burn has it, or one that is handed on, which
//! nobody else draws from.

use burn::nn::Dropout;
use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;

/// Dropout's masks.
pub(crate) trait Masks {
    /// A mask of `shape`: 0 for the share that is dropped, 1 / (1 - share) for the rest. `None` where nothing is.
    fn mask<const D: usize>(
        &mut self,
        dropout: &Dropout,
        shape: [usize; D],
        device: &Device,
    ) -> Option<Tensor<D>>;

    /// What is left of `values`.
    fn drop_values<const D: usize>(&mut self, dropout: &Dropout, values: Tensor<D>) -> Tensor<D> {
        match self.mask(dropout, values.dims(), &values.device()) {
            Some(mask) => values * mask,
            None => values,
        }
    }

    /// A weight without the rows that are dropped: of a recurrent one `[H, G·H]` those of hidden units, whose products
    /// with a hidden state are what a state without those units would give; of an embedding `[V, E]` those of tokens.
    fn drop_rows(&mut self, dropout: &Dropout, weight: Tensor<2>) -> Tensor<2> {
        let [rows, _] = weight.dims();
        match self.mask(dropout, [rows, 1], &weight.device()) {
            Some(mask) => weight * mask,
            None => weight,
        }
    }
}

/// Burn's: drawn by the device, which shares its generator with all devices of its kind, and only where it records
/// gradients.
pub(crate) struct OfDevice;

impl Masks for OfDevice {
    fn mask<const D: usize>(
        &mut self,
        dropout: &Dropout,
        shape: [usize; D],
        device: &Device,
    ) -> Option<Tensor<D>> {
        let drops = drops(dropout) && device.is_autodiff();
        drops.then(|| dropout.forward(Tensor::ones(shape, device)))
    }
}

/// Drawn on the host, 32 bits a number: the same on every device.
pub(crate) struct Drawn<'a, R>(pub &'a mut R);

impl<R: Rng> Masks for Drawn<'_, R> {
    fn mask<const D: usize>(
        &mut self,
        dropout: &Dropout,
        shape: [usize; D],
        device: &Device,
    ) -> Option<Tensor<D>> {
        drops(dropout).then(|| {
            let kept = (1.0 / (1.0 - dropout.prob)) as f32;
            let first_kept = (dropout.prob * 2f64.powi(32)) as u32;
            let values: Vec<f32> = (0..shape.iter().product())
                .map(|_| {
                    if self.0.next_u32() < first_kept {
                        0.0
                    } else {
                        kept
                    }
                })
                .collect();
            Tensor::from_data(TensorData::new(values, shape), device)
        })
    }
}

fn drops(dropout: &Dropout) -> bool {
    dropout.prob > 0.0 && dropout.training.is_enabled()
}

#[cfg(test)]
mod tests {
    use burn::nn::DropoutConfig;

    use super::*;
    use crate::initializers::draw::generator;

    #[test]
    fn a_mask_drops_its_share_and_keeps_the_mean() {
        for share in [0.1, 0.5, 0.75] {
            let dropout = DropoutConfig::new(share).init();
            let mut draws = generator(7);
            let mask = Drawn(&mut draws).mask(&dropout, [100, 100], &Device::flex());
            let mask: Vec<f32> = mask.unwrap().into_data().iter().collect();
            let dropped = mask.iter().filter(|&&value| value == 0.0).count() as f64 / 1e4;
            assert!((dropped - share).abs() < 0.02, "{dropped} of {share}");
            let kept = (1.0 / (1.0 - share)) as f32;
            assert!(mask.iter().all(|&value| value == 0.0 || value == kept));
        }
    }

    #[test]
    fn nothing_is_dropped_without_a_share_nor_where_a_layer_is_frozen() {
        use burn::module::Module;

        let device = &Device::flex();
        let mut draws = generator(7);
        let masks = &mut Drawn(&mut draws);
        let none = DropoutConfig::new(0.0).init();
        assert!(masks.mask(&none, [3], device).is_none());
        let frozen = DropoutConfig::new(0.5).init().freeze();
        assert!(masks.mask(&frozen, [3], device).is_none());
    }
}
