//! Media that are wanted and do not come, though the camera is there.
//!
//! ```text
//!   Granted, K10010 "on" ─► waiting ◄──── a packet of the watched stream ────┐
//!                              │ 3 s without one                             │
//!                              ▼                                             │
//!                 K10010 "on", last quality, Event::Stalled ─────────────────┤
//!                              │ 8 s without one                             │
//!                              ▼                                             │
//!            heard since? yes: Cause::Stalled    no: again in a second, ─────┘
//!                                                until IOTC ends it with Cause::Lost
//! ```
//!
//! Watched is video where it is wanted, else audio: sound does not hide that the picture stands still.

use core::time::Duration;

use tutk_av::Stream;
use tutk_core::Instant;
use wyze_kauth::Message;
use wyze_kauth::command::{ControlChannel, Media, Request};
use wyze_kauth::models::ResolutionRequest;

use crate::config::{ClientConfig, StallConfig};

/// Between two looks: whether a camera that was silent is heard again, whether there is room for a request.
const RECHECK: Duration = Duration::from_secs(1);

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// Ask for media once more.
    Ask(Media),
    /// The camera is there and sends none.
    End,
}

/// What the application has switched on, and whether it comes.
#[derive(Debug)]
pub(crate) struct Stall {
    config: Option<StallConfig>,
    pub(crate) video: bool,
    pub(crate) audio: bool,
    /// The picture that was asked for last.
    pub(crate) quality: Option<ResolutionRequest>,
    /// When the camera let us in.
    granted: Option<Instant>,
    /// When the watched stream last showed itself, or began to be wanted.
    since: Instant,
    asked: bool,
    next: Option<Instant>,
    /// It was asked for again; the owner has not been told.
    untold: Option<(Stream, Duration)>,
}

impl Stall {
    pub(crate) fn new(config: &ClientConfig<'_>) -> Self {
        Self {
            config: config.stall,
            video: config.video,
            audio: config.audio,
            quality: None,
            granted: None,
            since: Instant::ZERO,
            asked: false,
            next: None,
            untold: None,
        }
    }

    /// A new session begins. What was switched on stays so.
    pub(crate) fn restart(&mut self) {
        self.granted = None;
        self.asked = false;
        self.next = None;
        self.untold = None;
    }

    /// The camera has let us in: media may come.
    pub(crate) fn granted(&mut self, now: Instant) {
        self.granted = Some(now);
        self.wait(now);
    }

    /// A request of the application's goes out; K10010 says what it wants from now on.
    pub(crate) fn requested(&mut self, now: Instant, message: &[u8]) {
        let Ok(message) = Message::parse(message) else {
            return;
        };
        if message.code != ControlChannel::CODE {
            return;
        }
        let Ok(ControlChannel { media, on }) = message.request() else {
            return;
        };
        let watched = self.watched();
        match media {
            Media::Video => self.video = on,
            Media::Audio => self.audio = on,
            _ => return,
        }
        // One that is asked for once more has no more time for it.
        if self.watched() != watched {
            self.wait(now);
        }
    }

    /// A media packet has come.
    pub(crate) fn arrived(&mut self, now: Instant, stream: Stream) {
        if self.watched() == Some(stream) {
            self.wait(now);
        }
    }

    /// How long the session has been of use: from when the camera let us in to the last media packet, or to `now` where
    /// none are wanted.
    pub(crate) fn healthy(&self, now: Instant) -> Duration {
        let until = match self.watched() {
            Some(_) => self.since,
            None => now,
        };
        self.granted
            .map_or(Duration::ZERO, |granted| until.since(granted))
    }

    /// `heard`: when anything came from the camera last. After [`Due::Ask`] say how that went: [`asked`](Self::asked).
    pub(crate) fn handle_timeout(&mut self, now: Instant, heard: Option<Instant>) -> Due {
        let (Some(config), Some(next)) = (self.config, self.next) else {
            return Due::Nothing;
        };
        if next > now {
            return Due::Nothing;
        }
        self.next = Some(now + RECHECK);
        let silence = now.since(self.since);
        if silence >= config.limit {
            // Silence as such is the business of IOTC.
            if heard.is_some_and(|heard| heard > self.since + config.ask) {
                self.next = None;
                return Due::End;
            }
        } else if !self.asked {
            return match self.watched() {
                Some(Stream::Video) => Due::Ask(Media::Video),
                Some(Stream::Audio) => Due::Ask(Media::Audio),
                None => Due::Nothing,
            };
        }
        Due::Nothing
    }

    /// The media were asked for once more.
    pub(crate) fn asked(&mut self, now: Instant) {
        if let (Some(config), Some(stream)) = (self.config, self.watched()) {
            self.asked = true;
            self.next = Some(self.since + config.limit);
            self.untold = Some((stream, now.since(self.since)));
        }
    }

    /// What the owner has to be told, once.
    pub(crate) fn take_untold(&mut self) -> Option<(Stream, Duration)> {
        self.untold.take()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    fn watched(&self) -> Option<Stream> {
        if self.video {
            Some(Stream::Video)
        } else {
            self.audio.then_some(Stream::Audio)
        }
    }

    fn wait(&mut self, now: Instant) {
        self.since = now;
        self.asked = false;
        self.next = match (self.config, self.granted, self.watched()) {
            (Some(config), Some(_), Some(_)) => Some(now + config.ask),
            _ => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use tutk_core::wire::Writer;
    use tutk_iotc::Uid;
    use wyze_kauth::{Enr, Mac};

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    /// What watches video and audio, asked for again after 3 s, given up after 8 s.
    fn stall() -> Stall {
        let uid: Uid = "SIMCAMSIMCAMSIMCAM11".parse().unwrap();
        let (enr, mac) = (Enr::new("sim-enr-16byte!!"), Mac::new("00AA11BB22CC"));
        let (enr, mac) = (enr.unwrap(), mac.unwrap());
        let config = ClientConfig {
            stall: Some(StallConfig {
                ask: Duration::from_secs(3),
                limit: Duration::from_secs(8),
            }),
            video: true,
            audio: true,
            ..ClientConfig::new(uid, &enr, &mac, &[])
        };
        Stall::new(&config)
    }

    fn switch(stall: &mut Stall, now: Instant, media: Media, on: bool) {
        let mut memory = [0; 64];
        let mut w = Writer::new(&mut memory);
        wyze_kauth::write_request(&ControlChannel { media, on }, &mut w);
        stall.requested(now, w.finish().unwrap());
    }

    #[test]
    fn a_session_is_of_use_from_when_it_was_let_in_to_its_last_media() {
        let mut stall = stall();
        assert_eq!(stall.healthy(at(9000)), Duration::ZERO, "not let in");
        stall.granted(at(5000));
        assert_eq!(stall.healthy(at(9000)), Duration::ZERO, "nothing came");
        stall.arrived(at(7000), Stream::Video);
        stall.arrived(at(8000), Stream::Audio);
        assert_eq!(stall.healthy(at(9000)), Duration::from_secs(2));
        switch(&mut stall, at(9000), Media::Video, false);
        assert_eq!((stall.video, stall.audio), (false, true));
        stall.arrived(at(9500), Stream::Audio);
        assert_eq!(stall.healthy(at(9900)), Duration::from_millis(4500));
        switch(&mut stall, at(9900), Media::Audio, false);
        assert_eq!((stall.video, stall.audio), (false, false));
        assert_eq!(stall.healthy(at(20_000)), Duration::from_secs(15));
        switch(&mut stall, at(20_000), Media::Video, true);
        assert_eq!((stall.video, stall.audio), (true, false));
    }

    #[test]
    fn a_stream_that_is_asked_for_again_has_no_more_time_and_another_has() {
        let mut stall = stall();
        stall.granted(at(0));
        switch(&mut stall, at(2000), Media::Video, true);
        assert_eq!(stall.poll_timeout(), Some(at(3000)));
        switch(&mut stall, at(2500), Media::Video, false);
        assert_eq!(stall.poll_timeout(), Some(at(5500)), "sound");
        switch(&mut stall, at(2600), Media::Audio, false);
        assert_eq!(stall.poll_timeout(), None, "nothing is wanted");
    }

    #[test]
    fn a_camera_is_given_up_only_if_it_was_heard_after_it_was_asked_again() {
        for (heard, due) in [
            (None, Due::Nothing),
            (Some(3000), Due::Nothing),
            (Some(3001), Due::End),
        ] {
            let mut stall = stall();
            stall.granted(at(0));
            assert_eq!(stall.handle_timeout(at(2999), None), Due::Nothing);
            assert_eq!(stall.handle_timeout(at(3000), None), Due::Ask(Media::Video));
            stall.asked(at(3000));
            assert_eq!(stall.poll_timeout(), Some(at(8000)));
            assert_eq!(stall.handle_timeout(at(8000), heard.map(at)), due);
        }
    }
}
