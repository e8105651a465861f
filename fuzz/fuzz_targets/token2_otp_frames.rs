#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    kiln_fuzz::token2_otp_frames(bytes);
});
