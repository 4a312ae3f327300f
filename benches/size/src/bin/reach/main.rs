//! The image that `cargo xtask panics` reads: every call that the crates of firmware offer, reached from `main`, over both
//! network adapters and with the writers. It is neither weighed nor run. Bytes, time and randomness come from memory that the
//! optimiser must take for hardware.
#![no_std]
#![no_main]

mod commands;
mod hardware;
mod nal;
mod network;
mod session;
mod writers;

use tutk_size::rt::entry;

#[entry]
fn main() -> ! {
    loop {
        match hardware::register(0) {
            0 => network::view(),
            1 => network::serve(),
            2 => nal::view(),
            _ => nal::serve(),
        };
    }
}
