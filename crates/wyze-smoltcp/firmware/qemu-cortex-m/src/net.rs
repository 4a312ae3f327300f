//! The LAN9118 for smoltcp. Registers: Microchip's data sheet of the LAN9118, chapter 5.

use core::cell::RefCell;

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

use crate::machine::{read, write};

/// Whatever the board; QEMU does not mind.
pub const MAC: [u8; 6] = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];

const BASE: usize = 0x4020_0000;
const RX_DATA: usize = BASE;
const TX_DATA: usize = BASE + 0x20;
const RX_STATUS: usize = BASE + 0x40;
const TX_STATUS: usize = BASE + 0x48;
const INTERRUPT_CONFIG: usize = BASE + 0x54;
const INTERRUPT_STATUS: usize = BASE + 0x58;
const INTERRUPT_ENABLE: usize = BASE + 0x5c;
const BYTE_TEST: usize = BASE + 0x64;
const TX_CONFIG: usize = BASE + 0x70;
const HARDWARE_CONFIG: usize = BASE + 0x74;
const RX_INFO: usize = BASE + 0x7c;
const TX_INFO: usize = BASE + 0x80;
const MAC_COMMAND: usize = BASE + 0xa4;
const MAC_DATA: usize = BASE + 0xa8;

/// Registers behind `MAC_COMMAND`.
const MAC_CONTROL: u32 = 1;
const MAC_HIGH: u32 = 2;
const MAC_LOW: u32 = 3;

const RX_STATUS_LEVEL: u32 = 1 << 3;
/// Longest frame with its checksum, in whole words.
const BUFFER: usize = 1536;

fn write_mac(register: u32, value: u32) {
    const BUSY: u32 = 1 << 31;
    write(MAC_DATA, value);
    write(MAC_COMMAND, BUSY | register);
    while read(MAC_COMMAND) & BUSY != 0 {}
}

/// The network device, with a buffer for each direction.
pub struct Net {
    frame: [u8; BUFFER],
    transmit: RefCell<[u8; BUFFER]>,
}

impl Net {
    /// Resets it and switches it on; `None` when it is not there.
    pub fn new() -> Option<Self> {
        const RESET: u32 = 1;
        if read(BYTE_TEST) != 0x8765_4321 {
            return None;
        }
        write(HARDWARE_CONFIG, RESET);
        while read(HARDWARE_CONFIG) & RESET != 0 {}
        // Frames are sent when they are whole; 2 KiB to send from leave the rest, 13 KiB, to receive into.
        write(HARDWARE_CONFIG, 1 << 20 | 2 << 16);
        write_mac(
            MAC_LOW,
            u32::from_le_bytes([MAC[0], MAC[1], MAC[2], MAC[3]]),
        );
        write_mac(MAC_HIGH, u32::from(MAC[4]) | u32::from(MAC[5]) << 8);
        write_mac(MAC_CONTROL, 1 << 20 | 1 << 3 | 1 << 2); // full duplex, both ways on
        write(TX_CONFIG, 1 << 1);
        write(INTERRUPT_CONFIG, 1 << 8 | 1 << 4 | 1); // on, active high, push-pull
        write(INTERRUPT_ENABLE, RX_STATUS_LEVEL);
        Some(Self {
            frame: [0; BUFFER],
            transmit: RefCell::new([0; BUFFER]),
        })
    }

    pub(crate) fn has_received(&self) -> bool {
        read(RX_INFO) >> 16 & 0xff != 0
    }

    /// Takes its interrupt back, until the next frame comes.
    pub fn acknowledge() {
        write(INTERRUPT_STATUS, u32::MAX);
    }

    /// Reads the next frame that came undamaged; how long it is.
    fn read_frame(&mut self) -> Option<usize> {
        while self.has_received() {
            let status = read(RX_STATUS);
            let with_checksum = (status >> 16 & 0x3fff) as usize;
            for word in 0..with_checksum.div_ceil(4) {
                let bytes = read(RX_DATA).to_le_bytes();
                if let Some(room) = self.frame.get_mut(4 * word..4 * word + 4) {
                    room.copy_from_slice(&bytes);
                }
            }
            let damaged = status & 1 << 15 != 0;
            if !damaged && (4..=BUFFER).contains(&with_checksum) {
                return Some(with_checksum - 4);
            }
        }
        None
    }
}

impl Device for Net {
    type RxToken<'a> = Receive<'a>;
    type TxToken<'a> = Transmit<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Receive<'_>, Transmit<'_>)> {
        let len = self.read_frame()?;
        let receive = Receive {
            frame: &self.frame[..len],
        };
        let buffer = &self.transmit;
        Some((receive, Transmit { buffer }))
    }

    fn transmit(&mut self, _: Instant) -> Option<Transmit<'_>> {
        Some(Transmit {
            buffer: &self.transmit,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

/// A frame that has come.
pub struct Receive<'a> {
    frame: &'a [u8],
}

impl RxToken for Receive<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.frame)
    }
}

/// Room for a frame to send.
pub struct Transmit<'a> {
    buffer: &'a RefCell<[u8; BUFFER]>,
}

impl TxToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        /// Ethernet's shortest frame, without its checksum.
        const SHORTEST: usize = 60;
        let mut buffer = self.buffer.borrow_mut();
        let answer = fill(&mut buffer[..len]);
        let whole = len.max(SHORTEST);
        buffer[len..whole].fill(0);
        // First and last piece of the frame, this many bytes; then the frame's length; then the bytes.
        write(TX_DATA, 1 << 13 | 1 << 12 | whole as u32);
        write(TX_DATA, whole as u32);
        for word in buffer[..whole.next_multiple_of(4)].chunks_exact(4) {
            write(
                TX_DATA,
                u32::from_le_bytes([word[0], word[1], word[2], word[3]]),
            );
        }
        while read(TX_INFO) >> 16 & 0xff != 0 {
            read(TX_STATUS);
        }
        answer
    }
}
