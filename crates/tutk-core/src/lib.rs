//! What every layer of the TUTK/IOTC stack shares.
//!
//! The protocol crates ([`tutk-iotc`], [`tutk-dtls`], [`tutk-av`]) are sans-IO state machines: they own no socket, no
//! clock and no random number generator, and allocate nothing. This crate holds the few types that make them look alike:
//!
//! | type | what it carries |
//! |---|---|
//! | [`Instant`] | microseconds since a moment the caller chose |
//! | [`Cx`] | the present moment and the caller's randomness, lent to every call |
//! | [`Datagram`] | what is still unread of one received datagram, and where it came from |
//! | [`TxBuf`] | a datagram under construction, with room reserved on both sides |
//! | [`Layer`] | the four methods every layer has |
//! | [`wire`] | cursors that cannot index out of range |
//! | [`Secret`] | bytes that never reach a log and are wiped on drop |
//! | [`Timers`], [`Backoff`] | deadlines as a table, and repetition that slows down |
//!
//! # Contract
//!
//! After any call that takes `&mut self`, drain `poll_transmit` until it has nothing, then wait for whichever comes
//! first: a datagram or `poll_timeout`. Extra calls are harmless. An `Err` means this object is finished: drop it.
//!
//! [`tutk-iotc`]: https://docs.rs/tutk-iotc
//! [`tutk-dtls`]: https://docs.rs/tutk-dtls
//! [`tutk-av`]: https://docs.rs/tutk-av
#![cfg_attr(not(any(test, feature = "std")), no_std)]
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

mod datagram;
mod layer;
mod log;
mod secret;
mod time;
mod timers;
mod txbuf;
pub mod wire;

pub use datagram::Datagram;
pub use layer::{Cx, Layer};
pub use rand_core;
pub use secret::Secret;
pub use time::Instant;
pub use timers::{Backoff, Timers, earlier};
pub use txbuf::{Full, TxBuf};
