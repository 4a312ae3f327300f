//! One camera, watched from the search to the goodbye: the loop behind `demo`, `stream` and `probe`.
//!
//! ```text
//!   search ─ Found ─ Session ─ Secured ─ LoggedIn ─ Authenticated ─ FirstFrame ─► frames ─► goodbye
//!      └─────────── `timeout`: where it stopped is the cause ──────────┘   └ silence of STALL: cause `lost`
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use wyze_std::session::kauth::command::{ControlChannel, Media, Request as _};
use wyze_std::session::kauth::models::{self, Quality, ResolutionRequest};
use wyze_std::session::{Cause, ClientConfig, Dropped, Event, Frame, RequestError, Stream};
use wyze_std::{CameraUrl, Connection, Memory, Status};

use crate::failure::{Exit, Failure};
use crate::reach::{Reached, socket_failure};
use crate::step::{Description, Step, codec_name};

/// The longest sleep: how soon ctrl-C and deadlines are noticed, and how often [`Viewer::tick`] is called.
const TICK: Duration = Duration::from_millis(100);
/// Media that were granted and do not come are asked for again after this long (`docs/protocol.md` §2.14).
const ASK_AGAIN: Duration = Duration::from_secs(3);
/// Without a frame for this long there is nothing to wait for.
const STALL: Duration = Duration::from_secs(10);

/// What to watch, and when to give up.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) url: &'a CameraUrl,
    pub(crate) config: ClientConfig<'a>,
    /// The picture to ask for; `None` leaves it as it is.
    pub(crate) quality: Option<Quality>,
    /// The first frame must come within this.
    pub(crate) timeout: Duration,
    /// After the camera has let us in, frames must come within this.
    pub(crate) patience: Duration,
}

impl<'a> Plan<'a> {
    /// A plan that waits `timeout` for the first frame and [`STALL`] between frames.
    ///
    /// # Errors
    /// The URL's model does not speak TUTK.
    pub(crate) fn new(url: &'a CameraUrl, timeout: Duration) -> Result<Self, Failure> {
        check_model(url)?;
        Ok(Self {
            url,
            config: url.config(),
            quality: None,
            timeout,
            patience: STALL,
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
    let mut connection =
        Connection::open(plan.url, &plan.config, &mut memory).map_err(|e| socket_failure(&e))?;
    let mut watch = Watch {
        plan,
        viewer,
        start: Instant::now(),
        reached: Reached::Nothing,
        last_media: Duration::ZERO,
        asked_again: false,
        quality: plan.quality,
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
    /// When the last frame came, or the camera let us in.
    last_media: Duration,
    asked_again: bool,
    /// What is still to be asked for.
    quality: Option<Quality>,
    outcome: Option<Result<End, Failure>>,
}

impl Watch<'_> {
    fn run(&mut self, connection: &mut Connection<'_>, stop: &AtomicBool) -> Result<End, Failure> {
        loop {
            let status = connection
                .step(TICK, |event| self.on_event(event))
                .map_err(|e| socket_failure(&e))?;
            let repairs = repairs(connection);
            let flow = self.viewer.tick(self.start.elapsed(), repairs);
            if let Some(outcome) = self.outcome.take() {
                return outcome;
            }
            if let Status::Closed(cause) = status {
                return Ok(End::Closed(cause));
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(End::Interrupted);
            }
            if flow == Flow::Enough {
                return Ok(End::Enough);
            }
            let now = self.start.elapsed();
            self.check_deadlines(now)?;
            self.ask(connection, now);
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
            Event::NoReply { code, .. } if code == ControlChannel::CODE => {
                log::debug!("the camera did not answer when it was asked for media again");
            }
            Event::NoReply { .. } => log::warn!(
                "the camera did not answer the request for this quality; it goes on with its own"
            ),
            _ => {}
        }
    }

    fn frame(&mut self, at: Duration, frame: &Frame<'_>) {
        self.last_media = at;
        self.asked_again = false;
        if self.reached < Reached::FirstFrame && frame.stream == Stream::Video {
            let codec = codec_name(frame.info.codec);
            let bytes = frame.data.len();
            self.step(at, &Step::FirstFrame { codec, bytes });
        }
        match self.viewer.frame(at, frame) {
            Ok(Flow::More) => {}
            Ok(Flow::Enough) => self.outcome = Some(Ok(End::Enough)),
            Err(failure) => self.outcome = Some(Err(failure)),
        }
    }

    fn step(&mut self, at: Duration, step: &Step) {
        self.reached = step.into();
        self.viewer.step(at, step);
    }

    fn check_deadlines(&self, now: Duration) -> Result<(), Failure> {
        let silence = now.saturating_sub(self.last_media);
        if self.reached >= Reached::Authenticated && silence >= self.plan.patience {
            return Err(no_media(self.reached, silence));
        }
        if self.reached < Reached::FirstFrame && now >= self.plan.timeout {
            let timeout = self.plan.timeout;
            return Err(self
                .reached
                .out_of_time(timeout)
                .unwrap_or_else(|| no_media(self.reached, timeout)));
        }
        Ok(())
    }

    /// Asks for the picture that the user wants, and for media that do not come.
    fn ask(&mut self, connection: &mut Connection<'_>, now: Duration) {
        if self.reached < Reached::Authenticated {
            return;
        }
        let (client, clock) = connection.client();
        if let Some(quality) = self.quality {
            let model = self.plan.url.model().and_then(models::lookup);
            let sent = match quality.request(model) {
                ResolutionRequest::ResolvingBit(request) => {
                    client.request(&mut clock.cx(), &request)
                }
                ResolutionRequest::VideoParams(request) => {
                    client.request(&mut clock.cx(), &request)
                }
                _ => Err(RequestError::TooLong),
            };
            match sent {
                Err(RequestError::Busy | RequestError::NotReady) => {}
                Ok(_) => self.quality = None,
                Err(e) => {
                    log::warn!("the quality was not asked for: {e}");
                    self.quality = None;
                }
            }
        }
        if !self.asked_again && now.saturating_sub(self.last_media) >= ASK_AGAIN {
            self.asked_again = client.enable(&mut clock.cx(), Media::Video, true).is_ok();
        }
    }
}

fn repairs(connection: &mut Connection<'_>) -> Repairs {
    let (client, _) = connection.client();
    let av = client.stats().av;
    Repairs {
        lossless: client.is_lossless(),
        repaired: av.rx_repaired.saturating_add(av.rx_recovered),
    }
}

fn no_media(reached: Reached, silence: Duration) -> Failure {
    let seconds = silence.as_secs();
    if reached < Reached::FirstFrame {
        return Failure::new(
            Exit::NoMedia,
            format!(
                "the camera let us in but sent no picture for {seconds} s; check that the Wyze app shows one, or try \
                 --quality sd"
            ),
        );
    }
    Failure::new(
        Exit::Lost,
        format!(
            "no frame came for {seconds} s though the camera still answers; restart the camera"
        ),
    )
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
