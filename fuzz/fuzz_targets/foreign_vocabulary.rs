#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gatefold_data::fuzzing::foreign_vocabulary(data));
