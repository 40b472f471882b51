#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = scorehouse_entries::run("snapshot", bytes);
});
