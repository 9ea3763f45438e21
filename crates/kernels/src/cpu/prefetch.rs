//! Asks the processor for memory before it is needed. A walk reads and writes a few short pieces of every row
//! at each step: too many streams for the processor to foresee.

/// Bytes that come together.
const LINE: usize = 64;

/// Asks for all of `values`.
#[inline(always)]
#[allow(unsafe_code)]
pub(super) fn prefetch(values: &[f32]) {
    for line in values.chunks(LINE / size_of::<f32>()) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a hint reads nothing that the program sees, and `line` is valid memory.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = line;
    }
}
