//! Reads captures, pcap and pcapng, down to the UDP payload.

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fmt, io};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

/// Bytes read at once: the longest packet that is read. Wireshark's own limit is 256 KiB.
const BUFFER: usize = 1 << 20;
/// Interfaces of a pcapng file that are remembered.
const MAX_INTERFACES: usize = 1024;
/// `LINKTYPE_LINUX_SLL2`, which the reader's crate has no name for.
const SLL2: i32 = 276;

/// One frame of a capture.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Its number, from 1.
    pub number: u64,
    /// When, since 1970.
    pub time: Duration,
    /// What it begins with.
    pub link: i32,
    /// Its bytes, as many as were captured.
    pub bytes: &'a [u8],
    /// As many as there were.
    pub original: usize,
}

/// A capture cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum CaptureError {
    /// The file cannot be read.
    Io(io::Error),
    /// Its first bytes are neither those of pcap nor those of pcapng.
    NotACapture,
    /// It is damaged from here on, byte offset into the file.
    Damaged {
        /// Where in the file.
        offset: usize,
    },
    /// It ends in the middle of a packet; all before it was read.
    CutOff,
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(e) => write!(f, "the capture cannot be read: {e}"),
            Self::NotACapture => f.write_str("this is no capture in pcap or pcapng format"),
            Self::Damaged { offset } => {
                write!(f, "the capture is damaged from byte {offset} on")
            }
            Self::CutOff => f.write_str("the capture ends in the middle of a packet"),
        }
    }
}

impl std::error::Error for CaptureError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(e) => Some(e),
            _ => None,
        }
    }
}

/// What a pcapng interface says about its packets.
#[derive(Clone, Copy)]
struct Interface {
    link: i32,
    /// Units per second.
    resolution: u64,
    offset: i64,
}

/// Keeps the reason of a failure, which the reader's crate does not.
struct Input<R> {
    from: R,
    failed: Arc<Mutex<Option<io::Error>>>,
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.from.read(to) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    let kind = e.kind();
                    if let Ok(mut failed) = self.failed.lock() {
                        *failed = Some(e);
                    }
                    return Err(kind.into());
                }
                read => return read,
            }
        }
    }
}

/// Hands every frame of a capture to `each`, in order, until it answers `false`.
///
/// # Errors
/// The capture is none, is damaged or cannot be read; what came before that has been handed over.
pub fn read_capture(
    input: impl Read + Send,
    mut each: impl FnMut(Frame<'_>) -> bool,
) -> Result<(), CaptureError> {
    let failed = Arc::new(Mutex::new(None));
    let input = Input {
        from: input,
        failed: failed.clone(),
    };
    let or_failed = |otherwise| match failed.lock().ok().and_then(|mut e| e.take()) {
        Some(e) => CaptureError::Io(e),
        None => otherwise,
    };
    let mut reader =
        create_reader(BUFFER, input).map_err(|_| or_failed(CaptureError::NotACapture))?;
    let mut state = State::default();
    loop {
        match reader.next() {
            Ok((length, block)) => {
                let go_on = state.block(&block, &mut each);
                reader.consume(length);
                if !go_on {
                    return Ok(());
                }
            }
            Err(PcapError::Eof) => return Ok(()),
            Err(PcapError::Incomplete(_)) => {
                let before = reader.data().len();
                if reader.reader_exhausted() {
                    return Err(CaptureError::CutOff);
                }
                let offset = reader.consumed();
                reader
                    .refill()
                    .map_err(|_| or_failed(CaptureError::Damaged { offset }))?;
                if reader.data().len() == before && !reader.reader_exhausted() {
                    // The buffer is full and the block is longer than that.
                    return Err(CaptureError::Damaged { offset });
                }
            }
            Err(PcapError::UnexpectedEof) => return Err(CaptureError::CutOff),
            Err(_) => {
                return Err(CaptureError::Damaged {
                    offset: reader.consumed(),
                });
            }
        }
    }
}

#[derive(Default)]
struct State {
    number: u64,
    link: i32,
    nanoseconds: bool,
    interfaces: Vec<Interface>,
}

impl State {
    fn block(
        &mut self,
        block: &PcapBlockOwned<'_>,
        each: &mut impl FnMut(Frame<'_>) -> bool,
    ) -> bool {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                self.link = header.network.0 & 0xffff;
                self.nanoseconds = header.is_nanosecond_precision();
                true
            }
            PcapBlockOwned::Legacy(packet) => {
                let nanos = if self.nanoseconds {
                    packet.ts_usec
                } else {
                    packet.ts_usec.wrapping_mul(1000)
                };
                let time =
                    Duration::from_secs(packet.ts_sec.into()) + Duration::from_nanos(nanos.into());
                self.emit(
                    time,
                    self.link,
                    packet.data,
                    packet.caplen,
                    packet.origlen,
                    each,
                )
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                self.interfaces.clear();
                true
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                if self.interfaces.len() < MAX_INTERFACES {
                    self.interfaces.push(Interface {
                        link: interface.linktype.0,
                        resolution: interface.ts_resolution().unwrap_or(1_000_000).max(1),
                        offset: interface.ts_offset(),
                    });
                }
                true
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let interface = usize::try_from(packet.if_id)
                    .ok()
                    .and_then(|id| self.interfaces.get(id))
                    .copied();
                let Some(interface) = interface else {
                    return true;
                };
                let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let time = ng_time(ticks, interface);
                self.emit(
                    time,
                    interface.link,
                    packet.data,
                    packet.caplen,
                    packet.origlen,
                    each,
                )
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                let link = self.interfaces.first().map_or(0, |i| i.link);
                self.emit(
                    Duration::ZERO,
                    link,
                    packet.data,
                    packet.origlen,
                    packet.origlen,
                    each,
                )
            }
            PcapBlockOwned::NG(_) => true,
        }
    }

    fn emit(
        &mut self,
        time: Duration,
        link: i32,
        data: &[u8],
        captured: u32,
        original: u32,
        each: &mut impl FnMut(Frame<'_>) -> bool,
    ) -> bool {
        self.number += 1;
        // Behind the packet there may be padding.
        let captured = usize::try_from(captured).unwrap_or(data.len());
        each(Frame {
            number: self.number,
            time,
            link,
            bytes: data.get(..captured).unwrap_or(data),
            original: usize::try_from(original).unwrap_or(captured),
        })
    }
}

fn ng_time(ticks: u64, interface: Interface) -> Duration {
    let seconds = ticks / interface.resolution;
    let fraction =
        u128::from(ticks % interface.resolution) * 1_000_000_000 / u128::from(interface.resolution);
    Duration::from_secs(seconds.saturating_add_signed(interface.offset))
        .saturating_add(Duration::from_nanos(u64::try_from(fraction).unwrap_or(0)))
}

/// The UDP datagram in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Udp<'a> {
    /// Sender.
    pub from: SocketAddr,
    /// Receiver.
    pub to: SocketAddr,
    /// Where its payload begins in the frame, bytes.
    pub start: usize,
    /// Its payload, as much of it as was captured.
    pub payload: &'a [u8],
    /// Bytes of the payload by its header.
    pub declared: usize,
}

/// Why a frame holds no UDP datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoUdp {
    /// This kind of link is not known; its number in the registry of link types.
    Link(i32),
    /// It is something else, or too short to be anything.
    Other,
    /// One fragment of an IP packet. Nothing of this protocol is fragmented by IP.
    Fragment,
}

impl<'a> Frame<'a> {
    /// Finds the UDP datagram in the frame.
    ///
    /// # Errors
    /// There is none.
    pub fn udp(&self) -> Result<Udp<'a>, NoUdp> {
        let bytes = self.bytes;
        let behind = |n: usize| bytes.get(n..).ok_or(NoUdp::Other);
        let be16 = |at: usize| match bytes.get(at..) {
            Some([a, b, ..]) => Ok(u16::from_be_bytes([*a, *b])),
            _ => Err(NoUdp::Other),
        };
        let sliced = match Linktype(self.link) {
            Linktype::ETHERNET => LaxSlicedPacket::from_ethernet(bytes).ok(),
            // Some systems number the link type RAW in their own way.
            Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 | Linktype(12 | 14) => {
                LaxSlicedPacket::from_ip(bytes).ok()
            }
            // An address family in the byte order of some machine: the IP version tells more.
            Linktype::NULL | Linktype::LOOP => LaxSlicedPacket::from_ip(behind(4)?).ok(),
            Linktype::LINUX_SLL => Some(LaxSlicedPacket::from_ether_type(
                EtherType(be16(14)?),
                behind(16)?,
            )),
            Linktype(SLL2) => Some(LaxSlicedPacket::from_ether_type(
                EtherType(be16(0)?),
                behind(20)?,
            )),
            Linktype(other) => return Err(NoUdp::Link(other)),
        }
        .ok_or(NoUdp::Other)?;
        let (from, to): (IpAddr, IpAddr) = match &sliced.net {
            Some(LaxNetSlice::Ipv4(ip)) => (
                ip.header().source_addr().into(),
                ip.header().destination_addr().into(),
            ),
            Some(LaxNetSlice::Ipv6(ip)) => (
                ip.header().source_addr().into(),
                ip.header().destination_addr().into(),
            ),
            _ => return Err(NoUdp::Other),
        };
        let fragmented = sliced
            .net
            .as_ref()
            .and_then(LaxNetSlice::ip_payload_ref)
            .is_some_and(|payload| payload.fragmented);
        if fragmented {
            return Err(NoUdp::Fragment);
        }
        let Some(TransportSlice::Udp(udp)) = &sliced.transport else {
            return Err(NoUdp::Other);
        };
        let payload = udp.payload();
        Ok(Udp {
            from: SocketAddr::new(from, udp.source_port()),
            to: SocketAddr::new(to, udp.destination_port()),
            start: (payload.as_ptr() as usize).saturating_sub(bytes.as_ptr() as usize),
            payload,
            declared: usize::from(udp.length()).saturating_sub(8),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives these bytes and then fails.
    struct Failing(&'static [u8]);

    impl Read for Failing {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            match self.0.read(to)? {
                0 => Err(io::Error::other("the disk is gone")),
                n => Ok(n),
            }
        }
    }

    #[test]
    fn a_read_error_keeps_its_reason_wherever_it_happens() {
        /// A header, and the beginning of a packet of 64 bytes.
        const CAPTURE: &[u8] = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0\
            \0\0\0\0\0\0\0\0\x40\0\0\0\x40\0\0\0abc";
        for given in [0, 24, 30, CAPTURE.len()] {
            let end = read_capture(Failing(&CAPTURE[..given]), |_| true);
            let message = end.unwrap_err().to_string();
            assert!(message.ends_with("the disk is gone"), "{given}: {message}");
        }
        assert!(matches!(
            read_capture(CAPTURE, |_| true),
            Err(CaptureError::CutOff)
        ));
    }
}
