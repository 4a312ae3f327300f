//! Writes datagrams as pcap: Ethernet, IP and UDP headers made up around what the socket carried.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use etherparse::PacketBuilder;
use pcap_parser::{LegacyPcapBlock, Linktype, PcapHeader, ToVec};

/// Most bytes of a frame: an IP packet and its link header.
const SNAPLEN: u32 = 65_549;
/// Hops that the made-up IP headers allow.
const TTL: u8 = 64;
/// Made-up hardware addresses, locally administered, of receiver and sender.
const MACS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];

/// A capture that is being written. Whatever ends the program between two packets leaves a valid file.
#[derive(Debug)]
pub struct Recording<W> {
    out: W,
}

impl<W: Write> Recording<W> {
    /// Writes the file header.
    ///
    /// # Errors
    /// The output fails.
    pub fn new(mut out: W) -> io::Result<Self> {
        let header = PcapHeader {
            snaplen: SNAPLEN,
            network: Linktype::ETHERNET,
            ..PcapHeader::new()
        };
        out.write_all(&header.to_vec_raw().map_err(io::Error::other)?)?;
        out.flush()?;
        Ok(Self { out })
    }

    /// Writes one datagram in one piece. One that no UDP packet could hold is left out.
    ///
    /// # Errors
    /// The output fails.
    pub fn datagram(
        &mut self,
        time: Duration,
        from: SocketAddr,
        to: SocketAddr,
        payload: &[u8],
    ) -> io::Result<()> {
        let Some(frame) = frame(from, to, payload) else {
            return Ok(());
        };
        let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
        let block = LegacyPcapBlock {
            // The format has no more room; it ends in 2106.
            ts_sec: u32::try_from(time.as_secs()).unwrap_or(u32::MAX),
            ts_usec: time.subsec_micros(),
            caplen: length,
            origlen: length,
            data: &frame,
        };
        self.out
            .write_all(&block.to_vec_raw().map_err(io::Error::other)?)?;
        self.out.flush()
    }
}

fn frame(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Option<Vec<u8>> {
    let ethernet = PacketBuilder::ethernet2(MACS[1], MACS[0]);
    let ip = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ethernet.ipv4(from.octets(), to.octets(), TTL),
        (from, to) => ethernet.ipv6(v6(from), v6(to), TTL),
    };
    let udp = ip.udp(from.port(), to.port());
    let mut frame = Vec::with_capacity(udp.size(payload.len()));
    udp.write(&mut frame, payload).ok()?;
    Some(frame)
}

fn v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}
