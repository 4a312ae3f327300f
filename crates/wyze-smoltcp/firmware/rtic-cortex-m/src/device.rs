//! What a peripheral access crate says of its chip, as far as RTIC asks. Numbers: Arm's application note AN386.

use cortex_m::interrupt::InterruptNumber;

/// Bits of an interrupt's priority.
pub(crate) const NVIC_PRIO_BITS: u8 = 3;

/// Interrupts of the board that are used here.
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, clippy::upper_case_acronyms)] // as such crates write them
pub(crate) enum Interrupt {
    /// Lent to RTIC, which starts its tasks by it.
    UART0_RX = 0,
    ETHERNET = 13,
}

pub(crate) use Interrupt as interrupt;

// SAFETY: numbers of this board's interrupts, all different.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

unsafe extern "C" {
    safe fn DefaultHandler();
    safe fn UART0_RX();
    safe fn ETHERNET();
}

/// The processor's table of them.
// SAFETY: the name and the section that cortex-m-rt's linker script asks for, once.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".vector_table.interrupts")]
pub(crate) static __INTERRUPTS: [extern "C" fn(); 32] = {
    let mut table: [extern "C" fn(); 32] = [DefaultHandler; 32];
    table[Interrupt::UART0_RX as usize] = UART0_RX;
    table[Interrupt::ETHERNET as usize] = ETHERNET;
    table
};
