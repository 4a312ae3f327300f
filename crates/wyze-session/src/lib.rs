//! A session with a Wyze camera: every layer of the TUTK/IOTC stack in the right order, both roles.
//!
//! [`Client`] is the app, [`Camera`] is the camera. Both are sans-IO state machines with the same shape: no socket, no
//! clock, no randomness, no heap. An adapter (`wyze-std` on a PC, `wyze-smoltcp` on a board) moves datagrams between a
//! UDP socket and the session and sleeps in between.
//!
//! # The run loop
//!
//! After any call that takes `&mut self`: (1) drain `poll_transmit`; (2) drain `poll_event`; (3) wait for whichever
//! comes first, a datagram or `poll_timeout`; (4) hand a datagram to `handle_datagram` until it answers `None`, or call
//! `handle_timeout`; then begin again. Extra calls are harmless. `Event::Closed` is the last event.
//!
//! To stay connected: [`Reconnect`] says when to try again after `Event::Closed`, and `Client::restart` does, in the same
//! memory. Media that stop while the camera still answers are asked for once more, and then given up
//! ([`ClientConfig::stall`]).
//!
//! Audio to the camera (feature `talk`): `Client::start_talk`, wait for `Event::TalkReady`, then `Client::send_audio` for
//! each frame, which answers with the datagram to send. It takes [`Storage::talk_handshake`].
//!
//! Here the network is a function call, and both ends run in one thread:
//!
//! ```
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//! use wyze_session::*;
//!
//! let uid: Uid = "SIMCAMSIMCAMSIMCAM11".parse().unwrap();
//! let enr = Enr::new("sim-enr-16byte!!").unwrap();
//! let mac = Mac::new("00AA11BB22CC").unwrap();
//! let app = "192.0.2.1:50000".parse().unwrap();
//! let device = "192.0.2.2:32761".parse().unwrap();
//!
//! let mut rng = ChaCha8Rng::seed_from_u64(1); // in earnest: the operating system's
//! let mut now = Instant::ZERO;
//! let (mut m1, mut m2) = (Memory::<65536, 8192>::new(), Memory::<0, 0>::new());
//! let targets = [device];
//! let mut client = Client::new(
//!     &ClientConfig::new(uid, &enr, &mac, &targets),
//!     m1.split(),
//!     &mut Cx::new(now, &mut rng),
//! );
//! let mut camera = Camera::new(
//!     &CameraConfig::new(uid, &enr, &mac),
//!     m2.split(),
//!     &mut Cx::new(now, &mut rng),
//! );
//!
//! let (mut buf, mut authenticated) = ([0u8; 1500], false);
//! while !authenticated {
//!     let mut quiet = true;
//!     // (1) what the client sends arrives at the camera at once
//!     while let Some(t) = client.poll_transmit(&mut Cx::new(now, &mut rng), &mut buf) {
//!         quiet = false;
//!         let mut input = Datagram::new(app, t.datagram); // (4)
//!         while camera.handle_datagram(&mut Cx::new(now, &mut rng), &mut input).is_some() {}
//!     }
//!     while let Some(t) = camera.poll_transmit(&mut Cx::new(now, &mut rng), &mut buf) {
//!         quiet = false;
//!         let mut input = Datagram::new(device, t.datagram);
//!         while let Some(event) = client.handle_datagram(&mut Cx::new(now, &mut rng), &mut input) {
//!             authenticated |= matches!(event, Event::Authenticated(_));
//!         }
//!     }
//!     // (3) nothing in flight: sleep until the next timer
//!     if quiet {
//!         now = client.poll_timeout().into_iter().chain(camera.poll_timeout()).min().unwrap().max(now);
//!         client.handle_timeout(&mut Cx::new(now, &mut rng));
//!         camera.handle_timeout(&mut Cx::new(now, &mut rng));
//!     }
//! }
//! ```
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

#[cfg(not(any(feature = "client", feature = "camera")))]
compile_error!("wyze-session needs a role: enable `client`, `camera` or both");
#[cfg(not(any(feature = "chacha", feature = "cbc")))]
compile_error!("wyze-session needs a cipher suite: enable `chacha`, `cbc` or both");

mod association;
#[cfg(feature = "camera")]
mod camera;
#[cfg(feature = "client")]
mod client;
mod config;
#[cfg(feature = "client")]
mod control;
mod event;
mod memory;
#[cfg(feature = "client")]
mod receiver;
mod reconnect;
mod request;
#[cfg(feature = "client")]
mod restart;
mod stack;
#[cfg(feature = "client")]
mod stall;
#[cfg(all(feature = "talk", any(feature = "client", feature = "camera")))]
mod talk;
mod transmit;

#[cfg(feature = "camera")]
pub use camera::{Camera, CameraConfig, CameraEvent, MediaError};
#[cfg(feature = "client")]
pub use client::Client;
pub use config::{ClientConfig, PlainPolicy, StallConfig};
pub use event::{Cause, Event, Phase, TalkEnd};
pub use memory::{Memory, ParityGroup, RESEND_SLOT, RepairMemory, Storage};
pub use reconnect::{BELIEVED, FIRST_DELAY, HEALTHY, LONGEST_DELAY, Reconnect};
pub use request::{LIMIT, MAX_REQUEST_LEN, MAX_REQUESTS, REPEAT, RequestError, RequestId};
#[cfg(all(feature = "talk", feature = "client"))]
pub use talk::{MAX_TALK_FRAME, TalkError};
pub use transmit::{Stats, Transmit};

pub use core::time::Duration;
#[cfg(feature = "frames")]
pub use tutk_av::AssemblerStats;
pub use tutk_av::{
    AudioFormat, Chunk, Codec, DropReason, Dropped, Frame, FrameInfo, Generation, OutFrame,
    Outgoing, Stream, TalkFrame,
};
pub use tutk_core::{Cx, Datagram, Instant};
pub use tutk_dtls::{CipherSuite, Suites};
pub use tutk_iotc::{Framing, Framings, LAN_PORT, Uid};
pub use wyze_kauth as kauth;
#[cfg(feature = "camera")]
pub use wyze_kauth::settings::CameraState;
pub use wyze_kauth::{CameraInfo, Enr, Hello, Mac, ResponseCommand, Status};
