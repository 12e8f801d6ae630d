//! What every program of this crate ends with, what keeps the verifier's view of
//! a value, and how octets get into a packet.
//!
//! On the host there is nothing: the library target exists there so that
//! dns-glue-userspace can name this crate as a build dependency and be rebuilt
//! when it changes.
#![no_std]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

#[cfg(target_arch = "bpf")]
pub mod rest;

/// Makes a value something that the optimiser knows nothing of, so that the
/// checks and masks that follow stay in the program for the verifier to see.
#[cfg(target_arch = "bpf")]
#[inline(always)]
pub fn opaque(mut value: usize) -> usize {
    use core::arch::asm;

    // SAFETY: a register is moved to itself.
    unsafe { asm!("{0} = {0}", inout(reg) value, options(pure, nomem, nostack, preserves_flags)) };
    value
}

/// What an object of programs needs beside them: a panic handler and a licence.
#[macro_export]
macro_rules! object {
    () => {
        /// Never reached: a panic that could be would be refused by the
        /// verifier, as an endless loop, when the program is loaded.
        #[cfg(not(test))]
        #[panic_handler]
        fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
            loop {}
        }

        /// The kernel gives some of its helpers to GPL-compatible programs only.
        #[unsafe(link_section = "license")]
        #[unsafe(no_mangle)]
        static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
    };
}
