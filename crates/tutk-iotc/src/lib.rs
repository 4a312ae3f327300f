//! IOTC sessions of TUTK cameras on the LAN, sans-IO: search, session, keepalive, channels, close. Both roles, both
//! framings.
//!
//! | role | type | finds or answers |
//! |---|---|---|
//! | app | [`Client`] | looks for a UID at every address it is given, unicast and broadcast, in both framings at once |
//! | camera | [`Device`] | answers searches for its UID, holds one session |
//!
//! | framing | packets | authenticity |
//! |---|---|---|
//! | [`Framing::TransCode`] | `04 02`, scrambled by a constant key | none: the session id keeps blind strangers out, nothing else |
//! | [`Framing::Cc51`] (feature `cc51`) | `51 CC`, clear | HMAC-SHA1 of headers, keyed with UID and AuthKey |
//!
//! A peer is identified by UID and session id, never by its address. Its address may change during a session; it is
//! adopted from a packet that carries the session id (CC51: a right HMAC), and once the upper layer has called
//! `set_secured` only when that layer says through `authenticated` that a record from there decrypted.
//! What travels inside (DTLS) has to provide all real security.
//!
//! # Contract
//!
//! After any call that takes `&mut self`, drain `poll_transmit` until it has nothing, then wait for whichever comes
//! first: a datagram or `poll_timeout`. Extra calls are harmless. An `Err` means this object is finished: drop it.
//!
//! ```
//! use core::time::Duration;
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//! use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};
//! use tutk_iotc::*;
//!
//! let (uid, key): (Uid, _) = ("SIMCAMSIMCAMSIMCAM11".parse()?, AuthKey::new(*b"vW28cYGv"));
//! let (app, camera) = ("192.0.2.1:4000".parse()?, "192.0.2.2:32761".parse()?);
//! let mut rng = ChaCha8Rng::seed_from_u64(1); // a system's secure generator in earnest
//! let mut cx = Cx::new(Instant::ZERO, &mut rng);
//!
//! let mut client = Client::new(&ClientConfig::new(uid, key.clone(), &[camera]), &mut cx);
//! let mut device = Device::new(&DeviceConfig::new(uid, key), &mut cx);
//! let mut open = false;
//! while !open {
//!     let mut memory = [0; 1500];
//!     let mut tx = TxBuf::new(&mut memory);
//!     while client.poll_transmit(&mut cx, &mut tx)? {
//!         assert_eq!(tx.destination(), Some(camera));
//!         device.handle_datagram(&mut cx, &mut Datagram::new(app, tx.finish()))?;
//!         tx = TxBuf::new(&mut memory);
//!     }
//!     while device.poll_transmit(&mut cx, &mut tx)? {
//!         let event = client.handle_datagram(&mut cx, &mut Datagram::new(camera, tx.finish()))?;
//!         open |= matches!(event, Some(Event::Open { .. }));
//!         tx = TxBuf::new(&mut memory);
//!     }
//! }
//! assert!(client.is_open() && device.is_bound());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! Source: `docs/protocol.md` §2.2 to §2.4, §2.11, §2.14, §2.15.
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

mod client;
mod config;
mod credentials;
mod device;
mod error;
mod ids;
mod link;
mod stats;
pub mod wire;

use core::net::SocketAddr;
use core::time::Duration;

pub use client::Client;
pub use config::{ClientConfig, DeviceConfig};
pub use device::Device;
pub use error::{Error, WrapError};
pub use ids::{AuthKey, Framing, Framings, InvalidUid, Uid};
pub use stats::Stats;

/// UDP port on which cameras listen for searches. Everything after the search goes to the port they answer from.
pub const LAN_PORT: u16 = 32761;
/// Channel of commands and of the camera's media.
pub const MAIN_CHANNEL: u8 = 0;
/// Channel of audio to the camera.
pub const TALK_CHANNEL: u8 = 1;
/// Addresses a search goes to at most.
pub const MAX_TARGETS: usize = 8;
/// Time between two rounds of probes.
pub const PROBE_INTERVAL: Duration = Duration::from_millis(250);
/// Time from the confirmation of a search (0x0601 stage 2) to the first request for a session (0x0402).
pub const CONFIRM_GAP: Duration = Duration::from_millis(10);
/// Time between two requests for a session.
pub const SESSION_INTERVAL: Duration = Duration::from_millis(500);
/// How long a TransCode client waits for 0x0404 before it goes on without.
pub const SESSION_PATIENCE: Duration = Duration::from_secs(2);
/// A side that has sent nothing for this long sends an alive.
pub const ALIVE_INTERVAL: Duration = Duration::from_secs(2);
/// A peer that has said nothing for this long is gone.
pub const IDLE_LIMIT: Duration = Duration::from_secs(10);
/// How long nothing may come behind the 0x0418 of a camera without DTLS before that is taken for its goodbye: longer than
/// the time between two of its alives (`docs/protocol.md` §2.4).
#[cfg(feature = "plain")]
pub const GOODBYE_DOUBT: Duration = Duration::from_millis(2500);

/// Bytes in front of a payload, either framing.
const HEADROOM: usize = wire::DATA_HEADER_LEN;
/// Bytes behind a payload: CC51's HMAC.
const TAILROOM: usize = if cfg!(feature = "cc51") { 20 } else { 0 };

/// What a datagram (or, rarely, the passing of time) brought about.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'p> {
    /// Client only: the camera with our UID answered, in this framing. Comes once for each framing that it speaks.
    Found {
        /// The address that it answered from, wherever it was looked for.
        from: SocketAddr,
        /// The framing of the answer.
        framing: Framing,
    },
    /// The session is open; payloads may flow. A DTLS client begins now.
    Open {
        /// The framing of the session.
        framing: Framing,
    },
    /// A payload from the peer, or from somebody who knows its session id: authenticate it.
    Data {
        /// The channel.
        channel: u8,
        /// What was in the packet, where it lies.
        payload: &'p mut [u8],
    },
    /// The peer ended the session.
    Closed,
}
