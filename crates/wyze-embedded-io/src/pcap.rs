//! Packet traces in the classic pcap format (draft-ietf-opsawg-pcap): each datagram in an IPv4 packet of its own.

use core::net::SocketAddrV4;

use embedded_io::Write;
use tutk_core::Instant;

/// LINKTYPE_RAW: packets begin with the IP header.
const RAW_IP: u32 = 101;
const IP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
/// Longest datagram in an IPv4 packet.
const MAX_DATAGRAM: usize = 65_535 - IP_HEADER - UDP_HEADER;

/// Writes a trace that Wireshark reads. Whoever gets one reads in it who talked to whom, when and how much; the UID and the
/// AuthKey, which the searches of the TransCode framing (0x0601) hold; and all that was said to and by firmware without DTLS.
/// The rest is encrypted.
#[derive(Debug)]
pub struct Pcap<W> {
    to: W,
    /// Microseconds after 1970 at [`Instant::ZERO`].
    origin: u64,
    /// Number of the next packet, for the IP header.
    number: u16,
}

impl<W: Write> Pcap<W> {
    /// Begins a trace. `origin`: microseconds after 1970 at [`Instant::ZERO`]; 0 on a board without a calendar.
    ///
    /// # Errors
    /// The writer's.
    pub fn new(mut to: W, origin: u64) -> Result<Self, W::Error> {
        to.write_all(&0xa1b2_c3d4_u32.to_le_bytes())?; // times in microseconds
        to.write_all(&[2, 0, 4, 0])?; // version 2.4
        to.write_all(&[0; 8])?;
        to.write_all(&65_535_u32.to_le_bytes())?;
        to.write_all(&RAW_IP.to_le_bytes())?;
        Ok(Self {
            to,
            origin,
            number: 0,
        })
    }

    /// Writes one datagram, which came or went at `at`. One that no IPv4 packet could hold is cut.
    ///
    /// # Errors
    /// The writer's.
    pub fn datagram(
        &mut self,
        at: Instant,
        from: SocketAddrV4,
        to: SocketAddrV4,
        bytes: &[u8],
    ) -> Result<(), W::Error> {
        let bytes = bytes.get(..MAX_DATAGRAM).unwrap_or(bytes);
        // At most 65 535, see MAX_DATAGRAM.
        let udp_len = (UDP_HEADER + bytes.len()) as u16;
        let len = udp_len + IP_HEADER as u16;
        let micros = self.origin.saturating_add(at.as_micros());
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        for field in [seconds as u32, micros as u32, len.into(), len.into()] {
            self.to.write_all(&field.to_le_bytes())?;
        }
        let [l0, l1] = len.to_be_bytes();
        let [n0, n1] = self.number.to_be_bytes();
        let [f0, f1, f2, f3] = from.ip().octets();
        let [t0, t1, t2, t3] = to.ip().octets();
        let mut ip = [
            0x45, 0, l0, l1, n0, n1, 0, 0, 64, 17, 0, 0, f0, f1, f2, f3, t0, t1, t2, t3,
        ];
        let [c0, c1] = checksum(&ip).to_be_bytes();
        (ip[10], ip[11]) = (c0, c1);
        self.to.write_all(&ip)?;
        for field in [from.port(), to.port(), udp_len, 0] {
            self.to.write_all(&field.to_be_bytes())?; // checksum 0: none
        }
        self.to.write_all(bytes)?;
        self.number = self.number.wrapping_add(1);
        Ok(())
    }

    /// The writer, to flush or close it.
    pub fn into_inner(self) -> W {
        self.to
    }
}

/// The Internet checksum (RFC 1071).
fn checksum(header: &[u8; IP_HEADER]) -> u16 {
    let words = header.chunks_exact(2).map(|pair| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    });
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    !((sum & 0xffff) + (sum >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_a_published_packet() {
        // The example of Wikipedia's "Internet checksum": words that sum to 0x479e.
        let header = [
            0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0x00, 0x00, 0xc0, 0xa8,
            0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7,
        ];
        assert_eq!(checksum(&header), 0xb861);
    }

    #[test]
    fn a_trace_has_the_bytes_that_the_format_asks_for() {
        let mut pcap = Pcap::new(Vec::new(), 1_700_000_000_000_000).unwrap();
        pcap.datagram(
            Instant::from_micros(1_500_000),
            "192.168.0.1:32761".parse().unwrap(),
            "192.168.0.199:258".parse().unwrap(),
            b"hello",
        )
        .unwrap();
        let bytes = pcap.into_inner();
        let (file, packet) = bytes.split_at(24);
        assert_eq!(
            file,
            [
                0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 101, 0,
                0, 0
            ]
        );
        // 1 700 000 001 s is 0x6553_f101, 500 000 µs is 0x0007_a120; 33 bytes kept of 33.
        assert_eq!(
            packet[..16],
            [
                0x01, 0xf1, 0x53, 0x65, 0x20, 0xa1, 0x07, 0, 33, 0, 0, 0, 33, 0, 0, 0
            ]
        );
        assert_eq!(packet[16..20], [0x45, 0, 0, 33]);
        assert_eq!(packet[28..36], [192, 168, 0, 1, 192, 168, 0, 199]);
        assert_eq!(packet[36..44], [0x7f, 0xf9, 1, 2, 0, 13, 0, 0]);
        assert_eq!(&packet[44..], b"hello");
    }

    #[test]
    fn a_datagram_too_long_for_ip_is_cut() {
        let mut pcap = Pcap::new(Vec::new(), 0).unwrap();
        let any = "10.0.0.1:1".parse().unwrap();
        pcap.datagram(Instant::ZERO, any, any, &[0; 70_000])
            .unwrap();
        assert_eq!(pcap.into_inner().len(), 24 + 16 + 65_535);
    }
}
