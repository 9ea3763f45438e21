//! What a device's seed settles: first weights and dropout of layers that are used as Burn's own are. One test alone
//! in its process, which has one generator for all threads.

use burn::module::Module;
use burn::nn::DropoutConfig;
use burn::tensor::{Device, Tensor, TensorData};
use gatefold_model::{GruConfig, SimpleRnn, SimpleRnnConfig};

#[test]
fn a_device_seed_settles_first_weights_and_dropout() {
    let device = Device::flex();
    let weight = |seed| {
        device.seed(seed);
        GruConfig::new(3, 4)
            .init(&device)
            .recurrent_weight
            .val()
            .into_data()
    };
    assert_eq!(weight(1), weight(1));
    assert_ne!(weight(1), weight(2));

    let tracked = device.clone().autodiff();
    let layer = SimpleRnnConfig::new(3, 64)
        .with_recurrent_dropout(0.5)
        .init(&tracked);
    let values = (0..30).map(|i| (i * i % 7) as f32 / 7.0).collect();
    let input = TensorData::new::<f32, _>(values, [2, 5, 3]);
    let states = |layer: &SimpleRnn, device: &Device| {
        let input = Tensor::from_data(input.clone(), device);
        layer.forward(input, None, None).hidden_states.into_data()
    };
    let seeded = |seed| {
        tracked.seed(seed);
        states(&layer, &tracked)
    };
    assert_eq!(seeded(1), seeded(1));
    assert_ne!(seeded(1), seeded(2));

    // Only where gradients are recorded.
    let plain = layer.valid();
    let without = SimpleRnn {
        recurrent_dropout: DropoutConfig::new(0.0).init(),
        ..plain.clone()
    };
    assert_eq!(states(&plain, &device), states(&without, &device));
}
