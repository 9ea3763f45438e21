//! Long texts as streams that are read side by side, a part at a step.

/// Which examples each batch holds where `examples` are the parts of `streams` streams, stream after stream: at every step
/// the next part of each.
///
/// # Panics
/// If the streams don't have as many parts each.
pub fn streams_plan(examples: usize, streams: usize) -> Vec<Vec<usize>> {
    assert!(
        streams > 0 && examples.is_multiple_of(streams),
        "{streams} streams of as many parts each make no {examples} examples"
    );
    let parts = examples / streams;
    let step = |part| (0..streams).map(|stream| stream * parts + part).collect();
    (0..parts).map(step).collect()
}
