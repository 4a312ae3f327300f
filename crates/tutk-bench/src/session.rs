//! The whole paths: a client session fed with datagrams that a camera session made, and a camera session making them.

use std::hint::black_box;
use std::net::SocketAddr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use wyze_session::{
    Camera, CameraConfig, Client, ClientConfig, Codec, Cx, Datagram, Enr, Event, FrameInfo,
    Framings, Instant, Mac, OutFrame, Storage, Stream,
};

use crate::leak;
use crate::scenario::{FRAME, PACKETS, Round};

struct Pair {
    client: Client<'static>,
    camera: Camera<'static>,
    rng: ChaCha8Rng,
    now: Instant,
}

const APP: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    50000,
);
const DEVICE: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)),
    32761,
);

impl Pair {
    /// A client that a camera has let in.
    fn connected(framings: Framings) -> Self {
        let uid = "SIMCAMSIMCAMSIMCAM11".parse().expect("20 characters");
        let enr = Enr::new("sim-enr-16byte!!").expect("16 characters");
        let mac = Mac::new("00AA11BB22CC").expect("12 digits");
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let now = Instant::ZERO;
        let storage = |video, audio| Storage {
            video: leak(video),
            audio: leak(audio),
            handshake: leak(512),
            ..Storage::default()
        };
        let config = CameraConfig {
            framings,
            ..CameraConfig::new(uid, &enr, &mac)
        };
        let camera = Camera::new(&config, storage(0, 0), &mut Cx::new(now, &mut rng));
        let targets = [DEVICE];
        let config = ClientConfig::new(uid, &enr, &mac, &targets);
        let client = Client::new(
            &config,
            storage(1 << 20, 1 << 16),
            &mut Cx::new(now, &mut rng),
        );
        let mut pair = Self {
            client,
            camera,
            rng,
            now,
        };
        while !pair.camera.wants(Stream::Video) {
            pair.exchange();
        }
        pair.exchange();
        pair
    }

    /// Carries what both want to send, or lets time pass when that is nothing.
    fn exchange(&mut self) {
        let mut quiet = true;
        let mut buf = [0; 1500];
        while let Some(t) = self
            .client
            .poll_transmit(&mut Cx::new(self.now, &mut self.rng), &mut buf)
        {
            quiet = false;
            let mut input = Datagram::new(APP, t.datagram);
            let cx = &mut Cx::new(self.now, &mut self.rng);
            while self.camera.handle_datagram(cx, &mut input).is_some() {}
        }
        while let Some(t) = self
            .camera
            .poll_transmit(&mut Cx::new(self.now, &mut self.rng), &mut buf)
        {
            quiet = false;
            let mut input = Datagram::new(DEVICE, t.datagram);
            let cx = &mut Cx::new(self.now, &mut self.rng);
            while self.client.handle_datagram(cx, &mut input).is_some() {}
        }
        if quiet {
            let next = [self.client.poll_timeout(), self.camera.poll_timeout()];
            self.now = next
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(self.now)
                .max(self.now);
            self.client
                .handle_timeout(&mut Cx::new(self.now, &mut self.rng));
            self.camera
                .handle_timeout(&mut Cx::new(self.now, &mut self.rng));
        }
    }

    /// `count` datagrams of video as they go over the wire.
    fn media(&mut self, count: usize) -> Vec<Vec<u8>> {
        let data = vec![0x5a; FRAME];
        let mut datagrams = Vec::with_capacity(count);
        let mut number = 0;
        while datagrams.len() < count {
            let out = frame(number, &data);
            number += 1;
            let mut out = self
                .camera
                .start_frame(&out)
                .expect("the viewer wants video");
            let mut buf = [0; 1500];
            while let Some(t) =
                self.camera
                    .poll_frame(&mut Cx::new(self.now, &mut self.rng), &mut out, &mut buf)
            {
                datagrams.push(t.datagram.to_vec());
            }
        }
        datagrams.truncate(count);
        datagrams
    }
}

fn frame(number: u64, data: &[u8]) -> OutFrame<'_> {
    OutFrame {
        stream: Stream::Video,
        key: number.is_multiple_of(40),
        info: FrameInfo::video(Codec::H264, 20, 1_767_239_680_000_000 + number * 50_000),
        data,
    }
}

/// One media datagram in, frames out as they become complete.
fn receive(rounds: usize, framings: Framings) -> Round {
    let mut pair = Pair::connected(framings);
    let mut datagrams = pair.media(rounds);
    let mut frames = 0;
    Box::new(move |n| {
        let mut input = Datagram::new(DEVICE, &mut datagrams[n]);
        let cx = &mut Cx::new(pair.now, &mut pair.rng);
        while let Some(event) = pair.client.handle_datagram(cx, &mut input) {
            match black_box(event) {
                Event::Video(frame) => {
                    frames += 1;
                    assert_eq!(frame.data.len(), FRAME);
                }
                event => panic!("nothing but frames can come: {event:?}"),
            }
        }
        if n + 1 == datagrams.len() {
            assert_eq!(frames, datagrams.len() / PACKETS, "every frame arrives");
        }
    })
}

/// Behind the TransCode framing.
pub(crate) fn transcode(rounds: usize) -> Round {
    receive(rounds, Framings::TRANSCODE)
}

/// Behind the CC51 framing.
pub(crate) fn cc51(rounds: usize) -> Round {
    receive(rounds, Framings::CC51)
}

/// One media datagram out, behind the TransCode framing: cut, wrapped, sealed, wrapped again.
pub(crate) fn send(_: usize) -> Round {
    let mut pair = Pair::connected(Framings::TRANSCODE);
    let data: &'static [u8] = leak(FRAME);
    let mut buf = [0; 1500];
    let mut number = 0;
    let mut current = None;
    Box::new(move |_| {
        loop {
            let out = current.get_or_insert_with(|| {
                number += 1;
                let frame = frame(number, data);
                let started = pair.camera.start_frame(&frame);
                started.expect("the viewer wants video")
            });
            let cx = &mut Cx::new(pair.now, &mut pair.rng);
            match pair.camera.poll_frame(cx, out, &mut buf) {
                Some(t) => {
                    black_box(t.datagram);
                    return;
                }
                None => current = None,
            }
        }
    })
}
