//! Client and camera over loopback: sessions that end and go on.

mod parity;
mod strangers;

use std::cell::Cell;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use wyze_session::{
    AudioFormat, CameraConfig, CameraEvent, Cause, Codec, Enr, Event, Generation, Mac, MediaError,
    Reconnect, Stream, TalkFrame, Uid,
};

use crate::{
    CameraUrl, Connection, Memory, Report, Sample, ServeOptions, Source, Status, Tap, bind, serve,
};

const MAX: Duration = Duration::from_secs(20);
const TICK: Duration = Duration::from_millis(20);

/// A picture every 20 ms, each a key frame.
struct Pictures(u32);

impl Source for Pictures {
    fn sample(&self, index: usize) -> Option<Sample<'_>> {
        (index < self.0 as usize).then(|| Sample {
            stream: Stream::Video,
            key: true,
            codec: Codec::H264,
            at: TICK * index as u32,
            data: &[0x65; 900],
            fps: 50,
            sample_rate: 0,
            channels: 0,
        })
    }

    fn duration(&self) -> Duration {
        TICK * self.0
    }
}

/// The same with sound, in frames that are too long for the oldest generation, and in one that is not.
struct Sounds;

impl Source for Sounds {
    fn sample(&self, index: usize) -> Option<Sample<'_>> {
        let mut sample = Pictures(20).sample(index / 2)?;
        if index % 2 == 1 {
            sample.stream = Stream::Audio;
            sample.codec = Codec::Pcm16;
            sample.data = if index == 39 { &[7; 1024] } else { &[7; 1280] };
            (sample.sample_rate, sample.channels) = (16_000, 1);
        }
        Some(sample)
    }

    fn duration(&self) -> Duration {
        TICK * 20
    }
}

fn loopback() -> UdpSocket {
    bind("127.0.0.1:0".parse().unwrap()).unwrap()
}

/// Runs `watch` with the URL of a camera that shows `pictures`. Which slots were opened.
fn with_camera(
    slots: usize,
    pictures: u32,
    repeat: bool,
    watch: impl FnOnce(&CameraUrl),
) -> Vec<usize> {
    let opened = Mutex::new(Vec::new());
    let generation = Generation::Dtls;
    let note = |report: Report<'_>| {
        if let Report::Viewer {
            slot,
            event: CameraEvent::Opened { .. },
        } = report
        {
            opened.lock().unwrap().push(slot);
        }
    };
    with_source(&Pictures(pictures), generation, slots, repeat, note, watch);
    opened.into_inner().unwrap()
}

/// Runs `watch` with the URL of a camera that shows `source`, and tells `report`.
fn with_source(
    source: &(impl Source + Sync),
    generation: Generation,
    slots: usize,
    repeat: bool,
    report: impl FnMut(Report<'_>) + Send,
    watch: impl FnOnce(&CameraUrl),
) {
    let uid: Uid = "SIMCAMSIMCAMSIMCAM11".parse().unwrap();
    let (enr, mac) = (
        Enr::new("sim-enr-16byte!!").unwrap(),
        Mac::new("00AA11BB22CC").unwrap(),
    );
    let socket = loopback();
    let url = format!(
        "wyze://{}?uid=SIMCAMSIMCAMSIMCAM11&enr=sim-enr-16byte!!&mac=00AA11BB22CC",
        socket.local_addr().unwrap()
    );
    let options = ServeOptions {
        camera: CameraConfig {
            generation,
            ..CameraConfig::new(uid, &enr, &mac)
        },
        slots,
        repeat,
        once: false,
        parity: true,
    };
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let server = scope.spawn(|| serve(&socket, &options, source, &stop, report));
        // A failed assertion must not leave the server running, or the scope never ends.
        let watched = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            watch(&url.parse().unwrap());
        }));
        stop.store(true, Ordering::Relaxed);
        server.join().unwrap().unwrap();
        if let Err(panic) = watched {
            std::panic::resume_unwind(panic);
        }
    });
}

#[derive(Default)]
struct Told {
    pictures: usize,
    dropped: usize,
    let_in: usize,
    ends: Vec<Cause>,
}

/// Steps until `done`. The last status.
fn step_until(
    connection: &mut Connection<'_>,
    told: &mut Told,
    done: impl Fn(&Told, Status) -> bool,
) -> Status {
    let start = Instant::now();
    loop {
        let status = connection
            .step(TICK, |event| match event {
                Event::Authenticated(_) => told.let_in += 1,
                Event::Video(_) => told.pictures += 1,
                Event::Dropped { .. } => told.dropped += 1,
                Event::Closed(cause) => told.ends.push(cause),
                _ => {}
            })
            .unwrap();
        if done(told, status) {
            return status;
        }
        assert!(start.elapsed() < MAX, "{status:?}, {:?}", told.ends);
    }
}

#[test]
fn a_frame_that_is_too_long_for_a_viewer_is_reported_and_is_not_among_those_sent() {
    let (mut sent, mut unsent) = ((0, 0), 0);
    let note = |report: Report<'_>| match report {
        Report::Sent { stream, data, .. } => match stream {
            Stream::Video => sent.0 += 1,
            Stream::Audio => {
                assert_eq!(data.len(), 1024);
                sent.1 += 1;
            }
        },
        Report::Unsent { stream, error, .. } => {
            assert_eq!(stream, Stream::Audio);
            assert_eq!(error, MediaError::TooLong { max: 1024 });
            unsent += 1;
        }
        Report::Viewer { .. } => {}
    };
    with_source(&Sounds, Generation::Session16, 1, false, note, |url| {
        let mut memory = Memory::default();
        let mut connection = Connection::open(url, &url.config(), &mut memory).unwrap();
        let end = step_until(&mut connection, &mut Told::default(), |_, status| {
            status != Status::Open
        });
        assert_eq!(end, Status::Closed(Cause::Peer));
    });
    assert_eq!((sent, unsent), ((20, 1), 19));
}

#[test]
fn a_connection_goes_on_after_a_session_and_ends_cleanly_between_two() {
    with_camera(1, 10, false, |url| {
        let mut memory = Memory::default();
        let mut connection = Connection::open(url, &url.config(), &mut memory).unwrap();
        connection.set_reconnect(Some(Reconnect::new()));
        let mut told = Told::default();
        for session in 1..=2 {
            let status = step_until(&mut connection, &mut told, |_, status| {
                status != Status::Open
            });
            let Status::Waiting { until, cause } = status else {
                panic!("{status:?}");
            };
            assert_eq!(cause, Cause::Peer);
            let wait = until - connection.now();
            assert!(
                wait > TICK && wait < Duration::from_millis(2 * 1125),
                "{wait:?}"
            );
            assert_eq!((told.let_in, told.ends.len()), (session, session));
            assert_eq!(told.pictures, 10 * session);
            if session == 1 {
                step_until(&mut connection, &mut told, |_, status| {
                    status == Status::Open
                });
            }
        }
        let start = Instant::now();
        let cause = connection.close(|event| panic!("{event:?}")).unwrap();
        assert_eq!(cause, Cause::Local);
        assert!(start.elapsed() < Duration::from_millis(500));
        let status = connection.step(MAX, |event| panic!("{event:?}")).unwrap();
        assert_eq!(status, Status::Closed(Cause::Local));
    });
}

#[test]
fn without_a_policy_the_first_end_is_the_last() {
    with_camera(1, 3, false, |url| {
        let mut memory = Memory::default();
        let mut connection = Connection::open(url, &url.config(), &mut memory).unwrap();
        let mut told = Told::default();
        let status = step_until(&mut connection, &mut told, |_, status| {
            status != Status::Open
        });
        assert_eq!(status, Status::Closed(Cause::Peer));
    });
}

#[test]
fn a_viewer_that_moves_to_another_port_keeps_its_session_and_its_slot() {
    let opened = with_camera(2, 50, true, |url| {
        let mut memory = Memory::default();
        let mut connection = Connection::open(url, &url.config(), &mut memory).unwrap();
        let mut told = Told::default();
        step_until(&mut connection, &mut told, |told, _| told.pictures > 10);
        connection.move_to(loopback());
        let before = told.pictures;
        step_until(&mut connection, &mut told, |told, _| {
            told.pictures > before + 100
        });
        assert_eq!((told.let_in, told.ends.len()), (1, 0));
        connection.close(|_| {}).unwrap();
    });
    assert_eq!(opened, [0]);
}

/// Counts what goes out.
struct Sent(Rc<Cell<usize>>);

impl Tap for Sent {
    fn received(&mut self, _: SocketAddr, _: SocketAddr, _: &[u8]) {}

    fn sent(&mut self, _: SocketAddr, _: SocketAddr, _: &[u8]) {
        self.0.set(self.0.get() + 1);
    }

    #[cfg(feature = "keylog")]
    fn key(&mut self, _: &tutk_dtls::KeyLogEntry) {}
}

#[test]
fn a_tap_hears_what_is_said_to_the_camera() {
    with_camera(1, 50, true, |url| {
        let mut memory = Memory::default();
        let mut connection = Connection::open(url, &url.config(), &mut memory).unwrap();
        let sent = Rc::new(Cell::new(0));
        connection.set_tap(Box::new(Sent(sent.clone())));
        let mut told = Told::default();
        step_until(&mut connection, &mut told, |told, _| told.let_in == 1);
        let (client, clock) = connection.client();
        client.start_talk(&mut clock.cx()).unwrap();
        let (start, mut ready) = (Instant::now(), false);
        while !ready {
            assert!(start.elapsed() < MAX);
            let on_event = |event: Event<'_>| ready |= matches!(event, Event::TalkReady);
            connection.step(TICK, on_event).unwrap();
        }
        let before = sent.get();
        let frame = TalkFrame {
            codec: Codec::Pcma,
            format: AudioFormat {
                sample_rate: 8_000,
                bits: 16,
                channels: 1,
            },
            micros: 0,
            data: &[0xd5; 160],
        };
        connection.send_audio(&frame).unwrap();
        assert_eq!(sent.get(), before + 1);
    });
}
