#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gatefold_data::fuzzing::word_vectors(data));
