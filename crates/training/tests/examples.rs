//! The examples do what they promise: each checks what it shows.

#[path = "../examples/forecaster.rs"]
mod forecaster;
#[path = "../examples/own_network.rs"]
mod own_network;
#[path = "../examples/tagger.rs"]
mod tagger;

#[test]
fn a_series_of_numbers_is_forecast_better_than_by_its_last_value() {
    forecaster::main().unwrap();
}

#[test]
fn a_class_for_every_timestep_is_learnt() {
    tagger::main().unwrap();
}

#[test]
fn a_network_of_ones_own_is_trained() {
    own_network::main().unwrap();
}
