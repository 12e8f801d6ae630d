//! See [`dns_glue_fuzz::zone`].

#![no_main]

use dns_glue_fuzz::zone;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    zone::run(octets);
});
