//! A client against a camera that is put together of its layers, and says what our own never says: K-commands that take
//! two packets.

use std::collections::VecDeque;
use std::net::SocketAddr;

use tutk_av::{IoctlTicket, Responder, ResponderConfig};
use tutk_core::wire::Writer;
use tutk_core::{Layer, TxBuf};
use tutk_dtls::{Psk, Server, ServerConfig};
use tutk_iotc::{AuthKey, Device, DeviceConfig};
use tutk_testkit::net::{Faults, Net};
use tutk_testkit::pump::{Node, World};
use wyze_session::kauth::command::{ConnectUserAuth, ConnectUserAuth2};
use wyze_session::kauth::{
    self, CameraDescription, Challenger, ChallengerConfig, Code, Decode, Message, OpenUserId, hl,
};
use wyze_session::{ClientConfig, Cx, Datagram, Enr, Instant, Mac, ResponseCommand, Status};

use crate::common::{ClientNode, DEVICE, Room, addr, enr, mac, put, uid};

/// What every answer of the camera is filled up to: with header and IO type it takes two packets.
const LONG: usize = hl::MAX_PAYLOAD;
/// A request that no part of the session knows.
const ASKED: Code = Code(11_000);

pub(crate) struct Layered<'m> {
    iotc: Device,
    dtls: Server<'m>,
    av: Responder<'m>,
    challenger: Challenger,
    /// Code and body of each K-command that came.
    asked: Vec<(Code, Vec<u8>)>,
    /// How many challenges of its own choice follow the first one.
    further: u8,
    /// What it challenged the client with at first.
    pub(crate) challenges: Vec<Vec<u8>>,
    pub(crate) out: VecDeque<Vec<u8>>,
    to: SocketAddr,
}

impl<'m> Layered<'m> {
    fn new(enr: &Enr, mac: &Mac, memory: &'m mut [u8], cx: &mut Cx<'_>) -> Self {
        let key = AuthKey::new(kauth::auth_key(enr, mac));
        let psk = Psk::new(*kauth::psk(enr).expose());
        Self {
            iotc: Device::new(&DeviceConfig::new(uid(), key), cx),
            dtls: Server::new(&ServerConfig::new(psk), memory, cx),
            av: Responder::new(&ResponderConfig::default(), &mut [], cx),
            challenger: Challenger::new(&ChallengerConfig {
                enr,
                parent_enr: None,
                status: Status::Enr16,
                info: CameraDescription::new("HL_CAM4", "4.52.9.4188", mac),
            }),
            asked: Vec::new(),
            further: 0,
            challenges: Vec::new(),
            out: VecDeque::new(),
            to: addr(DEVICE),
        }
    }

    /// Answers a K-command: the challenge as it must be, all else with [`LONG`] bytes.
    fn answer(&mut self, cx: &mut Cx<'_>, asked: &Message<'_>) {
        self.asked.push((asked.code, asked.payload.to_vec()));
        let mut memory = [0; hl::MAX_MESSAGE];
        let mut w = Writer::new(&mut memory);
        if self.challenger.handle_message(cx.rng, asked).is_none() {
            self.tell(cx, asked.code.reply(), &[0x5a; LONG]);
            return;
        }
        let code = self.challenger.write_reply(&mut w).unwrap();
        let payload = Message::parse(w.finish().unwrap()).unwrap().payload;
        let mut payload = payload.to_vec();
        if code == Code::K10003 {
            // JSON may be followed by blanks.
            payload.resize(LONG, b' ');
        }
        self.tell(cx, code, &payload);
        if code == Code::K10001 {
            self.challenges.push(payload);
            self.challenge(cx);
        }
    }

    /// The client's answers to challenges.
    pub(crate) fn answers(&self) -> impl Iterator<Item = &[u8]> {
        let answers = self.asked.iter().filter(|(code, _)| *code == Code::K10002);
        answers.map(|(_, payload)| &payload[..])
    }

    /// Sends the further challenges.
    fn challenge(&mut self, cx: &mut Cx<'_>) {
        for block in 0..self.further {
            self.tell(cx, Code::K10001, &[&[3][..], &[block; 16]].concat());
        }
    }

    /// Sends a K-command in as many packets as it takes.
    pub(crate) fn tell(&mut self, cx: &mut Cx<'_>, code: Code, payload: &[u8]) {
        let mut memory = [0; hl::MAX_MESSAGE];
        let mut w = Writer::new(&mut memory);
        hl::write(&mut w, 36, code, |w| w.bytes(payload));
        let message = w.finish().unwrap();
        let ticket = self.av.ioctl_ticket();
        for index in 0..IoctlTicket::fragments(message.len()) {
            let ticket = ticket.fragment(index as u16);
            self.send(cx, |av, tx| av.write_ioctl(ticket, message, tx).is_ok());
        }
    }

    /// Seals and queues what `write` writes; `false` when that is nothing.
    pub(crate) fn send(
        &mut self,
        cx: &mut Cx<'_>,
        write: impl FnOnce(&mut Responder<'m>, &mut TxBuf<'_>) -> bool,
    ) -> bool {
        let mut memory = [0; 1500];
        let mut tx = TxBuf::new(&mut memory);
        let head = Device::HEADROOM + Server::HEADROOM;
        tx.reserve(head, Device::TAILROOM + Server::TAILROOM)
            .unwrap();
        if !write(&mut self.av, &mut tx) {
            return false;
        }
        self.dtls.seal(cx, &mut tx).unwrap();
        self.iotc.wrap(0, &mut tx).unwrap();
        self.out.push_back(tx.finish().to_vec());
        true
    }

    fn read(&mut self, cx: &mut Cx<'_>, records: &mut [u8]) {
        let mut input = Datagram::new(self.to, records);
        while let Ok(Some(event)) = self.dtls.handle_datagram(cx, &mut input) {
            let tutk_dtls::Event::Data(plain) = event else {
                continue;
            };
            let mut message = Datagram::new(self.to, plain);
            let event = self.av.handle_datagram(cx, &mut message);
            if let Ok(Some(tutk_av::Event::Ioctl(ioctl))) = event {
                self.answer(cx, &Message::parse(ioctl.payload).unwrap());
            }
        }
    }
}

impl Node for Layered<'_> {
    fn addr(&self) -> SocketAddr {
        addr(DEVICE)
    }

    fn receive(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        self.to = from;
        let mut input = Datagram::new(from, bytes);
        while let Ok(Some(event)) = self.iotc.handle_datagram(cx, &mut input) {
            if let tutk_iotc::Event::Data { payload, .. } = event {
                self.read(cx, payload);
            }
        }
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        self.iotc.handle_timeout(cx).unwrap();
        self.dtls.handle_timeout(cx).unwrap();
        self.av.handle_timeout(cx).unwrap();
    }

    fn transmit<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &'b mut [u8],
    ) -> Option<(SocketAddr, &'b [u8])> {
        let mut memory = [0; 1500];
        let mut tx = TxBuf::new(&mut memory);
        if self.iotc.poll_transmit(cx, &mut tx) == Ok(true) {
            return Some((self.to, put(buf, tx.payload())));
        }
        tx.clear();
        tx.reserve(Device::HEADROOM, Device::TAILROOM).unwrap();
        if self.dtls.poll_transmit(cx, &mut tx) == Ok(true) {
            self.iotc.wrap(0, &mut tx).unwrap();
            return Some((self.to, put(buf, tx.payload())));
        }
        if self.dtls.is_connected() && self.out.is_empty() {
            let now = cx.now;
            self.send(cx, |av, tx| {
                let mut rng = tutk_testkit::rng(1);
                av.poll_transmit(&mut Cx::new(now, &mut rng), tx) == Ok(true)
            });
        }
        let datagram = self.out.pop_front()?;
        Some((self.to, put(buf, &datagram)))
    }

    fn deadline(&self) -> Option<Instant> {
        let all = [
            self.iotc.poll_timeout(),
            self.dtls.poll_timeout(),
            self.av.poll_timeout(),
        ];
        all.into_iter().flatten().min()
    }
}

/// A client that such a camera has let in, handed to `then`.
fn with_pair(then: impl FnOnce(&mut World, &mut ClientNode<'_>, &mut Layered<'_>)) {
    with_pair_by(ResponseCommand::K10002, None, 0, then);
}

/// The same with so many `further` challenges.
pub(crate) fn with_challenges(
    further: u8,
    then: impl FnOnce(&mut World, &mut ClientNode<'_>, &mut Layered<'_>),
) {
    with_pair_by(ResponseCommand::K10002, None, further, then);
}

/// The same, logged in by this command.
fn with_pair_by(
    command: ResponseCommand,
    open_user_id: Option<&OpenUserId>,
    further: u8,
    then: impl FnOnce(&mut World, &mut ClientNode<'_>, &mut Layered<'_>),
) {
    let mut world = World::new(3, Net::new(3, Faults::NONE));
    let (enr, mac, targets) = (enr("sim-enr-16byte!!"), mac(), [addr(DEVICE)]);
    let (mut room, mut memory) = (Room::new(1 << 16, 1 << 13), [0; 512]);
    let cx = &mut Cx::new(world.now, &mut world.rng);
    let config = ClientConfig {
        command,
        open_user_id,
        // This camera has no media.
        stall: None,
        ..ClientConfig::new(uid(), &enr, &mac, &targets)
    };
    let mut client = ClientNode::new(&config, &mut room, cx);
    #[cfg(feature = "keylog")]
    client.client.log_keys();
    let mut camera = Layered {
        further,
        ..Layered::new(&enr, &mac, &mut memory, cx)
    };
    while !client.authenticated && client.closed.is_none() {
        assert!(world.step(&mut [&mut client, &mut camera]));
    }
    then(&mut world, &mut client, &mut camera);
}

pub(crate) fn run_for(
    world: &mut World,
    millis: u64,
    client: &mut ClientNode<'_>,
    camera: &mut Layered<'_>,
) {
    let later = world.now + core::time::Duration::from_millis(millis);
    world.run_until(later, &mut [client, camera]);
}

#[test]
fn k10006_and_k10008_carry_the_user_id_and_let_the_client_in() {
    let user = OpenUserId::new("0a1b2c3d-open-user").unwrap();
    for user in [None, Some(&user)] {
        let open_user_id = user.map_or("", OpenUserId::as_str).as_bytes();
        with_pair_by(ResponseCommand::K10006, user, 0, |_, client, camera| {
            assert!(client.authenticated);
            let (code, payload) = camera.asked.last().unwrap();
            assert_eq!(*code, Code::K10006);
            let login = ConnectUserAuth::decode(payload).unwrap();
            assert_eq!(login.open_user_id, open_user_id);
            assert!(login.auth.video && login.auth.audio);
        });
        with_pair_by(ResponseCommand::K10008, user, 0, |_, client, camera| {
            assert!(client.authenticated);
            let (code, payload) = camera.asked.last().unwrap();
            assert_eq!(*code, Code::K10008);
            let login = ConnectUserAuth2::decode(payload).unwrap();
            assert_eq!(login.open_user_id, open_user_id);
            assert!(login.auth.video && login.auth.audio);
        });
    }
}

#[test]
fn a_verdict_in_two_packets_lets_the_client_in() {
    with_pair(|_, client, _| {
        assert!(client.authenticated && client.closed.is_none());
        assert_eq!(client.client.protocol(), 36, "the camera's own");
    });
}

#[test]
fn a_reply_in_two_packets_is_told_once_and_as_a_whole() {
    with_pair(|world, client, camera| {
        let cx = &mut Cx::new(world.now, &mut world.rng);
        let asked = client.client.request_with(cx, true, |w| {
            hl::write(w, hl::CLIENT_VERSION, ASKED, |w| w.bytes(b"?"));
            ASKED
        });
        asked.unwrap();
        run_for(world, 2000, client, camera);
        assert_eq!(client.replies, [(ASKED.reply().0, vec![0x5a; LONG])]);
        assert_eq!((client.messages, client.unanswered), (0, 0));
    });
}

#[test]
fn a_command_of_the_cameras_own_in_two_packets_is_a_message() {
    with_pair(|world, client, camera| {
        let cx = &mut Cx::new(world.now, &mut world.rng);
        camera.tell(cx, ASKED, &[1; LONG]);
        run_for(world, 500, client, camera);
        assert_eq!((client.messages, client.replies.len()), (1, 0));
        // Its second packet alone tells nothing.
        let cx = &mut Cx::new(world.now, &mut world.rng);
        camera.tell(cx, ASKED, &[1; LONG]);
        camera.out.pop_front();
        run_for(world, 500, client, camera);
        assert_eq!(client.messages, 1);
    });
}

/// Who knows the PSK and poses as the camera can have one block decrypted in a session, and no second one.
#[test]
fn a_client_decrypts_one_challenge_in_a_session() {
    with_challenges(100, |world, client, camera| {
        // Right behind the first, and once it is in.
        camera.challenge(&mut Cx::new(world.now, &mut world.rng));
        run_for(world, 5000, client, camera);
        assert_eq!(client.closed, None);
        assert_eq!((camera.challenges.len(), camera.answers().count()), (1, 1));
        assert_eq!(client.client.stats().kauth.rx_unexpected, 100);
    });
}
