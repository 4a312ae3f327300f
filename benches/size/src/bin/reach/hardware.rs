//! A radio, a clock, a random number generator and a serial port, all of four registers.

use core::convert::Infallible;
use core::fmt;
use core::hint::black_box;
use core::net::{Ipv4Addr, SocketAddrV4};

use rand_core::{TryCryptoRng, TryRng};
use wyze_smoltcp::session::kauth::OpenUserId;
use wyze_smoltcp::session::{Enr, Instant, Mac, Uid};

static REGISTERS: [u32; 4] = [0; 4];

pub(crate) fn register(n: usize) -> u32 {
    // SAFETY: it lies within the array; volatile, so the optimiser does not know what is there.
    unsafe {
        (&raw const REGISTERS)
            .cast::<u32>()
            .wrapping_add(n & 3)
            .read_volatile()
    }
}

/// Whether it is to be done this time.
pub(crate) fn chance() -> bool {
    register(0) & 1 == 0
}

pub(crate) fn now() -> Instant {
    Instant::from_micros(u64::from(register(1)))
}

pub(crate) fn peer() -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from_bits(register(2)), register(3) as u16)
}

/// Fills the front of `buffer`, and says how much of it.
pub(crate) fn read(buffer: &mut [u8]) -> usize {
    for byte in &mut *buffer {
        *byte = register(3) as u8;
    }
    (register(0) as usize).min(buffer.len())
}

/// A text of any length up to that of `buffer`.
pub(crate) fn text(buffer: &mut [u8]) -> &str {
    let len = read(buffer);
    let bytes = buffer.get(..len).unwrap_or_default();
    core::str::from_utf8(bytes).unwrap_or_default()
}

pub(crate) fn identity() -> Option<(Uid, Enr, Mac, OpenUserId)> {
    let mut buffer = [0; 40];
    Some((
        text(&mut buffer).parse().ok()?,
        Enr::new(text(&mut buffer)).ok()?,
        Mac::new(text(&mut buffer)).ok()?,
        OpenUserId::new(text(&mut buffer)).ok()?,
    ))
}

pub(crate) struct Random;

impl TryRng for Random {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(register(0))
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from(register(0)) << 32 | u64::from(register(0)))
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for byte in out {
            *byte = register(0) as u8;
        }
        Ok(())
    }
}
impl TryCryptoRng for Random {}

/// Where text goes.
pub(crate) struct Serial;

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            black_box(byte);
        }
        if chance() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// Writes what a program would show to a user.
pub(crate) fn show(what: &dyn fmt::Display) {
    let _ = fmt::write(&mut Serial, format_args!("{what}"));
}
