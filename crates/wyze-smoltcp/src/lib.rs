//! A Wyze camera session over a [`smoltcp`] UDP socket, for machines without an operating system and without a heap.
//!
//! [`Connection`] is the app's side, [`Server`] the camera's. Neither owns the network: interface, device, addresses and
//! socket memory stay with the firmware, which may run other sockets beside this one. One datagram buffer serves both
//! directions; 1500 bytes are enough.
//!
//! # The loop
//!
//! ```
//! use smoltcp::iface::{Interface, PollIngressSingleResult, SocketHandle, SocketSet};
//! use smoltcp::phy::Device;
//! use smoltcp::socket::udp;
//! use smoltcp::time::{Duration, Instant};
//! use wyze_smoltcp::session::{Cause, Cx, Event};
//! use wyze_smoltcp::{Connection, Status, session_time};
//!
//! fn watch<D: Device>(
//!     connection: &mut Connection<'_, '_>,
//!     network: (&mut Interface, &mut D, &mut SocketSet<'_>, SocketHandle),
//!     rng: &mut impl rand_core::CryptoRng,
//!     clock: impl Fn() -> Instant,
//!     sleep: impl Fn(Option<Duration>), // until then, or until the network interface has something
//! ) -> Cause {
//!     let (iface, device, sockets, socket) = network;
//!     loop {
//!         let now = clock();
//!         let received = iface.poll_ingress_single(now, device, sockets); // one packet that has come
//!         let mut cx = Cx::new(session_time(now), rng);
//!         let status = connection.poll(sockets.get_mut::<udp::Socket<'_>>(socket), &mut cx, |event| {
//!             if let Event::Chunk(chunk) = event { /* feed the decoder, the card, the radio */ }
//!         });
//!         iface.poll_egress(now, device, sockets); // what there is to send
//!         if let Status::Closed(cause) = status {
//!             return cause;
//!         }
//!         if received != PollIngressSingleResult::None {
//!             continue; // there may be more
//!         }
//!         iface.poll_maintenance(now);
//!         sleep(connection.poll_delay(session_time(now), iface.poll_delay(now, sockets)));
//!     }
//! }
//! ```
//! A request is sent between two rounds: `connection.client().request(…)`; what it has to send goes out with the next
//! [`Connection::poll`], so don't sleep before it.
//!
//! # Addresses
//!
//! A static address is `iface.update_ip_addrs(…)`. With DHCP (smoltcp's feature `socket-dhcpv4`) the firmware keeps a
//! `dhcpv4::Socket` in the same `SocketSet` and makes the session when there is a lease:
//!
//! ```
//! use core::net::SocketAddr;
//! use smoltcp::iface::Interface;
//! use smoltcp::socket::dhcpv4;
//! use smoltcp::wire::{IpCidr, Ipv4Cidr};
//! use wyze_smoltcp::{broadcast, session::LAN_PORT};
//!
//! /// Where to search, once there is an address.
//! fn on_dhcp(iface: &mut Interface, event: dhcpv4::Event<'_>) -> Option<[SocketAddr; 1]> {
//!     let address: Option<Ipv4Cidr> = match event {
//!         dhcpv4::Event::Configured(lease) => Some(lease.address),
//!         dhcpv4::Event::Deconfigured => None,
//!     };
//!     iface.update_ip_addrs(|addrs| {
//!         addrs.clear();
//!         addrs.extend(address.map(IpCidr::Ipv4));
//!     });
//!     Some([broadcast(address?, LAN_PORT)])
//! }
//! # let net = Ipv4Cidr::new("192.168.7.20".parse().unwrap(), 24);
//! # assert_eq!(broadcast(net, LAN_PORT), "192.168.7.255:32761".parse().unwrap());
//! ```
//!
//! [`broadcast`] finds a camera whose address is not known, or has changed. A remembered address beside it helps where a
//! network lets no broadcast through. smoltcp keeps the datagrams of a socket in one queue, so that one for a neighbour
//! that is gone would hold up those behind it for ever; the session puts into the queue only what goes to one address, and
//! throws it away after half a second.
//!
//! # Memory
//!
//! The loop above takes one packet at a time from the device, so the socket needs room for two in each direction (3000
//! bytes), and a burst waits where there is room for it, in the device's own buffers. `Interface::poll` instead moves all
//! of a burst at once, and what does not fit the socket is lost: a key frame easily is 30 KB.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

#[cfg(feature = "client")]
mod connection;
mod port;
#[cfg(feature = "camera")]
mod server;

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use smoltcp::wire::Ipv4Cidr;

#[cfg(all(feature = "client", feature = "talk"))]
pub use connection::SendAudioError;
#[cfg(feature = "client")]
pub use connection::{Connection, Status};
#[cfg(feature = "camera")]
pub use server::{Progress, Server};
/// The session itself, so that firmware needs no second line in its manifest.
pub use wyze_session as session;

/// smoltcp's time as the session counts it. A moment before smoltcp's zero is zero.
pub fn session_time(now: smoltcp::time::Instant) -> wyze_session::Instant {
    wyze_session::Instant::from_micros(u64::try_from(now.total_micros()).unwrap_or(0))
}

/// The broadcast address of our own network, to search for a camera wherever it is there; 255.255.255.255 where the
/// network has none (/31, /32).
pub fn broadcast(network: Ipv4Cidr, port: u16) -> SocketAddr {
    let ip = network.broadcast().unwrap_or(Ipv4Addr::BROADCAST);
    SocketAddr::V4(SocketAddrV4::new(ip, port))
}

#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
mod embedding {}
