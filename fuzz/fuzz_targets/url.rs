#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| wyze_std::url(data));
