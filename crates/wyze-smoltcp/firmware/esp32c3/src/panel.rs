//! The intercom: one session with the camera after the other, and what the buttons do in it.
//!
//! ```text
//!   talk button:   Silent ─ held ─► Asked ─ TalkReady ─► Open ─ let go ─► Ending ─ TalkClosed ─► Over ─ let go ─► Silent
//!                                     └──── let go ────────────────────────►┘
//!                  from Asked and Open, too: TalkClosed ─► Over
//! ```

use core::net::{Ipv4Addr, SocketAddr};

use defmt::{Display2Format, info, warn};
use edge_nal::UdpBind;
use edge_nal_embassy::{Udp, UdpBuffers, UdpSocket};
use embassy_net::Stack;
use embassy_time::{Delay, Timer};
use esp_hal::gpio::Input;
use esp_hal::rng::Trng;
use wyze_edge_nal::session::kauth::Message;
use wyze_edge_nal::session::kauth::settings::is_done;
use wyze_edge_nal::session::{
    Cause, Client, Cx, Duration, Event, Instant, Memory, Reconnect, RequestId, Storage, Stream,
    TalkFrame,
};
use wyze_edge_nal::{Connection, Status};

use crate::button::{Button, Edge};
use crate::config::Camera;
use crate::i2s::{HEARD, SAID, take};
use crate::sound::{FRAME, Line};

/// Longest time until a button is noticed.
const ROUND: Duration = Duration::from_millis(10);

/// Both to ground.
pub struct Buttons {
    /// Pressed: switches night vision or the siren.
    pub action: Input<'static>,
    /// Held: talks.
    pub talk: Input<'static>,
}

/// How far a talk has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Talk {
    Silent,
    Asked,
    Open,
    /// The button was let go; the camera still has to say that it has understood.
    Ending,
    /// It is over, and the button may still be held: not again before it was let go, or a camera without a loudspeaker is
    /// asked for ever.
    Over,
}

/// What the session has told.
struct Seen {
    camera: &'static Camera,
    talk: Talk,
    /// How the camera's sound is coded, once a frame of it has come.
    line: Option<Line>,
    /// What the button last switched to.
    on: bool,
    /// The switch that is under way.
    switching: Option<RequestId>,
}

type Session<'m, 'b, 's, T> = Connection<'m, 'b, UdpSocket<'s>, Delay, T>;

/// For ever.
pub async fn run(stack: Stack<'static>, mut rng: Trng, buttons: Buttons) -> ! {
    static CAMERA: static_cell::StaticCell<Camera> = static_cell::StaticCell::new();
    static BUFFERS: static_cell::StaticCell<UdpBuffers<1, 3000, 6000, 8>> =
        static_cell::StaticCell::new();
    let camera = match Camera::built_in() {
        Ok(camera) => &*CAMERA.init(camera),
        Err(wrong) => loop {
            defmt::error!("{}; build again", wrong);
            Timer::after_secs(10).await;
        },
    };
    let udp = Udp::new(stack, BUFFERS.init(UdpBuffers::new()));
    let mut seen = Seen {
        camera,
        talk: Talk::Silent,
        line: None,
        on: false,
        switching: None,
    };
    let mut reconnect = Reconnect::new();
    loop {
        stack.wait_config_up().await;
        let (cause, healthy) = watch(stack, &udp, &mut rng, &buttons, &mut seen).await;
        warn!("{}", Display2Format(&cause));
        let mut cx = Cx::new(now(), &mut rng);
        let Some(at) = reconnect.after(cause, healthy, &mut cx) else {
            // It would end in the same way; what has to change is written above.
            core::future::pending::<()>().await;
            continue;
        };
        Timer::at(embassy_time::Instant::from_micros(at.as_micros())).await;
    }
}

/// One session: why it ended, and how long it was of use.
async fn watch(
    stack: Stack<'static>,
    udp: &Udp<'static>,
    rng: &mut Trng,
    buttons: &Buttons,
    seen: &mut Seen,
) -> (Cause, Duration) {
    let Some(lease) = stack.config_v4() else {
        return (Cause::NoAnswer, Duration::ZERO);
    };
    info!("at {}", Display2Format(&lease.address));
    let local = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let Ok(socket) = udp.bind(local).await else {
        return (Cause::NoAnswer, Duration::ZERO);
    };
    let targets = seen.camera.targets(lease.address);
    let (mut memory, mut talk_handshake) = (Memory::<0, 0>::new(), [0; 512]);
    let storage = Storage {
        talk_handshake: &mut talk_handshake,
        ..memory.split()
    };
    let config = seen.camera.session(&targets);
    let client = Client::new(&config, storage, &mut Cx::new(now(), rng));
    let mut datagram = [0; 1500];
    let mut session = Connection::new(client, socket, Delay, now, &mut datagram);
    let (mut action, mut talk) = (Button::default(), Button::default());
    (seen.talk, seen.switching) = (Talk::Silent, None);
    loop {
        let status = session.step(rng, ROUND, |event| seen.note(&event)).await;
        if let Ok(Status::Closed(cause)) = status {
            return (cause, session.client(rng).0.healthy(now()));
        }
        // An error is a datagram that is longer than the buffer: none of this protocol.
        let millis = now().as_micros() / 1000;
        if action.poll(millis, buttons.action.is_low()) == Some(Edge::Down) {
            switch(&mut session, rng, seen);
        }
        talk.poll(millis, buttons.talk.is_low());
        hold(&mut session, rng, seen, talk.is_down());
        if seen.talk == Talk::Open {
            say(&mut session, rng, seen).await;
        }
    }
}

/// Sends the K-command of the action button.
fn switch<T: FnMut() -> Instant>(
    session: &mut Session<'_, '_, '_, T>,
    rng: &mut Trng,
    seen: &mut Seen,
) {
    let setting = seen.camera.switch;
    let word = if seen.on { "off" } else { "on" };
    let Ok(request) = setting
        .parse(word)
        .and_then(|value| setting.set_request(value, None))
    else {
        return;
    };
    let (client, mut cx) = session.client(rng);
    match client.request_with(&mut cx, true, |w| request.write(w)) {
        Ok(id) => seen.switching = Some(id),
        Err(error) => warn!("{}: {}", setting.name, Display2Format(&error)),
    }
}

/// Begins and ends a talk with the talk button.
fn hold<T: FnMut() -> Instant>(
    session: &mut Session<'_, '_, '_, T>,
    rng: &mut Trng,
    seen: &mut Seen,
    held: bool,
) {
    let (client, mut cx) = session.client(rng);
    match seen.talk {
        Talk::Silent if held && seen.line.is_some() && client.start_talk(&mut cx).is_ok() => {
            seen.talk = Talk::Asked;
        }
        Talk::Asked | Talk::Open if !held && client.stop_talk(&mut cx).is_ok() => {
            seen.talk = Talk::Ending;
        }
        Talk::Over if !held => seen.talk = Talk::Silent,
        _ => {}
    }
}

/// Sends what the microphone has heard, 20 ms at a time.
async fn say<T: FnMut() -> Instant>(
    session: &mut Session<'_, '_, '_, T>,
    rng: &mut Trng,
    seen: &mut Seen,
) {
    let Some(Line { codec, format }) = seen.line else {
        return;
    };
    let (mut bytes, mut samples, mut coded) = ([0; 2 * FRAME], [0; FRAME], [0; 2 * FRAME]);
    while SAID.len() >= bytes.len() {
        take(&SAID, &mut bytes);
        for (sample, pair) in samples.iter_mut().zip(bytes.chunks_exact(2)) {
            *sample = i16::from_le_bytes([pair[0], pair[1]]);
        }
        let len = Line { codec, format }.encode(&samples, &mut coded);
        let frame = TalkFrame {
            codec,
            format,
            micros: now().as_micros() as u32,
            data: &coded[..len],
        };
        if let Err(error) = session.send_audio(rng, &frame).await {
            warn!("talk: {}", Display2Format(&error));
            return;
        }
    }
}

impl Seen {
    fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Phase(phase) => info!("{}", phase),
            Event::Authenticated(_) => info!("let in"),
            Event::Chunk(chunk) if chunk.stream == Stream::Audio => {
                if let Some(media) = chunk.info {
                    let format = media.audio_format();
                    let line = format.and_then(|format| Line::new(media.codec, format));
                    if line != self.line {
                        info!("sound: {}, {}", media.codec, format);
                        self.line = line;
                    }
                }
                // Nobody hears himself.
                if let (Some(line), Talk::Silent) = (self.line, self.talk) {
                    line.decode(chunk.bytes, |sample| {
                        // What has no room comes too late anyway.
                        let _ = HEARD.try_write(&sample.to_le_bytes());
                    });
                }
            }
            Event::Reply { id, code, payload } if self.switching == Some(*id) => {
                self.switching = None;
                let reply = Message {
                    version: 0,
                    code: *code,
                    payload,
                };
                self.on ^= is_done(&reply);
                let name = self.camera.switch.name;
                info!("{} {}", name, if self.on { "on" } else { "off" });
            }
            Event::NoReply { code, .. } => warn!("no reply to K{}", code.0),
            Event::TalkReady => {
                SAID.clear();
                self.talk = Talk::Open;
                info!("talk");
            }
            Event::TalkClosed(end) => {
                self.talk = Talk::Over;
                info!("{}", Display2Format(end));
            }
            _ => {}
        }
    }
}

/// Time since the board was switched on.
fn now() -> Instant {
    Instant::from_micros(embassy_time::Instant::now().as_micros())
}
