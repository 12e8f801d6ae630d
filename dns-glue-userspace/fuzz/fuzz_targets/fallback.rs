//! See [`dns_glue_fuzz::fallback`].

#![no_main]

use dns_glue_fuzz::fallback;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    fallback::run(octets);
});
