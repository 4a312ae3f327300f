#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| wyze_media::media(data));
