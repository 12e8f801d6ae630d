//! See [`dns_glue_fuzz::packet`].

#![no_main]

use dns_glue_fuzz::packet;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    packet::run(octets);
});
