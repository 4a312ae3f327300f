//! What the programs share: a panic handler that links no formatting, and memory that the optimiser cannot see through.
#![no_std]

#[cfg(feature = "run")]
pub mod meter;

use core::mem::MaybeUninit;

#[cfg(target_arch = "arm")]
pub use cortex_m_rt as rt;
#[cfg(target_arch = "riscv32")]
pub use riscv_rt as rt;

/// Where every panic ends. `cargo xtask panics` looks for the calls that lead here, so it is never inlined.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn image_panicked() -> ! {
    #[cfg(feature = "run")]
    semihosting::process::exit(101);
    #[cfg(not(feature = "run"))]
    loop {
        core::hint::black_box(());
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    image_panicked()
}

/// Static memory for one value that is made at run time, as a firmware would have it in a `static`.
pub struct Slot<T>(core::cell::UnsafeCell<MaybeUninit<T>>);

// SAFETY: these programs have one thread of execution and no interrupts.
unsafe impl<T> Sync for Slot<T> {}

impl<T> Slot<T> {
    /// Memory of zeros.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self(core::cell::UnsafeCell::new(MaybeUninit::zeroed()))
    }

    /// The value, whose bytes are all zero unless something else was put there.
    ///
    /// # Safety
    /// Zeros must be a value of `T`, and no other borrow may be alive.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn get(&'static self) -> &'static mut T {
        // SAFETY: the caller vouches for the bytes and for being alone.
        unsafe { (*self.0.get()).assume_init_mut() }
    }

    /// Puts a value there.
    ///
    /// # Safety
    /// To be called once.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn put(&'static self, make: impl FnOnce() -> T) -> &'static mut T {
        // SAFETY: the caller calls it once, so nobody else borrows it.
        unsafe { (*self.0.get()).write(make()) }
    }
}
