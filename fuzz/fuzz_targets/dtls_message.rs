#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tutk_dtls::dtls_message(data));
