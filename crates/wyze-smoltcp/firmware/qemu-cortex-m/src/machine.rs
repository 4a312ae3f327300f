//! The board: clock, console, sleep. Addresses: Arm's application note AN386 and the CMSDK manual (timers, UART).

use core::fmt;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use firmware_common::Board;
use smoltcp::phy::{Device, DeviceCapabilities};
use smoltcp::time::{Duration, Instant};

use crate::net::{self, Net, Receive, Transmit};

/// A timer that runs for ever, and one that ends a sleep. Both count down, 25 to a microsecond.
const CLOCK: usize = 0x4000_0000;
const ALARM: usize = 0x4000_1000;
const TICKS: u64 = 25;
const TIMER_CONTROL: usize = 0x0;
const TIMER_VALUE: usize = 0x4;
const TIMER_RELOAD: usize = 0x8;
const TIMER_INTERRUPT: usize = 0xc;
const TIMER_ON: u32 = 1;
const TIMER_INTERRUPTS: u32 = 1 << 3;

const UART: usize = 0x4000_4000;
const UART_STATE: usize = UART + 0x4;
const UART_CONTROL: usize = UART + 0x8;
const UART_DIVIDER: usize = UART + 0x10;

#[derive(Clone, Copy)]
enum Interrupt {
    Alarm = 9,
    Ethernet = 13,
}

// SAFETY: numbers of this board's interrupts, all different.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

pub(crate) fn read(address: usize) -> u32 {
    // SAFETY: used with registers of this board only, which tolerate reading at any time.
    unsafe { (address as *const u32).read_volatile() }
}

pub(crate) fn write(address: usize, value: u32) {
    // SAFETY: used with registers of this board only, none of which moves memory.
    unsafe { (address as *mut u32).write_volatile(value) }
}

/// The console.
pub struct Uart;

impl Default for Uart {
    fn default() -> Self {
        Self::new()
    }
}

impl Uart {
    /// Switches the transmitter on.
    pub fn new() -> Self {
        write(UART_DIVIDER, 16);
        write(UART_CONTROL, 1);
        Self
    }
}

impl fmt::Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while read(UART_STATE) & 1 != 0 {}
            write(UART, byte.into());
        }
        Ok(())
    }
}

/// The board as a [`Board`].
pub struct Machine {
    net: Net,
    /// Ticks until the clock was last read, and what it said then.
    ticks: u64,
    clock: u32,
}

impl Machine {
    /// Starts clock and network, and lets the network and the alarm end a sleep. `None` when there is no network device.
    pub fn new() -> Option<Self> {
        cortex_m::interrupt::disable();
        write(CLOCK + TIMER_RELOAD, u32::MAX);
        write(CLOCK + TIMER_VALUE, u32::MAX);
        write(CLOCK + TIMER_CONTROL, TIMER_ON);
        let net = Net::new()?;
        // SAFETY: interrupts stay off as a whole, so nothing is ever interrupted: `wfi` only looks for one that waits.
        unsafe {
            NVIC::unmask(Interrupt::Alarm);
            NVIC::unmask(Interrupt::Ethernet);
        }
        Some(Self {
            net,
            ticks: 0,
            clock: u32::MAX,
        })
    }
}

impl Board for Machine {
    /// Must be called at least once in 171 seconds, or a turn of the timer is missed.
    fn now(&mut self) -> Instant {
        let clock = read(CLOCK + TIMER_VALUE);
        self.ticks += u64::from(self.clock.wrapping_sub(clock));
        self.clock = clock;
        Instant::from_micros((self.ticks / TICKS) as i64)
    }

    fn sleep(&mut self, time: Option<Duration>) {
        let micros = time.map_or(u64::MAX, |time| time.total_micros());
        let ticks = micros.saturating_mul(TICKS);
        if ticks == 0 {
            return;
        }
        write(ALARM + TIMER_CONTROL, 0);
        write(ALARM + TIMER_INTERRUPT, 1);
        NVIC::unpend(Interrupt::Alarm);
        // A minute at most.
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX).min(1_500_000_000);
        write(ALARM + TIMER_RELOAD, ticks);
        write(ALARM + TIMER_VALUE, ticks);
        write(ALARM + TIMER_CONTROL, TIMER_ON | TIMER_INTERRUPTS);
        if !self.net.has_received() {
            cortex_m::asm::wfi();
        }
        Net::acknowledge();
        NVIC::unpend(Interrupt::Ethernet);
    }

    fn mac(&self) -> [u8; 6] {
        net::MAC
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

    fn receive(&mut self, now: Instant) -> Option<(Receive<'_>, Transmit<'_>)> {
        self.net.receive(now)
    }

    fn transmit(&mut self, now: Instant) -> Option<Transmit<'_>> {
        self.net.transmit(now)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.net.capabilities()
    }
}
