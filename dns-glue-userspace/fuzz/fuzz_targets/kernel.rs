//! See [`dns_glue_fuzz::kernel`].

#![no_main]

use dns_glue_fuzz::kernel;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    kernel::run(octets);
});
