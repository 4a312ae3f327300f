//! Where to search, and from which socket.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use if_addrs::IfAddr;
use socket2::{Domain, Protocol, Socket, Type};

/// Receive buffer asked of the system, bytes: a 2K key frame arrives as a burst of some 300 datagrams.
const RECEIVE_BUFFER: usize = 4 << 20;

/// The addresses to search for a camera last seen at `hint`: that one, and 255.255.255.255, because cameras get new addresses
/// and keep their UID. A loopback or IPv6 `hint` is searched alone. [`Broadcast`] takes the second one to every interface.
pub fn targets(hint: SocketAddr) -> Vec<SocketAddr> {
    let mut targets = vec![hint];
    let alone = match hint.ip() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(_) => true,
    };
    let everywhere = SocketAddr::from((Ipv4Addr::BROADCAST, wyze_session::LAN_PORT));
    if !alone && hint != everywhere {
        targets.push(everywhere);
    }
    targets
}

/// The broadcast addresses of this machine's networks. The system sends a datagram for 255.255.255.255 out of one interface
/// alone, or of none; a search has to reach them all, and a session keeps no more than eight targets.
#[derive(Debug, Clone, Default)]
pub struct Broadcast(Vec<Ipv4Addr>);

impl Broadcast {
    /// Those of all interfaces there are now. Where the system does not tell them, a warning is logged and
    /// 255.255.255.255 stands for itself.
    pub fn everywhere() -> Self {
        let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|e| {
            log::warn!(
                "only one interface is searched, because the system does not list them: {e}"
            );
            Vec::new()
        });
        Self::of(interfaces.into_iter().map(|interface| interface.addr))
    }

    fn of(interfaces: impl IntoIterator<Item = IfAddr>) -> Self {
        let mut networks = Vec::new();
        for interface in interfaces {
            // A tunnel has no broadcast address, and neither has a network of one or two. Else it is computed: where nobody has
            // set one, the system reports the interface's own address.
            if let IfAddr::V4(v4) = interface
                && !v4.ip.is_loopback()
                && v4.broadcast.is_some()
                && v4.prefixlen < 31
            {
                let broadcast = v4.ip | !v4.netmask;
                if !networks.contains(&broadcast) {
                    networks.push(broadcast);
                }
            }
        }
        Self(networks)
    }

    /// Where else a datagram for `to` goes: when that is 255.255.255.255, to the broadcast address of every network, at the same
    /// port.
    pub fn networks(&self, to: SocketAddr) -> impl Iterator<Item = SocketAddr> {
        let networks = match to.ip() {
            IpAddr::V4(Ipv4Addr::BROADCAST) => self.0.as_slice(),
            _ => &[],
        };
        networks.iter().map(move |ip| (*ip, to.port()).into())
    }
}

/// A UDP socket on `local` that may broadcast and has a receive buffer large enough for a burst of a key frame.
///
/// # Errors
/// The system refuses the address, usually because the port is taken.
pub fn bind(local: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_broadcast(true)?;
    // The system grants what it likes; a smaller buffer only costs frames under load.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.bind(&local.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use if_addrs::{Ifv4Addr, Ifv6Addr};

    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// An interface with the broadcast address that the system reports for it.
    fn v4(ip: [u8; 4], prefixlen: u8, broadcast: Option<[u8; 4]>) -> IfAddr {
        let netmask = u32::MAX.checked_shl(32 - u32::from(prefixlen)).unwrap_or(0);
        IfAddr::V4(Ifv4Addr {
            ip: ip.into(),
            netmask: netmask.into(),
            prefixlen,
            broadcast: broadcast.map(Into::into),
        })
    }

    #[test]
    fn a_loopback_camera_is_searched_by_unicast_only() {
        let hint = at("127.0.0.1:32761");
        assert_eq!(targets(hint), [hint]);
    }

    #[test]
    fn a_lan_camera_is_also_searched_by_broadcast() {
        let (hint, everywhere) = (at("192.0.2.7:40000"), at("255.255.255.255:32761"));
        assert_eq!(targets(hint), [hint, everywhere]);
        assert_eq!(targets(everywhere), [everywhere]);
    }

    #[test]
    fn a_broadcast_goes_out_of_every_interface_however_many_there_are() {
        let interface = |n: u8| v4([10, 77, n, 1], 24, Some([10, 77, n, 255]));
        let broadcast = Broadcast::of((1..=20).map(interface));
        let networks = broadcast.networks(at("255.255.255.255:40000"));
        let wanted = (1..=20).map(|n| SocketAddr::from(([10, 77, n, 255], 40000)));
        assert!(networks.eq(wanted));
    }

    #[test]
    fn a_unicast_goes_to_one_address() {
        let broadcast = Broadcast::of([v4([10, 0, 0, 1], 24, Some([10, 0, 0, 255]))]);
        for to in [at("192.0.2.7:32761"), at("[ff02::1]:32761")] {
            assert_eq!(broadcast.networks(to).next(), None);
        }
    }

    #[test]
    fn networks_are_told_from_what_has_no_broadcast() {
        let v6 = Ifv6Addr {
            ip: std::net::Ipv6Addr::LOCALHOST,
            netmask: std::net::Ipv6Addr::LOCALHOST,
            prefixlen: 128,
            broadcast: None,
        };
        let broadcast = Broadcast::of([
            v4([127, 0, 0, 1], 8, Some([127, 255, 255, 255])),
            // The same network twice, as by cable and by Wi-Fi.
            v4([192, 168, 1, 10], 24, Some([192, 168, 1, 255])),
            v4([192, 168, 1, 11], 24, Some([192, 168, 1, 255])),
            // No broadcast address was set.
            v4([172, 17, 0, 1], 16, Some([172, 17, 0, 1])),
            // A tunnel; one host; two hosts.
            v4([10, 8, 0, 1], 24, None),
            v4([192, 0, 2, 1], 32, Some([192, 0, 2, 1])),
            v4([192, 0, 2, 2], 31, Some([255, 255, 255, 255])),
            IfAddr::V6(v6),
        ]);
        let networks = [[192, 168, 1, 255], [172, 17, 255, 255]].map(Ipv4Addr::from);
        assert_eq!(broadcast.0, networks);
    }
}
