//! The same for Session16, which acknowledges each IOCTRL by itself and media not at all (`docs/protocol.md` §2.12).

use tutk_core::wire::Malformed;

use super::Link;
use crate::error::count;
use crate::session16::{Answer, Message16, parse};
use crate::{Event, MediaPacket, Stream};

impl Link<'_> {
    /// Reads a message of Session16, and counts it when it can't be read.
    pub(crate) fn parse16<'p>(&mut self, bytes: &'p [u8]) -> Option<Message16<'p>> {
        parse(bytes)
            .inspect_err(|_why: &Malformed| {
                count(&mut self.stats.rx_malformed);
                tutk_core::debug!("AV message dropped: {}", _why);
            })
            .ok()
    }

    /// Handles everything of Session16 but the login.
    pub(crate) fn handle16<'p>(&mut self, message: Message16<'p>) -> Option<Event<'p>> {
        match message {
            Message16::Ioctl(part, answer) => {
                self.answer = Some(answer);
                return self.handle_ioctl(part);
            }
            Message16::Media(packet) => {
                count(&mut self.stats.rx_media);
                return Some(Event::Media(self.number(packet)));
            }
            Message16::Ask(answer) => self.answer = Some(answer),
            Message16::Answer => {}
            Message16::Login(..) | Message16::LoginReply(_) => {
                count(&mut self.stats.rx_unexpected);
            }
            Message16::Unknown(_code) => {
                count(&mut self.stats.rx_unknown);
                tutk_core::debug!("AV message of unknown type {} dropped", _code);
            }
        }
        None
    }

    /// Gives a frame that is numbered from 0 with 16 bits a number from 1 that does not wrap.
    fn number<'p>(&mut self, packet: MediaPacket<'p>) -> MediaPacket<'p> {
        let [video, audio] = &mut self.frames;
        let furthest = match packet.stream {
            Stream::Video => video,
            Stream::Audio => audio,
        };
        let here = packet.frame.wrapping_add(1);
        let ahead = (here as u16).wrapping_sub(*furthest as u16) as i16;
        let frame = furthest.wrapping_add_signed(ahead.into());
        // The first one may have any number.
        let frame = if *furthest == 0 { here } else { frame };
        if ahead > 0 || *furthest == 0 {
            *furthest = frame;
        }
        MediaPacket {
            frame,
            previous: frame.wrapping_sub(1),
            ..packet
        }
    }

    /// The side that is logged in to asks for terms when the peer is to listen.
    pub(crate) fn negotiate(&mut self) {
        self.answer = Some(Answer::Negotiate);
    }
}
