//! The AV layer of TUTK as Wyze cameras speak it, both roles, sans-IO, `no_std`, no allocation.
//!
//! One AV message is what one DTLS record holds. This crate knows the login, ACK and statistics, the framing of IOCTRLs
//! (whose contents, the K-commands, are another crate's), and media packets.
//!
//! | type | what it is for |
//! |---|---|
//! | [`Initiator`] | logs in, acknowledges, receives media (the app; the camera on the talk channel) |
//! | [`Responder`] | is logged in to (the camera; the app on the talk channel) |
//! | [`Message`] | one message, parsed |
//! | [`Assembler`] | whole frames out of media packets, in the caller's memory |
//! | [`ChunkStream`] | frames piece by piece for those who cannot hold one |
//! | [`Packetizer`], [`TalkPacketizer`] | media packets out of frames |
//! | [`RepairMemory`], [`RESEND_SLOT`], [`ParityGroup`] | memory for lossless mode: of the receiver, of the sender, of either |
//! | [`Generation`] | what of this older cameras do otherwise, without DTLS |
//! | [`FrameInfo`], [`Adts`], [`MediaClock`] | what a frame is, and when |
//!
//! # Contract
//!
//! After any call that takes `&mut self`, drain `poll_transmit` until it has nothing, then wait for whichever comes
//! first: a datagram or `poll_timeout`. Extra calls are harmless. An `Err` means this object is finished: drop it.
//!
//! # Example
//!
//! A camera sends one frame to an app; here without the layers that encrypt it and carry it.
//!
//! ```
//! use tutk_av::*;
//! use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};
//! # struct Zero;
//! # impl tutk_core::rand_core::TryRng for Zero {
//! #     type Error = core::convert::Infallible;
//! #     fn try_next_u32(&mut self) -> Result<u32, Self::Error> { Ok(7) }
//! #     fn try_next_u64(&mut self) -> Result<u64, Self::Error> { Ok(7) }
//! #     fn try_fill_bytes(&mut self, b: &mut [u8]) -> Result<(), Self::Error> { b.fill(7); Ok(()) }
//! # }
//! # impl tutk_core::rand_core::TryCryptoRng for Zero {}
//! # let mut rng = Zero;
//! let mut cx = Cx::new(Instant::ZERO, &mut rng);
//! let config = LoginConfig { user: b"admin", password: b"sim-enr-16byte!!", resend: false };
//! let mut app = Initiator::new(&config, &mut [], &mut cx);
//! let mut camera = Responder::new(&ResponderConfig::default(), &mut [], &mut cx);
//! let address = "192.0.2.7:32761".parse().unwrap();
//!
//! // Login 1; 10 ms later login 2, and its answer.
//! for millis in [0, 10] {
//!     cx.now = Instant::from_millis(millis);
//!     app.handle_timeout(&mut cx)?;
//!     let mut buffer = [0; 1500];
//!     let mut tx = TxBuf::new(&mut buffer);
//!     assert!(app.poll_transmit(&mut cx, &mut tx)?);
//!     camera.handle_datagram(&mut cx, &mut Datagram::new(address, tx.finish()))?;
//! }
//! let mut buffer = [0; 1500];
//! let mut tx = TxBuf::new(&mut buffer);
//! assert!(camera.poll_transmit(&mut cx, &mut tx)?);
//! let event = app.handle_datagram(&mut cx, &mut Datagram::new(address, tx.finish()))?;
//! assert!(matches!(event, Some(Event::LoggedIn { .. })));
//!
//! // A key frame of 3000 bytes becomes three packets, and one frame again.
//! let data = [0x5a; 3000];
//! let mut packetizer = Packetizer::new();
//! let mut outgoing = packetizer.start(&OutFrame {
//!     stream: Stream::Video,
//!     key: true,
//!     info: FrameInfo::video(Codec::H264, 20, 1_767_239_680_000_000),
//!     data: &data,
//! });
//! let mut memory = [0; 16 * 1024];
//! let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
//! loop {
//!     let mut tx = TxBuf::new(&mut buffer);
//!     if !packetizer.next(&mut outgoing, &mut tx)? {
//!         break;
//!     }
//!     let mut input = Datagram::new(address, tx.finish());
//!     let Some(Event::Media(packet)) = app.handle_datagram(&mut cx, &mut input)? else { panic!() };
//!     video.push(cx.now, &packet);
//! }
//! let Some(Output::Frame(frame)) = video.poll(cx.now) else { panic!() };
//! assert_eq!(video.frame(frame).data, data);
//! # Ok::<(), Box<dyn std::error::Error>>(())
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

mod ack;
mod adts;
mod assembler;
mod chunk;
mod clock;
mod error;
mod event;
mod frameinfo;
mod generation;
mod initiator;
mod ioctl;
mod link;
mod login;
mod message;
mod packetizer;
mod parity;
mod redact;
mod repair;
mod resend;
mod responder;
mod session16;
mod talk;
#[cfg(test)]
mod testing;
mod wire;

pub use adts::Adts;
pub use assembler::{
    Assembler, AssemblerConfig, AssemblerStats, DropReason, Dropped, Frame, FrameRef,
    MAX_IN_FLIGHT, Output,
};
pub use chunk::{Chunk, ChunkOutcome, ChunkStream};
pub use clock::MediaClock;
pub use error::{Error, LinkStats};
pub use event::Event;
pub use frameinfo::{AudioFormat, Codec, FrameInfo};
pub use generation::Generation;
#[cfg(feature = "plain")]
pub use initiator::PlainAccount;
pub use initiator::{Initiator, LoginConfig};
pub use ioctl::{IO_TYPE, Ioctl, IoctlForm, IoctlTicket};
pub use message::{
    Ack, FecPlace, IoctlPart, Joined, Login, LoginReply, MediaPacket, Message, Parity, StatsBlock,
    Stream,
};
pub use packetizer::{OutFrame, Outgoing, Packetizer};
pub use parity::ParityGroup;
pub use repair::{RepairConfig, RepairMemory};
pub use resend::RESEND_SLOT;
pub use responder::{Responder, ResponderConfig};
pub use talk::{TalkFrame, TalkPacketizer};
