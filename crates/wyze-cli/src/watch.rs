//! One camera, watched from the search to the goodbye: the loop behind `demo`, `stream` and `probe`.
//!
//! ```text
//!   search ─ Found ─ Session ─ Secured ─ LoggedIn ─ Authenticated ─ FirstFrame ─► frames ─► goodbye
//!      └─────────── `timeout`: where it stopped is the cause ──────────┘            │  ▲
//!                                                                     session ends ▼  │ next picture
//!                                                                         lost ─ searches again, if the plan says so
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use wyze_std::session::kauth::command::Media;
use wyze_std::session::kauth::models::{self, Model, Quality};
use wyze_std::session::{
    Cause, ClientConfig, Dropped, Event, Frame, Reconnect, RequestError, Stream,
};
use wyze_std::{CameraUrl, Connection, Memory, Status};

use crate::failure::{Exit, Failure};
use crate::reach::{Reached, socket_failure};
use crate::step::{Description, Step, codec_name};
use crate::tape::Tape;
use crate::weak_key;

/// The longest sleep: how soon ctrl-C and deadlines are noticed, and how often [`Viewer::tick`] is called.
const TICK: Duration = Duration::from_millis(100);
/// A camera that has let us in sends a first picture within this, or none.
const STALL: Duration = Duration::from_secs(10);
/// A camera that sends no audio by itself is asked for video too, as other clients do.
const ASK_AGAIN: Duration = Duration::from_secs(3);

/// What to watch, and when to give up.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) url: &'a CameraUrl,
    pub(crate) config: ClientConfig<'a>,
    /// The picture to ask for; `None` leaves it as it is.
    pub(crate) quality: Option<Quality>,
    /// The first frame must come within this.
    pub(crate) timeout: Duration,
    /// After the camera has let us in, the first frame must come within this.
    pub(crate) patience: Duration,
    /// Whether to go on when the camera is lost after the first picture.
    pub(crate) reconnect: Option<Reconnect>,
    /// Whether lost packets are computed from parity.
    pub(crate) parity: bool,
    /// Where to record every datagram.
    pub(crate) tape: Option<Tape>,
}

impl<'a> Plan<'a> {
    /// A plan that waits `timeout` for the first frame, [`STALL`] of it after the camera has let us in, and does not go on
    /// when the camera is lost.
    ///
    /// # Errors
    /// The URL's model does not speak TUTK.
    pub(crate) fn new(url: &'a CameraUrl, timeout: Duration) -> Result<Self, Failure> {
        check_model(url)?;
        let config = url.config();
        weak_key::warn(&config);
        Ok(Self {
            url,
            config,
            quality: None,
            timeout,
            patience: STALL,
            reconnect: None,
            parity: false,
            tape: None,
        })
    }
}

/// Refuses a model that does not speak TUTK.
pub(crate) fn check_model(url: &CameraUrl) -> Result<(), Failure> {
    let model = url.model().and_then(models::lookup);
    match model.and_then(|m| m.unsupported()) {
        Some(reason) => Err(Failure::new(
            Exit::Model,
            format!("{reason}; watch it in the Wyze app or through a WebRTC client"),
        )),
        None => Ok(()),
    }
}

/// What is known about the camera: by its own word about its model, else by the URL's.
pub(crate) fn model_of(told: Option<&str>, url: &CameraUrl) -> Option<&'static Model> {
    told.and_then(models::lookup)
        .or_else(|| url.model().and_then(models::lookup))
}

/// What lossless mode does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Repairs {
    /// The camera sends again what is lost.
    pub(crate) lossless: bool,
    /// Lost packets that were made good.
    pub(crate) repaired: u32,
}

/// Whether a viewer wants more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    More,
    Enough,
}

/// Who hears of what happens. Times count from the beginning of the search.
pub(crate) trait Viewer {
    /// The connection came one step further.
    fn step(&mut self, at: Duration, step: &Step);

    /// A whole frame.
    fn frame(&mut self, at: Duration, frame: &Frame<'_>) -> Result<Flow, Failure>;

    /// A frame was given up.
    fn dropped(&mut self, at: Duration, stream: Stream, frame: &Dropped);

    /// The session ended with `cause`, and the camera is searched for again. Told once until [`found`](Self::found).
    fn lost(&mut self, _at: Duration, _cause: Cause) {}

    /// The first frame has come after the camera was lost `away` ago.
    fn found(&mut self, _at: Duration, _away: Duration) {}

    /// Time goes by; what lossless mode has done so far.
    fn tick(&mut self, at: Duration, repairs: Repairs) -> Flow;
}

/// Why watching ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The viewer had enough.
    Enough,
    /// Ctrl-C.
    Interrupted,
    /// The session ended by itself.
    Closed(Cause),
}

/// Watches until the viewer has enough, `stop` is set, or the session ends. Whatever happens, the camera is told
/// goodbye, so that it frees the slot.
pub(crate) fn watch(
    plan: &Plan<'_>,
    stop: &AtomicBool,
    viewer: &mut dyn Viewer,
) -> Result<End, Failure> {
    let mut memory = Memory::default();
    if plan.parity {
        memory = memory.with_parity();
    }
    let mut connection =
        Connection::open(plan.url, &plan.config, &mut memory).map_err(|e| socket_failure(&e))?;
    if let Some(tape) = &plan.tape {
        connection.set_tap(Box::new(tape.clone()));
    }
    let mut watch = Watch {
        plan,
        viewer,
        start: Instant::now(),
        reached: Reached::Nothing,
        last_media: Duration::ZERO,
        asked_again: false,
        lost: None,
        waiting: false,
        established: false,
        repairs: Repairs::default(),
        repaired_before: 0,
        quality: plan.quality,
        model: model_of(None, plan.url),
        outcome: None,
    };
    let result = watch.run(&mut connection, stop);
    if !matches!(result, Ok(End::Closed(_))) {
        // The end is known already; what happens to the goodbye changes nothing.
        let _ = connection.close(|_| {});
    }
    result
}

struct Watch<'a> {
    plan: &'a Plan<'a>,
    viewer: &'a mut dyn Viewer,
    start: Instant,
    reached: Reached,
    /// When the last frame of the watched stream came, or the camera let us in.
    last_media: Duration,
    /// Video was asked for only so that audio comes.
    asked_again: bool,
    /// Since when the camera is lost, if it is.
    lost: Option<Duration>,
    /// Between two sessions.
    waiting: bool,
    repairs: Repairs,
    /// What was repaired in sessions that are over.
    repaired_before: u32,
    /// The first picture has come.
    established: bool,
    /// What is still to be asked for.
    quality: Option<Quality>,
    /// What the camera is, as far as anybody has said.
    model: Option<&'static Model>,
    outcome: Option<Result<End, Failure>>,
}

impl Watch<'_> {
    fn run(&mut self, connection: &mut Connection<'_>, stop: &AtomicBool) -> Result<End, Failure> {
        loop {
            let status = connection
                .step(TICK, |event| self.on_event(event))
                .map_err(|e| socket_failure(&e))?;
            self.count_repairs(connection);
            let flow = self.viewer.tick(self.start.elapsed(), self.repairs);
            if let Some(outcome) = self.outcome.take() {
                return outcome;
            }
            match status {
                Status::Open => self.waiting = false,
                Status::Waiting { cause, .. } => self.note_loss(cause),
                Status::Closed(Cause::Stalled) if self.reached < Reached::FirstFrame => {
                    let silence = self.start.elapsed().saturating_sub(self.last_media);
                    return Err(self.no_media(silence));
                }
                Status::Closed(cause) => return Ok(End::Closed(cause)),
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(End::Interrupted);
            }
            if flow == Flow::Enough {
                return Ok(End::Enough);
            }
            self.check_deadlines(self.start.elapsed())?;
            self.ask_for_quality(connection);
            self.ask_again(connection);
            if self.reached == Reached::FirstFrame && !self.established {
                // From here on it is known that everything the user said is right.
                self.established = true;
                connection.set_reconnect(self.plan.reconnect.clone());
            }
        }
    }

    fn count_repairs(&mut self, connection: &mut Connection<'_>) {
        let (client, _) = connection.client();
        if !self.waiting && client.is_authenticated() {
            let av = client.stats().av;
            let repaired = av.rx_repaired.saturating_add(av.rx_recovered);
            self.repairs = Repairs {
                lossless: client.is_lossless(),
                repaired: self.repaired_before.saturating_add(repaired),
            };
        }
    }

    /// A session is over, and another one follows.
    fn note_loss(&mut self, cause: Cause) {
        if std::mem::replace(&mut self.waiting, true) {
            return;
        }
        self.repaired_before = self.repairs.repaired;
        log::debug!("the session ended: {cause}");
        if self.lost.is_none() {
            let at = self.start.elapsed();
            self.lost = Some(at);
            self.viewer.lost(at, cause);
        }
    }

    fn on_event(&mut self, event: Event<'_>) {
        if self.outcome.is_some() {
            return;
        }
        let at = self.start.elapsed();
        match event {
            Event::Phase(phase) => {
                let step = Step::from(phase);
                step.warn();
                self.step(at, &step);
            }
            Event::Authenticated(info) => {
                self.last_media = at;
                self.model = model_of(info.model, self.plan.url);
                self.step(at, &Step::Authenticated(Description::of(&info)));
            }
            Event::Video(frame) | Event::Audio(frame) => self.frame(at, &frame),
            Event::Dropped { stream, frame } => {
                log::debug!(
                    "{stream:?} frame {} dropped: {:?}",
                    frame.number,
                    frame.reason
                );
                self.viewer.dropped(at, stream, &frame);
            }
            Event::Stalled { stream, silence } => log::debug!(
                "no {stream:?} for {:.1} s; asked for it again",
                silence.as_secs_f64()
            ),
            Event::NoReply { .. } => log::warn!(
                "the camera did not answer the request for this quality; it goes on with its own"
            ),
            _ => {}
        }
    }

    fn frame(&mut self, at: Duration, frame: &Frame<'_>) {
        if frame.stream == self.watched() {
            self.last_media = at;
            if let Some(lost) = self.lost.take() {
                self.viewer.found(at, at.saturating_sub(lost));
            }
            if self.reached < Reached::FirstFrame {
                let codec = codec_name(frame.info.codec);
                let bytes = frame.data.len();
                self.step(at, &Step::FirstFrame { codec, bytes });
            }
        }
        match self.viewer.frame(at, frame) {
            Ok(Flow::More) => {}
            Ok(Flow::Enough) => self.outcome = Some(Ok(End::Enough)),
            Err(failure) => self.outcome = Some(Err(failure)),
        }
    }

    /// The stream that must come: the picture, where one is wanted.
    const fn watched(&self) -> Stream {
        if self.plan.config.video {
            Stream::Video
        } else {
            Stream::Audio
        }
    }

    fn step(&mut self, at: Duration, step: &Step) {
        // Only the first way to a frame is worth telling.
        if !self.established {
            self.reached = step.into();
            self.viewer.step(at, step);
        }
    }

    fn check_deadlines(&self, now: Duration) -> Result<(), Failure> {
        if self.reached == Reached::FirstFrame {
            return Ok(());
        }
        let silence = now.saturating_sub(self.last_media);
        if self.reached == Reached::Authenticated && silence >= self.plan.patience {
            return Err(self.no_media(silence));
        }
        if now >= self.plan.timeout {
            let timeout = self.plan.timeout;
            return Err(self
                .reached
                .out_of_time(timeout)
                .unwrap_or_else(|| self.no_media(timeout)));
        }
        Ok(())
    }

    /// Asks for the picture that the user wants, once; the session asks again where that is needed.
    fn ask_for_quality(&mut self, connection: &mut Connection<'_>) {
        let Some(quality) = self.quality else { return };
        let (client, clock) = connection.client();
        match client.set_quality(&mut clock.cx(), quality, self.model) {
            Err(RequestError::Busy | RequestError::NotReady) => {}
            Ok(_) => self.quality = None,
            Err(e) => {
                log::warn!("the quality was not asked for: {e}");
                self.quality = None;
            }
        }
    }

    /// Asks for sound once more, together with the picture.
    fn ask_again(&mut self, connection: &mut Connection<'_>) {
        let silence = self.start.elapsed().saturating_sub(self.last_media);
        if self.watched() == Stream::Audio
            && self.reached == Reached::Authenticated
            && !self.asked_again
            && silence >= ASK_AGAIN
        {
            let (client, clock) = connection.client();
            self.asked_again = client.enable(&mut clock.cx(), Media::Audio, true).is_ok()
                && client.enable(&mut clock.cx(), Media::Video, true).is_ok();
        }
    }

    fn no_media(&self, silence: Duration) -> Failure {
        let (what, remedy) = match self.watched() {
            Stream::Video => (
                "picture",
                "check that the Wyze app shows one, or try --quality sd",
            ),
            Stream::Audio => ("sound", "switch on its microphone in the Wyze app"),
        };
        let silence = silence.as_secs();
        Failure::new(
            Exit::NoMedia,
            format!("the camera let us in but sent no {what} for {silence} s; {remedy}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_does_not_speak_tutk_is_refused_before_any_packet() {
        let url: CameraUrl = "wyze://127.0.0.1?uid=SIMCAMSIMCAMSIMCAM11&enr=sim-enr-16byte!!&mac=00AA11BB22CC&model=GW_GC1"
            .parse()
            .unwrap();
        let failure = Plan::new(&url, Duration::from_secs(1)).unwrap_err();
        assert_eq!(failure.exit, Exit::Model);
    }
}
