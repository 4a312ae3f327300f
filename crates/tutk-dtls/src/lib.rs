//! DTLS 1.2 for TUTK cameras: sans-IO, `no_std`, without allocation, both roles.
//!
//! Two cipher suites, those that cameras speak (`docs/protocol.md` §6): 0xCCAC
//! ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256 (RFC 7905, with X25519) and 0x00AE PSK_WITH_AES_128_CBC_SHA256 (RFC 5487,
//! MAC-then-encrypt). A [`Client`] and a [`Server`] are [`Layer`]s: give them datagrams, time and
//! randomness, take datagrams and [`Event`]s.
//!
//! # Contract
//!
//! After any call that takes `&mut self`, drain `poll_transmit` until it has nothing, then wait for whichever comes
//! first: a datagram or `poll_timeout`. Extra calls are harmless. An `Err` means this object is finished: drop it
//! (or [`Client::reset`] it).
//!
//! ```
//! # #[cfg(all(feature = "client", feature = "server", feature = "chacha"))] {
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//! use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};
//! use tutk_dtls::{Client, ClientConfig, Event, Psk, Server, ServerConfig, RECOMMENDED_REASSEMBLY};
//!
//! let mut rng = ChaCha8Rng::seed_from_u64(7); // the system's randomness outside of examples
//! let mut cx = Cx::new(Instant::ZERO, &mut rng);
//! let (mut memory_c, mut memory_s) = ([0; RECOMMENDED_REASSEMBLY], [0; RECOMMENDED_REASSEMBLY]);
//! let mut client = Client::new(&ClientConfig::new(Psk::new([7; 32]), b"AUTHPWD_admin"), &mut memory_c, &mut cx);
//! let mut server = Server::new(&ServerConfig::new(Psk::new([7; 32])), &mut memory_s, &mut cx);
//!
//! // Carries everything `from` wants to send over to `to`; a real loop does this with a socket in between.
//! fn carry(cx: &mut Cx<'_>, from: &mut impl Layer, to: &mut impl Layer) {
//!     let mut memory = [0; 1500];
//!     loop {
//!         let mut tx = TxBuf::new(&mut memory);
//!         if !from.poll_transmit(cx, &mut tx).unwrap() { break }
//!         let mut input = Datagram::new("192.0.2.1:4433".parse().unwrap(), tx.finish());
//!         while let Some(_event) = to.handle_datagram(cx, &mut input).unwrap() {}
//!     }
//! }
//! for _ in 0..3 {
//!     carry(&mut cx, &mut client, &mut server);
//!     carry(&mut cx, &mut server, &mut client);
//! }
//! assert!(client.is_connected() && server.is_connected());
//!
//! // A payload is written once and encrypted where it lies.
//! let mut memory = [0; 200];
//! let mut tx = TxBuf::new(&mut memory);
//! tx.reserve(Client::HEADROOM, Client::TAILROOM).unwrap();
//! tx.append(b"hello").unwrap();
//! client.seal(&mut cx, &mut tx).unwrap();
//! let mut input = Datagram::new("192.0.2.1:4433".parse().unwrap(), tx.finish());
//! let event = server.handle_datagram(&mut cx, &mut input).unwrap();
//! assert!(matches!(event, Some(Event::Data(data)) if *data == *b"hello"));
//! # }
//! ```
//!
//! # What is and is not believed
//!
//! Nothing of epoch 0 is authenticated. Until the handshake is done, someone on the path (or someone who knows the
//! session and can spoof the address) can end or delay it with a forged alert, hello or key exchange, but cannot bring
//! about [`Event::Connected`] without the key. After `Connected`, plaintext records are ignored, and an encrypted record
//! that does not authenticate, or was seen before, is dropped and counted.
//!
//! # What a wrong key looks like
//!
//! With 0xCCAC neither side says anything: the other's Finished does not decrypt and is dropped, both repeat their
//! flights, and the client ends with [`Error::HandshakeTimeout`]` { after: Phase::Finished }`. With 0x00AE some servers
//! send a plaintext alert 20 (bad_record_mac) or 51: [`Error::PeerAlert`].
//!
//! # Memory
//!
//! One handshake message is reassembled at a time, in the slice that the caller lends; a message ahead of the next one
//! is dropped and the peer repeats it. Flights are not stored but encoded again, with new record numbers.
#![cfg_attr(not(any(test, feature = "fuzz")), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(any(test, feature = "fuzz")),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

#[cfg(not(any(feature = "client", feature = "server")))]
compile_error!("tutk-dtls needs a role: enable `client`, `server` or both");
#[cfg(not(any(feature = "chacha", feature = "cbc")))]
compile_error!("tutk-dtls needs a cipher suite: enable `chacha`, `cbc` or both");

#[cfg(feature = "chacha")]
mod aead;
#[cfg(feature = "cbc")]
mod cbc;
#[cfg(feature = "chacha")]
mod chacha;
mod cipher;
#[cfg(feature = "client")]
mod client;
mod config;
#[cfg(feature = "server")]
mod cookie;
mod engine;
mod ephemeral;
mod error;
mod flight;
#[cfg(feature = "keylog")]
mod key_log;
mod keys;
mod message;
mod reassembly;
mod record;
#[cfg(feature = "server")]
mod server;
mod stats;
mod suite;
#[cfg(all(
    test,
    feature = "client",
    feature = "server",
    feature = "chacha",
    feature = "cbc"
))]
mod tests;
mod transmit;
mod window;
mod wiretap;

#[cfg(feature = "client")]
pub use client::Client;
#[cfg(feature = "client")]
pub use config::ClientConfig;
pub use config::Psk;
#[cfg(feature = "server")]
pub use config::ServerConfig;
pub use engine::Event;
pub use error::{Error, Phase, SealError};
#[cfg(feature = "keylog")]
pub use key_log::KeyLogEntry;
#[cfg(feature = "fuzz")]
pub use message::dtls_message;
#[cfg(feature = "server")]
pub use server::Server;
pub use stats::Stats;
pub use suite::{CipherSuite, Suites};
#[cfg(doc)]
use tutk_core::Layer;
pub use wiretap::Wiretap;

/// Bytes of caller memory that hold every handshake message of the peers that were tried, even fragmented.
///
/// A message that arrives whole in one datagram is read where it lies and may be longer.
pub const RECOMMENDED_REASSEMBLY: usize = 512;
