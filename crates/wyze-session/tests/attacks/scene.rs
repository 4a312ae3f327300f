//! A client, a camera, and what an attacker sees of both.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use tutk_core::rand_core::{CryptoRng, TryCryptoRng, TryRng};
use tutk_iotc::wire::{self, DataHeader, Direction, Packet, cc51};
use tutk_testkit::net::{Faults, Net};
use tutk_testkit::pump::{Node, World};
use wyze_session::{CameraConfig, ClientConfig, Cx, Framings, Generation, Instant, Phase, Suites};
use zerocopy::IntoBytes;

use crate::common::{APP, CameraNode, ClientNode, DEVICE, Room, Show, addr, enr, mac, uid};

pub(crate) const MALLORY: &str = "198.51.100.66:6666";
pub(crate) const ENR: &str = "sim-enr-16byte!!";

/// A datagram: where it came from or goes to, and its bytes.
pub(crate) type Taped = (SocketAddr, Vec<u8>);

/// A node whose traffic and randomness are recorded, and whose received datagrams someone on path may edit.
pub(crate) struct Tapped<N> {
    pub(crate) node: N,
    pub(crate) sent: Vec<Taped>,
    pub(crate) heard: Vec<Taped>,
    /// All that was drawn, call by call.
    pub(crate) drawn: Vec<Vec<u8>>,
    /// What someone on path does to each datagram before it arrives; `false` takes it away.
    pub(crate) edit: Option<Edit>,
}

pub(crate) type Edit = Box<dyn FnMut(&mut Vec<u8>) -> bool>;

impl<N> Tapped<N> {
    pub(crate) fn new(node: N) -> Self {
        Self {
            node,
            sent: Vec::new(),
            heard: Vec::new(),
            drawn: Vec::new(),
            edit: None,
        }
    }

    /// How many datagrams went to `to`.
    pub(crate) fn sent_to(&self, to: &str) -> usize {
        self.sent.iter().filter(|(a, _)| *a == addr(to)).count()
    }
}

/// Hands on randomness and keeps a copy.
struct Recorder<'a>(&'a mut dyn CryptoRng, &'a mut Vec<Vec<u8>>);

impl TryRng for Recorder<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let drawn = self.0.next_u32();
        self.1.push(drawn.to_le_bytes().to_vec());
        Ok(drawn)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let drawn = self.0.next_u64();
        self.1.push(drawn.to_le_bytes().to_vec());
        Ok(drawn)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill_bytes(out);
        self.1.push(out.to_vec());
        Ok(())
    }
}

impl TryCryptoRng for Recorder<'_> {}

impl<N: Node> Node for Tapped<N> {
    fn addr(&self) -> SocketAddr {
        self.node.addr()
    }

    fn receive(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        let mut bytes = bytes.to_vec();
        if let Some(edit) = &mut self.edit
            && !edit(&mut bytes)
        {
            return;
        }
        self.heard.push((from, bytes.clone()));
        let mut rng = Recorder(cx.rng, &mut self.drawn);
        self.node
            .receive(&mut Cx::new(cx.now, &mut rng), from, &mut bytes);
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        let mut rng = Recorder(cx.rng, &mut self.drawn);
        self.node.timeout(&mut Cx::new(cx.now, &mut rng));
    }

    fn transmit<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &'b mut [u8],
    ) -> Option<(SocketAddr, &'b [u8])> {
        let mut rng = Recorder(cx.rng, &mut self.drawn);
        let out = self.node.transmit(&mut Cx::new(cx.now, &mut rng), buf)?;
        self.sent.push((out.0, out.1.to_vec()));
        Some(out)
    }

    fn deadline(&self) -> Option<Instant> {
        self.node.deadline()
    }
}

/// What the two are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) generation: Generation,
    pub(crate) framings: Framings,
    pub(crate) suites: Suites,
    /// Video frames of the show, 20 a second.
    pub(crate) frames: usize,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            seed: 1,
            generation: Generation::Dtls,
            framings: Framings::TRANSCODE,
            suites: Suites::ALL,
            frames: 80,
        }
    }
}

/// Both framings, both suites.
pub(crate) fn combinations() -> impl Iterator<Item = Setup> {
    [Framings::TRANSCODE, Framings::CC51]
        .into_iter()
        .flat_map(|framings| {
            [Suites::CHACHA, Suites::CBC].map(|suites| Setup {
                framings,
                suites,
                ..Setup::default()
            })
        })
}

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    App,
    Camera,
}

pub(crate) struct Scene<'m> {
    pub(crate) world: World,
    pub(crate) client: Tapped<ClientNode<'m>>,
    pub(crate) camera: Tapped<CameraNode<'m>>,
}

impl<'m> Scene<'m> {
    pub(crate) fn new(setup: Setup, client_room: &'m mut Room, camera_room: &'m mut Room) -> Self {
        let mut world = World::new(setup.seed, Net::new(setup.seed, Faults::NONE));
        let (enr, mac, targets) = (enr(ENR), mac(), [addr(DEVICE)]);
        let cx = &mut Cx::new(world.now, &mut world.rng);
        let config = ClientConfig {
            suites: setup.suites,
            ..ClientConfig::new(uid(), &enr, &mac, &targets)
        };
        let client = Tapped::new(ClientNode::new(&config, client_room, cx));
        let config = CameraConfig {
            generation: setup.generation,
            framings: setup.framings,
            suites: setup.suites,
            ..CameraConfig::new(uid(), &enr, &mac)
        };
        let show = Show::new(setup.frames, 20, 5_000, 900);
        let camera = Tapped::new(CameraNode::new(&config, camera_room, show, cx));
        Self {
            world,
            client,
            camera,
        }
    }

    pub(crate) fn step(&mut self) {
        let nodes: &mut [&mut dyn Node] = &mut [&mut self.client, &mut self.camera];
        assert!(self.world.step(nodes), "nothing left to do");
    }

    pub(crate) fn connect(&mut self) {
        while !self.client.node.authenticated {
            self.step();
        }
    }

    /// Steps until the IOTC session is open at the client.
    pub(crate) fn open(&mut self) {
        while !self.client.node.phases.contains(&Phase::Open) {
            self.step();
        }
    }

    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.world.now + span;
        self.world
            .run_until(end, &mut [&mut self.client, &mut self.camera]);
    }

    /// Puts a datagram on the wire.
    pub(crate) fn inject(&mut self, to: Side, from: &str, bytes: &[u8]) {
        let to = match to {
            Side::App => addr(APP),
            Side::Camera => addr(DEVICE),
        };
        self.world.net.send(self.world.now, addr(from), to, bytes);
    }

    /// Gives a datagram to one of the two now, ahead of everything that is on the wire.
    pub(crate) fn hand(&mut self, to: Side, from: &str, bytes: &[u8]) {
        let cx = &mut Cx::new(self.world.now, &mut self.world.rng);
        let node: &mut dyn Node = match to {
            Side::App => &mut self.client,
            Side::Camera => &mut self.camera,
        };
        node.receive(cx, addr(from), &mut bytes.to_vec());
    }

    /// The session is what it was: both sides live, talk to each other, and every frame sent arrives, once, in order.
    pub(crate) fn assert_untouched(&mut self, context: &str) {
        let before = self.client.node.video.len();
        self.run(Duration::from_millis(1500));
        let (client, camera) = (&self.client.node, &self.camera.node);
        assert_eq!(client.closed, None, "{context}");
        assert_eq!(camera.closed, None, "{context}");
        assert_eq!(client.client.peer(), Some(addr(DEVICE)), "{context}");
        assert_eq!(camera.camera.peer(), Some(addr(APP)), "{context}");
        assert!(client.video.len() > before + 5, "{context}: no new frames");
        let arrived = client.video.len();
        assert!(arrived + 3 > camera.sent_video.len(), "{context}");
        assert_eq!(client.video[..], camera.sent_video[..arrived], "{context}");
        let arrived = client.audio.len();
        assert_eq!(client.audio[..], camera.sent_audio[..arrived], "{context}");
    }
}

/// Runs `then` with a client and a camera of each of `setups`.
pub(crate) fn with_scene(
    setups: impl IntoIterator<Item = Setup>,
    mut then: impl FnMut(&mut Scene<'_>, Setup),
) {
    for setup in setups {
        let (mut room1, mut room2) = (Room::new(1 << 18, 1 << 14), Room::new(0, 1 << 14));
        then(&mut Scene::new(setup, &mut room1, &mut room2), setup);
    }
}

/// Session id and, over CC51, ticket, as anybody on the LAN reads them off a data packet.
pub(crate) fn overheard(datagram: &[u8]) -> Option<([u8; 8], [u8; 2])> {
    match wire::open(&mut datagram.to_vec()).ok()? {
        Packet::Data { header, .. } => Some((header.sid, [0; 2])),
        Packet::Cc51(cc51::Packet::Data { header, .. }) => Some((header.sid, header.ticket)),
        _ => None,
    }
}

/// A TransCode packet as it goes over the wire.
pub(crate) fn scrambled(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    tutk_transcode::encode(&mut bytes);
    bytes
}

/// A data packet of the main channel, in the framing of a session that was [`overheard`]. Over CC51 its HMAC is wrong.
pub(crate) fn packet(
    direction: Direction,
    number: u16,
    (sid, ticket): ([u8; 8], [u8; 2]),
    payload: &[u8],
) -> Vec<u8> {
    if ticket != [0; 2] {
        let header = cc51::DataHeader::new(0, ticket, sid, payload.len()).unwrap();
        return [header.as_bytes(), payload, &[0; cc51::MAC_LEN]].concat();
    }
    let header = DataHeader::new(direction, true, number, 0, sid, payload.len()).unwrap();
    scrambled(&[header.as_bytes(), payload].concat())
}

/// The DTLS records in a datagram of the main channel.
pub(crate) fn records(datagram: &[u8]) -> Vec<Vec<u8>> {
    let mut bytes = datagram.to_vec();
    let payload = match wire::open(&mut bytes) {
        Ok(Packet::Data {
            header, payload, ..
        }) if header.header.channel == 0 => payload.to_vec(),
        Ok(Packet::Cc51(cc51::Packet::Data {
            header, payload, ..
        })) if header.channel == 0 => payload.to_vec(),
        _ => return Vec::new(),
    };
    let mut rest = &payload[..];
    let mut out = Vec::new();
    while rest.len() >= 13 {
        let len = 13 + usize::from(u16::from_be_bytes([rest[11], rest[12]]));
        let (record, tail) = rest.split_at(len.min(rest.len()));
        out.push(record.to_vec());
        rest = tail;
    }
    out
}

/// A handshake message in the clear: kind, body, and the record it came in.
pub(crate) struct Plain {
    pub(crate) kind: u8,
    pub(crate) message: Vec<u8>,
}

/// The unfragmented handshake messages of epoch 0 in a datagram, with their 12-byte headers.
pub(crate) fn handshake(datagram: &[u8]) -> Vec<Plain> {
    records(datagram)
        .into_iter()
        .filter(|r| r[0] == 22 && r[3..5] == [0, 0])
        .map(|r| Plain {
            kind: r[13],
            message: r[13..].to_vec(),
        })
        .collect()
}
