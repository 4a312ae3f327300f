//! Where to search, and from which socket.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

/// Receive buffer asked of the system, bytes: a 2K key frame arrives as a burst of some 300 datagrams.
const RECEIVE_BUFFER: usize = 4 << 20;

/// The addresses to search for a camera last seen at `hint`: that one, and the broadcast address of every interface,
/// because cameras get new addresses and keep their UID. A loopback or IPv6 `hint` is searched alone.
pub fn targets(hint: SocketAddr) -> Vec<SocketAddr> {
    let mut targets = vec![hint];
    let alone = match hint.ip() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(_) => true,
    };
    if alone {
        return targets;
    }
    let port = wyze_session::LAN_PORT;
    // Before the interfaces: a host may have more of them than a session searches.
    push(&mut targets, Ipv4Addr::BROADCAST.into(), port);
    for interface in if_addrs::get_if_addrs().unwrap_or_default() {
        if let if_addrs::IfAddr::V4(v4) = interface.addr
            && !v4.ip.is_loopback()
            && let Some(broadcast) = v4.broadcast
        {
            push(&mut targets, broadcast.into(), port);
        }
    }
    targets
}

fn push(targets: &mut Vec<SocketAddr>, ip: IpAddr, port: u16) {
    let target = SocketAddr::new(ip, port);
    if !targets.contains(&target) {
        targets.push(target);
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
    use super::*;

    #[test]
    fn a_loopback_camera_is_searched_by_unicast_only() {
        let hint: SocketAddr = "127.0.0.1:32761".parse().unwrap();
        assert_eq!(targets(hint), [hint]);
    }

    #[test]
    fn a_camera_without_an_address_is_searched_by_broadcast_on_every_interface() {
        let nowhere = SocketAddr::from((Ipv4Addr::BROADCAST, wyze_session::LAN_PORT));
        let somewhere = SocketAddr::from(([192, 0, 2, 7], wyze_session::LAN_PORT));
        let (mut all, mut others) = (targets(nowhere), targets(somewhere));
        others.remove(0);
        all.sort();
        others.sort();
        assert_eq!(all, others);
    }

    #[test]
    fn a_lan_camera_is_also_searched_by_broadcast() {
        let hint: SocketAddr = "192.0.2.7:32761".parse().unwrap();
        let targets = targets(hint);
        assert_eq!(targets[0], hint);
        assert!(targets.contains(&"255.255.255.255:32761".parse().unwrap()));
    }
}
