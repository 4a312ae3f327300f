//! One talk, from the search to the goodbye.
//!
//! ```text
//!   search ─ Authenticated ─ its own audio: Voice ─ start_talk ─ TalkReady ─► frame, frame, … ─► tail ─ stop_talk ─ goodbye
//!      └── `timeout` ──┘  └── 10 s: no-media ──┘  └─ 5 s: no-talk ─┘  └ TalkClosed: no-talk
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use wyze_media::SoundFrame;
use wyze_std::session::kauth::command::Media;
use wyze_std::session::{Event, TalkEnd, TalkError};
use wyze_std::{Connection, Status};

use super::feed::Feed;
use super::pacer::{Line, Pacer, pace};
use super::voice::Voice;
use crate::failure::{Exit, Failure};
use crate::reach::{Reached, socket_failure};
use crate::report::Report;
use crate::step::{Description, Step};

/// The longest sleep: how soon ctrl-C and deadlines are noticed.
const TICK: Duration = Duration::from_millis(100);
/// A camera that sends no audio by itself is asked for video too, as other clients do.
const ASK_AGAIN: Duration = Duration::from_secs(3);
/// After this long it will not send any.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a camera may still have to play when its last frame has been sent.
const TAIL: Duration = Duration::from_millis(500);
/// The session's own limit to the end of a talk is five seconds.
const GOODBYE: Duration = Duration::from_secs(6);

/// What was said.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Said {
    pub(super) frames: u64,
    pub(super) bytes: u64,
    pub(super) played: Duration,
    /// The latest that a frame went out.
    pub(super) worst: Duration,
    /// Frames that went out more than 5 ms late.
    pub(super) late: u32,
    /// How often the sound did not come in time.
    pub(super) put_off: u32,
    pub(super) interrupted: bool,
}

pub(super) struct Speaker<'a> {
    stop: &'a AtomicBool,
    timeout: Duration,
    pub(super) report: &'a mut Report,
    heard: Heard,
    start: Instant,
}

/// What events have told.
struct Heard {
    reached: Reached,
    let_in: Option<Duration>,
    voice: Option<Result<Voice, Failure>>,
    ready: bool,
    ended: Option<TalkEnd>,
}

impl<'a> Speaker<'a> {
    /// `voice`: what the user says that the camera plays.
    pub(super) fn new(
        stop: &'a AtomicBool,
        timeout: Duration,
        voice: Option<Voice>,
        report: &'a mut Report,
    ) -> Self {
        let heard = Heard {
            reached: Reached::Nothing,
            let_in: None,
            voice: voice.map(Ok),
            ready: false,
            ended: None,
        };
        Self {
            stop,
            timeout,
            report,
            heard,
            start: Instant::now(),
        }
    }

    /// Finds out what the camera plays.
    pub(super) fn reach(&mut self, connection: &mut Connection<'_>) -> Result<Voice, Failure> {
        let mut asked_again = false;
        loop {
            self.step(connection, TICK)?;
            if self.interrupted() {
                return Err(too_early());
            }
            let now = self.start.elapsed();
            let Some(let_in) = self.heard.let_in else {
                if now >= self.timeout
                    && let Some(failure) = self.heard.reached.out_of_time(self.timeout)
                {
                    return Err(failure);
                }
                continue;
            };
            if let Some(voice) = self.heard.voice.take() {
                return voice;
            }
            let silence = now.saturating_sub(let_in);
            if silence >= PATIENCE {
                return Err(Failure::new(
                    Exit::NoMedia,
                    "the camera sends no sound of its own, so nobody knows what it plays; switch on its microphone in the Wyze \
                     app, or say it with --codec, such as --codec alaw:8000",
                ));
            }
            if silence >= ASK_AGAIN && !asked_again {
                let (client, clock) = connection.client();
                asked_again = client.enable(&mut clock.cx(), Media::Audio, true).is_ok()
                    && client.enable(&mut clock.cx(), Media::Video, true).is_ok();
            }
        }
    }

    /// Opens the talk.
    pub(super) fn open(&mut self, connection: &mut Connection<'_>) -> Result<(), Failure> {
        let (client, clock) = connection.client();
        client
            .start_talk(&mut clock.cx())
            .map_err(|e| Failure::new(Exit::Internal, e.to_string()))?;
        while !self.heard.ready {
            self.step(connection, TICK)?;
            self.check_end()?;
            if self.interrupted() {
                return Err(too_early());
            }
        }
        Ok(())
    }

    /// Says everything that `feed` has, in real time.
    pub(super) fn speak(
        &mut self,
        connection: &mut Connection<'_>,
        feed: &Feed,
        voice: &Voice,
        rate: u32,
    ) -> Result<Said, Failure> {
        let mut pacer = Pacer::new(rate);
        let mut air = Air {
            speaker: self,
            connection,
            voice,
            said: Said::default(),
        };
        pace(&mut pacer, &mut air, || feed.next())?;
        let mut said = air.said;
        said.played = pacer.played();
        said.worst = pacer.worst;
        said.late = pacer.late;
        said.put_off = pacer.put_off;
        if !said.interrupted
            && let Some(over) = pacer.due()
        {
            self.listen_until(connection, over + TAIL)?;
        }
        Ok(said)
    }

    /// Ends the talk, so that the camera is free for the next one.
    pub(super) fn close(&mut self, connection: &mut Connection<'_>) -> Result<(), Failure> {
        let (client, clock) = connection.client();
        if client.stop_talk(&mut clock.cx()).is_err() {
            // There is none to be stopped.
            return Ok(());
        }
        let deadline = connection.now() + GOODBYE;
        while self.heard.ended.is_none() && connection.now() < deadline {
            self.step(connection, TICK)?;
        }
        Ok(())
    }

    fn listen_until(
        &mut self,
        connection: &mut Connection<'_>,
        until: wyze_std::session::Instant,
    ) -> Result<(), Failure> {
        while connection.now() < until && !self.interrupted() && self.heard.ended.is_none() {
            let left = until.since(connection.now());
            self.step(connection, left.min(TICK))?;
        }
        Ok(())
    }

    fn step(&mut self, connection: &mut Connection<'_>, limit: Duration) -> Result<(), Failure> {
        let at = self.start.elapsed();
        let status = connection
            .step(limit, |event| self.on_event(at, event))
            .map_err(|e| socket_failure(&e))?;
        match status {
            Status::Open | Status::Waiting { .. } => Ok(()),
            Status::Closed(cause) => Err(cause.into()),
        }
    }

    fn on_event(&mut self, at: Duration, event: Event<'_>) {
        match event {
            Event::Phase(phase) => {
                let step = Step::from(phase);
                step.warn();
                self.tell(at, &step);
            }
            Event::Authenticated(info) => {
                self.heard.let_in = Some(at);
                self.tell(at, &Step::Authenticated(Description::of(&info)));
            }
            Event::Audio(frame) if self.heard.voice.is_none() => {
                self.heard.voice = Some(Voice::of_frame(&frame));
            }
            Event::TalkReady => self.heard.ready = true,
            Event::TalkClosed(end) => self.heard.ended = Some(end),
            _ => {}
        }
    }

    fn tell(&mut self, at: Duration, step: &Step) {
        self.heard.reached = step.into();
        self.report.step(at, step);
    }

    fn interrupted(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn check_end(&self) -> Result<(), Failure> {
        match self.heard.ended {
            Some(TalkEnd::NoReply) => {
                Err(Failure::new(Exit::NoReply, TalkEnd::NoReply.to_string()))
            }
            Some(TalkEnd::Peer) => Err(Failure::new(
                Exit::NoTalk,
                "the camera ended the talk; another viewer may be talking, so try again",
            )),
            Some(end) => Err(Failure::new(Exit::NoTalk, end.to_string())),
            None => Ok(()),
        }
    }
}

/// A talk that is open.
struct Air<'s, 'a, 'm> {
    speaker: &'s mut Speaker<'a>,
    connection: &'s mut Connection<'m>,
    voice: &'s Voice,
    said: Said,
}

impl Line for Air<'_, '_, '_> {
    fn goes_on(&mut self) -> Result<bool, Failure> {
        self.speaker.check_end()?;
        if !self.speaker.interrupted() {
            return Ok(true);
        }
        if self.said.frames == 0 {
            return Err(too_early());
        }
        self.said.interrupted = true;
        Ok(false)
    }

    fn now(&self) -> wyze_std::session::Instant {
        self.connection.now()
    }

    fn step(&mut self, limit: Duration) -> Result<(), Failure> {
        self.speaker.step(self.connection, limit)
    }

    fn send(
        &mut self,
        frame: &SoundFrame,
        due: wyze_std::session::Instant,
        played: Duration,
    ) -> Result<(), Failure> {
        match self
            .connection
            .send_audio(&self.voice.frame(frame, due.as_micros() as u32)) // wraps, as it may
        {
            Ok(()) => {}
            // It has just ended; the next step tells why.
            Err(TalkError::NotReady) => return self.step(Duration::ZERO),
            Err(e) => return Err(Failure::new(Exit::Internal, e.to_string())),
        }
        self.said.frames += 1;
        self.said.bytes += frame.data.len() as u64;
        let at = self.speaker.start.elapsed();
        self.speaker.report.talked(at, played, self.said.frames);
        Ok(())
    }
}

fn too_early() -> Failure {
    Failure::new(Exit::Interrupted, "interrupted before anything was said")
}
