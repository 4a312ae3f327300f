//! Instructions and stack of one call.

/// How far down the stack is painted, bytes.
const DEPTH: usize = 32 * 1024;
const PAINT: u32 = 0xc0de_57ac;

/// Sums instructions and keeps the deepest stack of the calls measured with it.
#[derive(Default)]
pub struct Meter {
    /// Instructions of all calls.
    pub instructions: u32,
    /// The deepest stack of any call, bytes below the caller's.
    pub stack: u32,
}

impl Meter {
    /// Measures one call.
    #[inline(never)]
    pub fn measure<R>(&mut self, call: impl FnOnce() -> R) -> R {
        let top = stack_pointer();
        paint(top);
        let start = counter();
        let result = enter(call);
        self.instructions += elapsed(start);
        self.stack = self.stack.max(depth(top));
        result
    }
}

/// A frame of its own for the call, so that all of it lies below what was painted.
#[inline(never)]
fn enter<R>(call: impl FnOnce() -> R) -> R {
    call()
}

#[inline(never)]
fn paint(top: usize) {
    let mut at = (top - DEPTH) as *mut u32;
    // This function's own frame is left alone.
    while (at as usize) < stack_pointer() - 16 {
        // SAFETY: unused stack; the linker script leaves more than DEPTH.
        unsafe {
            at.write_volatile(PAINT);
            at = at.add(1);
        }
    }
}

#[inline(never)]
fn depth(top: usize) -> u32 {
    let mut at = (top - DEPTH) as *const u32;
    // SAFETY: as in `paint`.
    while (at as usize) < top && unsafe { at.read_volatile() } == PAINT {
        at = at.wrapping_add(1);
    }
    (top - at as usize) as u32
}

#[inline(always)]
fn stack_pointer() -> usize {
    let sp: usize;
    // SAFETY: only reads a register.
    unsafe {
        #[cfg(target_arch = "riscv32")]
        core::arch::asm!("mv {}, sp", out(reg) sp);
        #[cfg(target_arch = "arm")]
        core::arch::asm!("mov {}, sp", out(reg) sp);
    }
    sp
}

#[cfg(target_arch = "riscv32")]
mod clock {
    /// `minstret` counts instructions as they are.
    pub fn start() {}

    #[inline(always)]
    pub(super) fn counter() -> u32 {
        let count: u32;
        // SAFETY: only reads a counter.
        unsafe { core::arch::asm!("csrr {}, minstret", out(reg) count) };
        count
    }

    pub(super) fn elapsed(start: u32) -> u32 {
        counter().wrapping_sub(start)
    }
}

#[cfg(target_arch = "arm")]
mod clock {
    /// QEMU has no cycle counter for Cortex-M. SysTick runs at 25 MHz and, under `-icount shift=0`, an instruction takes
    /// a nanosecond: 40 of them a tick.
    const PER_TICK: u32 = 40;
    const SYST: *mut u32 = 0xe000_e010 as *mut u32;

    /// Starts the counter.
    pub fn start() {
        // SAFETY: the registers of SysTick: reload, current value, control (processor clock, no interrupt, on).
        unsafe {
            SYST.add(1).write_volatile(0x00ff_ffff);
            SYST.add(2).write_volatile(0);
            SYST.write_volatile(0b101);
        }
    }

    #[inline(always)]
    pub(super) fn counter() -> u32 {
        // SAFETY: reads the current value.
        unsafe { SYST.add(2).read_volatile() }
    }

    pub(super) fn elapsed(start: u32) -> u32 {
        (start.wrapping_sub(counter()) & 0x00ff_ffff) * PER_TICK
    }
}

use clock::{counter, elapsed};

pub use clock::start;
