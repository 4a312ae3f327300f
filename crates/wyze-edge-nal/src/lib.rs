//! A Wyze camera session over the UDP traits of [`edge_nal`]: under embassy, on ESP-IDF, or on std.
//!
//! [`Connection`] is the app's side, [`Server`] the camera's. Each [`step`](Connection::step) sends what is due, waits for
//! one datagram, the session's next timer or a limit, and tells what came of it. The socket and the delay come from the
//! platform (`edge-nal-embassy` and `embassy_time::Delay`, `edge-nal-std`, …); the clock is a function, the randomness an
//! argument.
//!
//! ```
//! use core::time::Duration;
//! use edge_nal::{UdpReceive, UdpSend};
//! use embedded_hal_async::delay::DelayNs;
//! use wyze_edge_nal::session::{Cause, Client, Event, Instant};
//! use wyze_edge_nal::{Connection, Status};
//!
//! async fn watch<S: UdpReceive + UdpSend>(
//!     client: Client<'_>,
//!     socket: S,
//!     delay: impl DelayNs,
//!     clock: impl FnMut() -> Instant,
//!     rng: &mut impl rand_core::CryptoRng,
//! ) -> Result<Cause, S::Error> {
//!     let mut buffer = [0; 1500];
//!     let mut connection = Connection::new(client, socket, delay, clock, &mut buffer);
//!     loop {
//!         let status = connection.step(rng, Duration::from_secs(1), |event| {
//!             if let Event::Chunk(chunk) = event { /* feed the decoder */ }
//!         });
//!         if let Status::Closed(cause) = status.await? {
//!             return Ok(cause);
//!         }
//!     }
//! }
//! ```
//! The future of a step may be dropped while it waits, if the socket's `receive` may: no datagram but the one that is just
//! being sent is lost by it.
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
mod link;
#[cfg(feature = "camera")]
mod server;

#[cfg(feature = "client")]
pub use connection::{Connection, Status};
#[cfg(feature = "camera")]
pub use server::Server;
/// The session itself, so that firmware needs no second line in its manifest.
pub use wyze_session as session;
