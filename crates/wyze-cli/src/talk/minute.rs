//! A minute of `wyze talk` on a virtual clock, to a camera over a virtual network.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tutk_testkit::net::{Faults, Net};
use tutk_testkit::pump::{Node, World};
use wyze_media::SoundFrame;
use wyze_std::session::kauth::{Enr, Mac};
use wyze_std::session::{
    Camera, CameraConfig, CameraEvent, Client, ClientConfig, Codec, Cx, Datagram, Event, FrameInfo,
    Instant, OutFrame, Storage, Stream,
};

use super::feed::Next;
use super::pacer::{LATE, Line, Pacer, pace};
use super::voice::Voice;
use crate::failure::Failure;

const MS: Duration = Duration::from_millis(1);
const APP: &str = "192.0.2.1:50000";
const DEVICE: &str = "192.0.2.2:32761";
/// Time between two pictures.
const PICTURE: Duration = Duration::from_millis(50);

/// What the client has told.
#[derive(Default)]
struct Told {
    let_in: bool,
    ready: bool,
    pictures: usize,
}

impl Told {
    fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Authenticated(_) => self.let_in = true,
            Event::TalkReady => self.ready = true,
            Event::Video(_) => self.pictures += 1,
            Event::TalkClosed(_) | Event::Closed(_) => panic!("{event:?}"),
            _ => {}
        }
    }
}

struct App<'m> {
    client: Client<'m>,
    told: Told,
    /// How often something has come, or a timer was due: what ends a wait on a socket.
    woken: usize,
}

impl App<'_> {
    fn drain_events(&mut self, cx: &mut Cx<'_>) {
        while let Some(event) = self.client.poll_event(cx) {
            self.told.note(&event);
        }
    }
}

impl Node for App<'_> {
    fn addr(&self) -> SocketAddr {
        APP.parse().unwrap()
    }

    fn receive(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        self.woken += 1;
        let mut input = Datagram::new(from, bytes);
        while let Some(event) = self.client.handle_datagram(cx, &mut input) {
            self.told.note(&event);
        }
        self.drain_events(cx);
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        self.woken += 1;
        self.client.handle_timeout(cx);
        self.drain_events(cx);
    }

    fn transmit<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &'b mut [u8],
    ) -> Option<(SocketAddr, &'b [u8])> {
        let t = self.client.poll_transmit(cx, buf)?;
        Some((t.to, t.datagram))
    }

    fn deadline(&self) -> Option<Instant> {
        self.client.poll_timeout()
    }
}

/// A camera that shows pictures and hears.
struct Device<'m> {
    camera: Camera<'m>,
    next_picture: Option<Instant>,
    queue: VecDeque<(SocketAddr, Vec<u8>)>,
    /// What was said, and when it came.
    heard: Vec<(Vec<u8>, Instant)>,
}

impl Device<'_> {
    fn drain_events(&mut self, cx: &mut Cx<'_>) {
        while let Some(event) = self.camera.poll_event(cx) {
            if let CameraEvent::Audio(frame) = event {
                self.heard.push((frame.data.to_vec(), cx.now));
            }
        }
    }

    /// Twelve packets, all of them at once.
    fn show(&mut self, cx: &mut Cx<'_>) {
        let frame = OutFrame {
            stream: Stream::Video,
            key: true,
            info: FrameInfo::video(Codec::H264, 20, cx.now.as_micros()),
            data: &[0x55; 12_000],
        };
        let Ok(mut out) = self.camera.start_frame(&frame) else {
            return;
        };
        let mut buf = [0; 1500];
        while let Some(t) = self.camera.poll_frame(cx, &mut out, &mut buf) {
            self.queue.push_back((t.to, t.datagram.to_vec()));
        }
    }
}

impl Node for Device<'_> {
    fn addr(&self) -> SocketAddr {
        DEVICE.parse().unwrap()
    }

    fn receive(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        let mut input = Datagram::new(from, bytes);
        while self.camera.handle_datagram(cx, &mut input).is_some() {}
        self.drain_events(cx);
        if self.next_picture.is_none() && self.camera.wants(Stream::Video) {
            self.next_picture = Some(cx.now);
        }
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        self.camera.handle_timeout(cx);
        self.drain_events(cx);
        if let Some(at) = self.next_picture.filter(|at| *at <= cx.now) {
            self.next_picture = Some(at + PICTURE);
            self.show(cx);
        }
    }

    fn transmit<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &'b mut [u8],
    ) -> Option<(SocketAddr, &'b [u8])> {
        if let Some((to, datagram)) = self.queue.pop_front() {
            let room = &mut buf[..datagram.len()];
            room.copy_from_slice(&datagram);
            return Some((to, room));
        }
        let t = self.camera.poll_transmit(cx, buf)?;
        Some((t.to, t.datagram))
    }

    fn deadline(&self) -> Option<Instant> {
        let own = self.camera.poll_timeout();
        own.into_iter().chain(self.next_picture).min()
    }
}

/// The end of a wait.
struct Alarm(Option<Instant>);

impl Node for Alarm {
    fn addr(&self) -> SocketAddr {
        "192.0.2.3:1".parse().unwrap()
    }

    fn receive(&mut self, _: &mut Cx<'_>, _: SocketAddr, _: &mut [u8]) {}

    fn timeout(&mut self, _: &mut Cx<'_>) {
        self.0 = None;
    }

    fn transmit<'b>(&mut self, _: &mut Cx<'_>, _: &'b mut [u8]) -> Option<(SocketAddr, &'b [u8])> {
        None
    }

    fn deadline(&self) -> Option<Instant> {
        self.0
    }
}

/// Numbers that look random, the same in every run.
struct Noise(u64);

impl Noise {
    /// Below `limit`.
    fn up_to(&mut self, limit: Duration) -> Duration {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let micros = u64::try_from(limit.as_micros()).unwrap();
        Duration::from_micros((self.0 >> 33) % micros)
    }
}

/// A connection over the virtual network: waits last longer than they should, and sending takes its time.
struct Virtual<'w, 'm> {
    world: &'w mut World,
    app: App<'m>,
    device: Device<'m>,
    voice: Voice,
    noise: Noise,
}

impl Virtual<'_, '_> {
    /// Lets the time go on to `until`, or to where the app has something to do.
    fn wait(&mut self, until: Instant, early: bool) {
        let (mut alarm, woken) = (Alarm(Some(until)), self.app.woken);
        while alarm.0.is_some() && !(early && self.app.woken > woken) {
            let mut nodes: [&mut dyn Node; 3] = [&mut self.app, &mut self.device, &mut alarm];
            assert!(self.world.step(&mut nodes));
        }
    }
}

impl Line for Virtual<'_, '_> {
    fn goes_on(&mut self) -> Result<bool, Failure> {
        Ok(true)
    }

    fn now(&self) -> Instant {
        self.world.now
    }

    fn step(&mut self, limit: Duration) -> Result<(), Failure> {
        let late = self.noise.up_to(MS);
        self.wait(self.world.now + limit + late, true);
        Ok(())
    }

    fn send(&mut self, frame: &SoundFrame, due: Instant, _: Duration) -> Result<(), Failure> {
        let frame = self.voice.frame(frame, due.as_micros() as u32);
        let (now, from, mut buf) = (self.world.now, self.app.addr(), [0; 1500]);
        let cx = &mut Cx::new(now, &mut self.world.rng);
        let t = self.app.client.send_audio(cx, &frame, &mut buf).unwrap();
        self.world.net.send(now, from, t.to, t.datagram);
        let work = self.noise.up_to(MS);
        self.wait(now + work, false);
        Ok(())
    }
}

/// Says a minute in frames of so many samples. When each of them came to the camera.
fn a_minute(rate: u32, samples: u32, seed: u64) -> Vec<Instant> {
    let mut world = World::new(seed, Net::new(seed, Faults::NONE));
    let (enr, mac) = (
        Enr::new("sim-enr-16byte!!").unwrap(),
        Mac::new("00AA11BB22CC").unwrap(),
    );
    let uid = "SIMCAMSIMCAMSIMCAM11".parse().unwrap();
    let targets = [DEVICE.parse().unwrap()];
    let (mut video, mut audio) = (vec![0; 100_000], vec![0; 16_000]);
    let mut handshakes = [[0; 512]; 4];
    let [a, b, c, d] = &mut handshakes;
    let cx = &mut Cx::new(world.now, &mut world.rng);
    let config = ClientConfig::new(uid, &enr, &mac, &targets);
    let at_app = Storage {
        video: &mut video,
        handshake: a,
        talk_handshake: b,
        ..Storage::default()
    };
    let app = App {
        client: Client::new(&config, at_app, cx),
        told: Told::default(),
        woken: 0,
    };
    let at_camera = Storage {
        audio: &mut audio,
        handshake: c,
        talk_handshake: d,
        ..Storage::default()
    };
    let config = CameraConfig {
        two_way: true,
        ..CameraConfig::new(uid, &enr, &mac)
    };
    let device = Device {
        camera: Camera::new(&config, at_camera, cx),
        next_picture: None,
        queue: VecDeque::new(),
        heard: Vec::new(),
    };
    let mut line = Virtual {
        world: &mut world,
        app,
        device,
        voice: "ulaw:8000".parse().unwrap(),
        noise: Noise(seed),
    };
    while !line.app.told.ready {
        assert!(line.now() < Instant::from_millis(10_000));
        line.step(10 * MS).unwrap();
        if line.app.told.let_in {
            let cx = &mut Cx::new(line.world.now, &mut line.world.rng);
            // Refused while it is being opened.
            let _ = line.app.client.start_talk(cx);
        }
    }
    let frames = rate * 60 / samples;
    let (mut pacer, mut next) = (Pacer::new(rate), 0u32);
    pace(&mut pacer, &mut line, || {
        next += 1;
        Ok(if next > frames {
            Next::End
        } else {
            Next::Frame(SoundFrame {
                data: next.to_le_bytes().repeat(40),
                samples,
            })
        })
    })
    .unwrap();
    line.wait(line.world.now + 100 * MS, false);
    assert!(pacer.worst < LATE && (pacer.late, pacer.put_off) == (0, 0));
    assert!(line.app.told.pictures > 1_190, "{}", line.app.told.pictures);
    assert_eq!(line.device.heard.len(), frames as usize);
    let heard = line.device.heard.into_iter().zip(1u32..);
    heard
        .map(|((data, at), n)| {
            assert_eq!(data, n.to_le_bytes().repeat(40));
            at
        })
        .collect()
}

#[test]
fn a_minute_comes_to_the_camera_within_five_milliseconds_of_real_time() {
    for (rate, samples) in [
        (8_000, 160),
        (16_000, 160),
        (16_000, 320),
        (16_000, 1024),
        (44_100, 1024),
        (48_000, 960),
        (11_025, 512),
    ] {
        for seed in 0..3 {
            let came = a_minute(rate, samples, seed);
            let start = came[0];
            for (n, at) in came.iter().enumerate() {
                // In exact arithmetic, apart from the pacer's.
                let ideal = n as f64 * f64::from(samples) / f64::from(rate);
                let off = (*at - start).as_secs_f64() - ideal;
                assert!(
                    (-2e-6..0.005).contains(&off),
                    "{rate}/{samples}, seed {seed}: {off} s after {ideal} s"
                );
            }
        }
    }
}
