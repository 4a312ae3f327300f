//! The machine: clock, console, sleep. Addresses: QEMU, `hw/riscv/virt.c`.

use core::fmt;

use firmware_common::Board;
use smoltcp::phy::{Device, DeviceCapabilities};
use smoltcp::time::{Duration, Instant};

use crate::net::{Net, Receive, Transmit};

const UART: usize = 0x1000_0000;
const CLINT_MTIMECMP: usize = 0x0200_4000;
const CLINT_MTIME: usize = 0x0200_bff8;
/// Ticks of the clock a microsecond.
const TICKS: u64 = 10;
const PLIC: usize = 0x0c00_0000;
const PLIC_ENABLE: usize = PLIC + 0x2000;
const PLIC_THRESHOLD: usize = PLIC + 0x20_0000;
const PLIC_CLAIM: usize = PLIC + 0x20_0004;

fn read(address: usize) -> u32 {
    // SAFETY: the constants above are registers of this machine, which tolerate reading at any time.
    unsafe { (address as *const u32).read_volatile() }
}

fn write(address: usize, value: u32) {
    // SAFETY: the constants above are registers of this machine, none of which moves memory.
    unsafe { (address as *mut u32).write_volatile(value) }
}

/// The console, a 16550.
pub(crate) struct Uart;

impl fmt::Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // SAFETY: status and data register of the UART, a byte wide each.
            unsafe {
                while ((UART + 5) as *const u8).read_volatile() & 0x20 == 0 {}
                (UART as *mut u8).write_volatile(byte);
            }
        }
        Ok(())
    }
}

/// The machine as a [`Board`].
pub(crate) struct Machine {
    net: Net,
}

impl Machine {
    /// Finds the network device and lets it and the clock end a sleep.
    pub(crate) fn new() -> Option<Self> {
        let (net, interrupt) = Net::find()?;
        write(PLIC + 4 * interrupt, 1);
        write(PLIC_ENABLE, 1 << interrupt);
        write(PLIC_THRESHOLD, 0);
        // SAFETY: interrupts stay off as a whole, so nothing is ever interrupted: `wfi` only looks for one that waits.
        unsafe {
            riscv::register::mie::set_mtimer();
            riscv::register::mie::set_mext();
        }
        Some(Self { net })
    }
}

impl Board for Machine {
    fn now(&mut self) -> Instant {
        Instant::from_micros((mtime() / TICKS) as i64)
    }

    fn sleep(&mut self, time: Option<Duration>) {
        let ticks = time.map_or(u64::MAX, |time| time.total_micros().saturating_mul(TICKS));
        let until = mtime().saturating_add(ticks);
        // The high half last but for a moment in which nothing is due.
        write(CLINT_MTIMECMP + 4, u32::MAX);
        write(CLINT_MTIMECMP, until as u32);
        write(CLINT_MTIMECMP + 4, (until >> 32) as u32);
        if !self.net.has_received() {
            riscv::asm::wfi();
        }
        let interrupt = read(PLIC_CLAIM);
        if interrupt != 0 {
            self.net.acknowledge();
            write(PLIC_CLAIM, interrupt);
        }
    }

    fn mac(&self) -> [u8; 6] {
        self.net.mac()
    }
}

impl fmt::Write for Machine {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        Uart.write_str(text)
    }
}

impl Device for Machine {
    type RxToken<'a> = Receive<'a>;
    type TxToken<'a> = Transmit<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Receive<'_>, Transmit<'_>)> {
        self.net.receive()
    }

    fn transmit(&mut self, _: Instant) -> Option<Transmit<'_>> {
        Some(self.net.transmit())
    }

    fn capabilities(&self) -> DeviceCapabilities {
        Net::capabilities()
    }
}

fn mtime() -> u64 {
    loop {
        let (high, low) = (read(CLINT_MTIME + 4), read(CLINT_MTIME));
        if high == read(CLINT_MTIME + 4) {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}
