//! How an application and a Wyze camera come to trust each other, and the commands they exchange afterwards.
//!
//! Everything here travels inside IOCTRLs of the AV layer, as *HL messages* ("K-commands"). This crate knows neither
//! sockets nor layers nor time: it is handed complete messages and writes complete messages.
//!
//! | module | what is in it |
//! |---|---|
//! | [`keys`] | [`Enr`], [`Mac`], and what is derived from them: [`auth_key`] for the search, [`psk`] for DTLS |
//! | [`hl`] | the 16-byte header, [`Message`], [`Code`] |
//! | [`command`] | typed bodies of requests and replies, one small declaration each |
//! | [`challenge`] | [`Status`] and the XXTEA answer |
//! | [`authenticator`] | the application's side of K10000 to K10003 |
//! | [`challenger`] | the camera's side |
//! | [`info`] | [`CameraInfo`], the camera's description of itself in K10003 |
//! | [`models`] | what is known about each camera model, and [`Quality`] |
//! | [`support`] | which command a camera takes, by protocol version and model |
//! | [`settings`] | the commands as named settings for a user, and a virtual camera's state |
//!
//! ```text
//! application (Authenticator)                       camera (Challenger)
//!   K10000 hello, optional JSON            ──────►
//!                                          ◄──────  K10001 status, challenge
//!   K10002 XXTEA-decrypted challenge, video, audio ──►
//!                                          ◄──────  K10003 JSON: connectionRes, cameraInfo
//! ```
//!
//! ```
//! use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
//! use tutk_core::wire::Writer;
//! use wyze_kauth::*;
//!
//! let (enr, mac) = (Enr::new("0123456789abcdef")?, Mac::new("AABBCCDDEEFF")?);
//! let mut app = Authenticator::new(&AuthenticatorConfig {
//!     enr: &enr, parent_enr: None, mac: &mac, video: true, audio: false,
//!     hello: Hello::Empty, command: ResponseCommand::K10002, open_user_id: None,
//! });
//! let mut camera = Challenger::new(&ChallengerConfig {
//!     enr: &enr, parent_enr: None, status: Status::Enr16,
//!     info: CameraDescription::new("HL_CAM4", "4.52.9.4188", &mac),
//! });
//! let mut rng = ChaCha20Rng::seed_from_u64(1);
//! let mut memory = [0u8; MAX_MESSAGE];
//! loop {
//!     let mut w = Writer::new(&mut memory);
//!     app.poll_request(&mut w).expect("it has something to say until it is done");
//!     camera.handle_message(&mut rng, &Message::parse(w.finish()?)?);
//!
//!     let mut w = Writer::new(&mut memory);
//!     camera.write_reply(&mut w).expect("each request is answered");
//!     if let Some(AuthEvent::Authenticated(info)) = app.handle_message(&Message::parse(w.finish()?)?)? {
//!         assert_eq!(info.model, Some("HL_CAM4"));
//!         break;
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ENR, MAC, keys and challenges never appear in `Debug`, `defmt` or log output; ENR and keys are wiped when dropped.
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

pub mod authenticator;
pub mod challenge;
pub mod challenger;
pub mod command;
pub mod hl;
pub mod info;
mod json;
pub mod keys;
pub mod models;
pub mod settings;
pub mod support;
#[doc(hidden)]
pub mod xxtea;

pub use authenticator::{
    AuthError, AuthEvent, Authenticator, AuthenticatorConfig, Hello, ResponseCommand,
};
pub use challenge::Status;
pub use challenger::{CameraDescription, Challenger, ChallengerConfig, ChallengerEvent};
pub use command::{Decode, Encode, Request, write_reply, write_request};
pub use hl::{Code, MAX_MESSAGE, Message};
pub use info::CameraInfo;
pub use keys::{CredentialError, Enr, Mac, OpenUserId, PSK_IDENTITY, auth_key, psk, psk_len};
pub use models::{Model, Quality, lookup};
pub use settings::CameraState;
pub use support::{Support, Unsupported, supported};

/// Messages that were dropped. Either role counts them; none ends the conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Stats {
    /// Messages of a known code whose body was too short or contradicted itself.
    pub rx_malformed: u32,
    /// Messages that came when nobody had asked for them, such as a second challenge.
    pub rx_unexpected: u32,
    /// Answers to our challenge that were wrong (camera's side).
    pub rx_wrong_answer: u32,
}
