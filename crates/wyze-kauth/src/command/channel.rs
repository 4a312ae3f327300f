//! Media streams on and off.

use super::{Raw, byte_enum, command};

byte_enum! {
    /// A stream that K10010 switches.
    Media {
        /// 1: video from the camera.
        Video = 1,
        /// 2: audio from the camera.
        Audio = 2,
        /// 3: audio to the camera's speaker.
        ReturnAudio = 3,
        /// 4: file transfer (not deciphered).
        Rdt = 4,
    }
}

command! {
    /// Switches a media stream (K10010). The reply's content is not known; that it comes is what counts.
    ControlChannel {
        /// Which stream.
        media: Media,
        /// Whether it shall flow.
        on: bool,
    } = K10010 -> Raw<'p>
}
