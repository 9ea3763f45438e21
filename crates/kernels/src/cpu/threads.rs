//! Work that threads share.

use rayon::prelude::*;

/// Has chunks of `values` computed, each with its number, by threads; or all of them as the first chunk, where it is so
/// little that another thread takes longer to wake than it saves.
pub(super) fn chunks(
    values: &mut [f32],
    chunk: usize,
    is_little: bool,
    compute: impl Fn(usize, &mut [f32]) + Sync,
) {
    if is_little {
        compute(0, values);
    } else {
        let chunks = values.par_chunks_mut(chunk).enumerate();
        chunks.for_each(|(i, values)| compute(i, values));
    }
}
