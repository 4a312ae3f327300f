//! What a datagram can bring about.

use crate::{Ioctl, MediaPacket};

/// What a datagram held, for both roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'p> {
    /// The login succeeded.
    LoggedIn {
        /// Both sides want lossless mode.
        resend: bool,
        /// The answering side can play audio.
        two_way: bool,
    },
    /// An IOCTRL in one packet. A repeated one is reported, too: its answer was lost, give it again.
    Ioctl(Ioctl<'p>),
    /// An IOCTRL of several packets is complete: read it with `assembled()`.
    IoctlAssembled,
    /// A media packet, for an [`Assembler`](crate::Assembler) or a [`ChunkStream`](crate::ChunkStream).
    Media(MediaPacket<'p>),
}
