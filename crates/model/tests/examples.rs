//! The examples do what they promise: each checks what it shows.

#[path = "../examples/encoder.rs"]
mod encoder;
#[path = "../examples/streaming.rs"]
mod streaming;
#[path = "../examples/swap.rs"]
mod swap;
#[path = "../examples/truncated.rs"]
mod truncated;

#[test]
fn burns_layers_are_swapped() {
    swap::main().unwrap();
}

#[test]
fn an_encoder_of_two_layers_in_both_directions_learns() {
    encoder::main();
}

#[test]
fn a_series_is_learned_in_parts() {
    truncated::main();
}

#[test]
fn a_sequence_is_streamed_as_it_is_walked() {
    streaming::main().unwrap();
}
