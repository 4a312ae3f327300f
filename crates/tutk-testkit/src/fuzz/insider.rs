//! `Client` and `Camera` each against a peer that has the keys: what the fuzzer writes is sealed, so that it gets behind
//! the cryptography without the product having to be built in any other way.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tutk_av::{Generation, Initiator, LoginConfig, Responder, ResponderConfig};
use tutk_core::wire::{Reader, Writer};
use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};
use tutk_dtls::{Event as DtlsEvent, Psk};
use tutk_iotc::{AuthKey, Event as IotcEvent, Framings, wire};
use wyze_kauth::{
    Authenticator, AuthenticatorConfig, CameraDescription, Challenger, ChallengerConfig, Hello,
    Message, ResponseCommand, Status,
};
use wyze_session::{Camera, CameraConfig, ClientConfig, Enr, Mac};

use super::endpoint::{
    ANSWERS, App, Cam, Choice, Endpoint, GOODBYE, MAX_BURST, Room, app, device, identity,
};

/// What an honest peer does until the fuzzer takes over.
trait Insider {
    /// Takes in a datagram, and answers what it asks for.
    fn hear(&mut self, cx: &mut Cx<'_>, bytes: &mut [u8]);
    fn timeout(&mut self, cx: &mut Cx<'_>);
    /// Everything it wants to send.
    fn speak(&mut self, cx: &mut Cx<'_>, out: &mut VecDeque<Vec<u8>>);
    /// `message` as application data of the main channel, where there is DTLS sealed.
    fn seal(&mut self, cx: &mut Cx<'_>, message: &[u8]) -> Option<Vec<u8>>;
    /// Whether it speaks no DTLS, so that nobody can prove anything.
    fn is_plain(&self) -> bool;
    /// `payload` as it is, on a channel.
    fn wrap(&mut self, channel: u8, payload: &[u8]) -> Option<Vec<u8>>;
}

macro_rules! insider {
    ($name:ident<$m:lifetime>, $iotc:ty, $dtls:ty, $av:ty, $kauth:ty) => {
        struct $name<$m> {
            iotc: $iotc,
            dtls: $dtls,
            av: $av,
            kauth: $kauth,
            generation: Generation,
            open: bool,
            queue: VecDeque<Vec<u8>>,
        }

        impl<$m> Insider for $name<$m> {
            fn hear(&mut self, cx: &mut Cx<'_>, bytes: &mut [u8]) {
                let mut input = Datagram::new(app(), bytes);
                while let Ok(Some(event)) = self.iotc.handle_datagram(cx, &mut input) {
                    match event {
                        IotcEvent::Open { .. } => {
                            self.dtls.reset(cx);
                            self.iotc.set_encrypted(!self.is_plain());
                            self.av.set_generation(self.generation);
                            self.open = true;
                        }
                        IotcEvent::Data {
                            channel: 0,
                            payload,
                        } if self.is_plain() => self.read_message(cx, payload),
                        IotcEvent::Data {
                            channel: 0,
                            payload,
                        } => self.read(cx, payload),
                        _ => {}
                    }
                }
            }

            fn timeout(&mut self, cx: &mut Cx<'_>) {
                let _ = self.iotc.handle_timeout(cx);
                let _ = self.dtls.handle_timeout(cx);
                let _ = self.av.handle_timeout(cx);
            }

            fn speak(&mut self, cx: &mut Cx<'_>, out: &mut VecDeque<Vec<u8>>) {
                let mut memory = [0; 1500];
                let mut tx = TxBuf::new(&mut memory);
                while let Ok(true) = self.iotc.poll_transmit(cx, &mut tx) {
                    out.push_back(tx.payload().to_vec());
                    tx.clear();
                }
                while self.open && !self.is_plain() {
                    tx.clear();
                    let room = tx.reserve(<$iotc>::HEADROOM, <$iotc>::TAILROOM);
                    room.expect("room");
                    if self.dtls.poll_transmit(cx, &mut tx) != Ok(true) {
                        break;
                    }
                    if self.iotc.wrap(0, &mut tx).is_err() {
                        break;
                    }
                    out.push_back(tx.payload().to_vec());
                }
                while self.is_speaking() {
                    tx.clear();
                    if self.av.poll_transmit(cx, &mut tx) != Ok(true) {
                        break;
                    }
                    let message = tx.payload().to_vec();
                    out.extend(self.seal(cx, &message));
                }
                self.ask(cx);
                while let Some(message) = self.queue.pop_front() {
                    tx.clear();
                    let ticket = self.av.ioctl_ticket();
                    if self.av.write_ioctl(ticket, &message, &mut tx).is_ok() {
                        let message = tx.payload().to_vec();
                        out.extend(self.seal(cx, &message));
                    }
                }
            }

            fn seal(&mut self, cx: &mut Cx<'_>, message: &[u8]) -> Option<Vec<u8>> {
                let mut memory = [0; 1500];
                let mut tx = TxBuf::new(&mut memory);
                let head = <$iotc>::HEADROOM + <$dtls>::HEADROOM;
                tx.reserve(head, <$iotc>::TAILROOM + <$dtls>::TAILROOM)
                    .ok()?;
                tx.append(message).ok()?;
                if !self.is_plain() {
                    self.dtls.seal(cx, &mut tx).ok()?;
                }
                self.iotc.wrap(0, &mut tx).ok()?;
                Some(tx.finish().to_vec())
            }

            fn is_plain(&self) -> bool {
                self.generation.is_plain()
            }

            fn wrap(&mut self, channel: u8, payload: &[u8]) -> Option<Vec<u8>> {
                let mut memory = [0; 1500];
                let mut tx = TxBuf::new(&mut memory);
                tx.reserve(<$iotc>::HEADROOM, <$iotc>::TAILROOM).ok()?;
                tx.append(payload).ok()?;
                self.iotc.wrap(channel, &mut tx).ok()?;
                Some(tx.finish().to_vec())
            }
        }

        impl $name<'_> {
            fn read(&mut self, cx: &mut Cx<'_>, records: &mut [u8]) {
                let mut input = Datagram::new(app(), records);
                while let Ok(Some(event)) = self.dtls.handle_datagram(cx, &mut input) {
                    let DtlsEvent::Data(plain) = event else {
                        continue;
                    };
                    self.read_message(cx, plain);
                }
            }

            fn read_message(&mut self, cx: &mut Cx<'_>, message: &mut [u8]) {
                let mut message = Datagram::new(app(), message);
                if let Ok(Some(tutk_av::Event::Ioctl(ioctl))) =
                    self.av.handle_datagram(cx, &mut message)
                    && let Ok(message) = Message::parse(ioctl.payload)
                {
                    let answer = self.kauth.answer(cx, &message);
                    self.queue.extend(answer);
                }
            }

            /// Whether AV messages flow.
            fn is_speaking(&self) -> bool {
                self.open && (self.is_plain() || self.dtls.is_connected())
            }
        }
    };
}

/// The challenge, either side.
trait Kauth {
    fn answer(&mut self, cx: &mut Cx<'_>, message: &Message<'_>) -> Option<Vec<u8>>;
}

impl Kauth for Challenger {
    fn answer(&mut self, cx: &mut Cx<'_>, message: &Message<'_>) -> Option<Vec<u8>> {
        self.handle_message(cx.rng, message)?;
        let mut memory = [0; 1040];
        let mut w = Writer::new(&mut memory);
        self.write_reply(&mut w)?;
        Some(w.finish().ok()?.to_vec())
    }
}

impl Kauth for Authenticator {
    fn answer(&mut self, _: &mut Cx<'_>, message: &Message<'_>) -> Option<Vec<u8>> {
        let _ = self.handle_message(message);
        next_request(self)
    }
}

fn next_request(auth: &mut Authenticator) -> Option<Vec<u8>> {
    let mut memory = [0; 1040];
    let mut w = Writer::new(&mut memory);
    auth.poll_request(&mut w)?;
    Some(w.finish().ok()?.to_vec())
}

insider!(
    FakeCamera<'m>,
    tutk_iotc::Device,
    tutk_dtls::Server<'m>,
    Responder<'m>,
    Challenger
);
insider!(
    FakeApp<'m>,
    tutk_iotc::Client,
    tutk_dtls::Client<'m>,
    Initiator<'m>,
    Authenticator
);

impl FakeCamera<'_> {
    fn ask(&mut self, _: &mut Cx<'_>) {}
}

impl FakeApp<'_> {
    /// It speaks first.
    fn ask(&mut self, _: &mut Cx<'_>) {
        if self.av.is_logged_in() {
            self.queue.extend(next_request(&mut self.kauth));
        }
    }
}

/// Lets both talk until nobody says anything more, at one moment. Until the peer has proved that it has the keys, its
/// datagrams are answered as a stranger's.
fn converse(cx: &mut Cx<'_>, subject: &mut impl Endpoint, peer: &mut impl Insider, at: SocketAddr) {
    let from = if at == app() { device() } else { app() };
    let (mut to_peer, mut to_subject) = (VecDeque::new(), VecDeque::new());
    for _ in 0..40 {
        subject.drain(cx, &mut to_peer);
        peer.speak(cx, &mut to_subject);
        if to_peer.is_empty() && to_subject.is_empty() {
            return;
        }
        for mut bytes in to_peer.drain(..) {
            peer.hear(cx, &mut bytes);
        }
        for mut bytes in to_subject.drain(..) {
            subject.give(cx, from, &mut bytes);
            let known = subject.is_secured() || peer.is_plain();
            let most = if known { MAX_BURST } else { ANSWERS };
            answer(cx, subject, most, &mut to_peer);
        }
    }
}

/// What `subject` has to say to its last input: at most `most` datagrams, and its goodbye.
fn answer(cx: &mut Cx<'_>, subject: &mut impl Endpoint, most: usize, out: &mut VecDeque<Vec<u8>>) {
    let (before, closed) = (out.len(), subject.is_closed());
    subject.drain(cx, out);
    let ends = subject.is_closed() && !closed;
    let most = most + if ends { GOODBYE } else { 0 };
    let answers = out.len() - before;
    assert!(answers <= most, "{answers} answers, not {most}");
}

/// Plays a script: each step is an operation, a length where it has bytes, and those.
fn play(
    data: &[u8],
    cx: &mut Cx<'_>,
    subject: &mut impl Endpoint,
    peer: &mut impl Insider,
    at: SocketAddr,
    rounds: u8,
) {
    let plain = peer.is_plain();
    // The one that has to find out that there is no DTLS takes its time.
    let pause = Duration::from_millis(if plain { 200 } else { 60 });
    for _ in 0..rounds % 16 {
        converse(cx, subject, peer, at);
        cx.now += pause;
        subject.timeout(cx);
        peer.timeout(cx);
    }
    let mut sink = VecDeque::new();
    subject.drain(cx, &mut sink);
    let mut r = Reader::new(data);
    while let Ok(op) = r.u8() {
        sink.clear();
        let most = step(op, &mut r, cx, (subject, peer), at, &mut sink);
        let most = if plain { MAX_BURST } else { most };
        answer(cx, subject, most, &mut sink);
        if op % 8 == TIME {
            subject.assert_served(cx.now);
        }
    }
}

/// The operation that lets time pass.
const TIME: u8 = 5;

/// One step; how many datagrams it may bring about.
fn step(
    op: u8,
    r: &mut Reader<'_>,
    cx: &mut Cx<'_>,
    (subject, peer): (&mut impl Endpoint, &mut impl Insider),
    at: SocketAddr,
    sink: &mut VecDeque<Vec<u8>>,
) -> usize {
    let mut bytes = || {
        let len = usize::from(r.u16_be().unwrap_or(0))
            .min(r.rest().len())
            .min(1200);
        r.take(len).unwrap_or_default().to_vec()
    };
    let (datagram, most) = match op % 8 {
        0 => (Some(bytes()), ANSWERS),
        1 => (peer.wrap(op >> 7, &bytes()), ANSWERS),
        2..=4 => (peer.seal(cx, &bytes()), MAX_BURST),
        TIME => {
            cx.now += Duration::from_millis(1 << (op >> 3 & 15).min(13));
            subject.timeout(cx);
            peer.timeout(cx);
            (None, MAX_BURST)
        }
        6 => {
            subject.call(cx, r.u8().unwrap_or(0), sink);
            (None, MAX_BURST)
        }
        _ => {
            converse(cx, subject, peer, at);
            (None, MAX_BURST)
        }
    };
    if let Some(mut bytes) = datagram {
        let known = if at == app() { device() } else { app() };
        let stranger = SocketAddr::from(([198, 51, 100, 6], 6));
        let from = if op & 0x40 == 0 { known } else { stranger };
        subject.give(cx, from, &mut bytes);
    }
    most
}

/// A client whose camera is the fuzzer's. The first byte chooses suites, framing, chunk mode, lossless mode and generation,
/// the second how far the two come honestly: searching, handshake, login, challenge, or all of it.
pub fn session_client(data: &[u8]) {
    run_client(data);
}

fn run_client(data: &[u8]) -> bool {
    let [choice, rounds, script @ ..] = data else {
        return false;
    };
    let choice = Choice(*choice);
    let (uid, enr, mac) = identity();
    let targets = [device()];
    let mut rng = crate::rng(9);
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let mut room = Room::new(if choice.chunks() { 0 } else { 8192 }, choice);
    let config = ClientConfig {
        suites: choice.suites(),
        framings: choice.framings(),
        resend: choice.resend(),
        plain: choice.plain(),
        ..ClientConfig::new(uid, &enr, &mac, &targets)
    };
    let mut subject = App::new(config, room.storage(), false, &mut cx);
    let key = AuthKey::new(wyze_kauth::auth_key(&enr, &mac));
    let device_config = tutk_iotc::DeviceConfig {
        framings: if choice.generation().is_plain() {
            Framings::TRANSCODE
        } else {
            choice.framings()
        },
        version: match choice.generation() {
            Generation::Dtls => wire::VERSION,
            Generation::Session25 => wire::VERSION_SESSION25,
            // Of one that was seen.
            Generation::Session16 => 0x12,
        },
        ..tutk_iotc::DeviceConfig::new(uid, key)
    };
    let mut server = tutk_dtls::ServerConfig::new(psk(&enr));
    server.suites = choice.suites();
    let (mut memory, mut control) = ([0; 512], [0; 1024]);
    let responder = ResponderConfig {
        resend: true,
        ..ResponderConfig::default()
    };
    let mut peer = FakeCamera {
        iotc: tutk_iotc::Device::new(&device_config, &mut cx),
        dtls: tutk_dtls::Server::new(&server, &mut memory, &mut cx),
        av: Responder::new(&responder, &mut control, &mut cx),
        kauth: challenger(&enr, &mac),
        generation: choice.generation(),
        open: false,
        queue: VecDeque::new(),
    };
    play(script, &mut cx, &mut subject, &mut peer, app(), *rounds);
    subject.client.is_authenticated()
}

/// A camera whose viewer is the fuzzer's; bytes as of [`session_client`].
pub fn session_camera(data: &[u8]) {
    run_camera(data);
}

fn run_camera(data: &[u8]) -> bool {
    let [choice, rounds, script @ ..] = data else {
        return false;
    };
    let choice = Choice(*choice);
    let (uid, enr, mac) = identity();
    let targets = [device()];
    let mut rng = crate::rng(10);
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let mut room = Room::new(0, choice);
    let config = CameraConfig {
        suites: choice.suites(),
        framings: choice.framings(),
        generation: choice.generation(),
        ..CameraConfig::new(uid, &enr, &mac)
    };
    let mut subject = Cam::new(Camera::new(&config, room.storage(), &mut cx), false);
    let key = AuthKey::new(wyze_kauth::auth_key(&enr, &mac));
    let client_config = tutk_iotc::ClientConfig {
        framings: choice.framings(),
        ..tutk_iotc::ClientConfig::new(uid, key, &targets)
    };
    let mut client = tutk_dtls::ClientConfig::new(psk(&enr), wyze_kauth::PSK_IDENTITY);
    client.suites = choice.suites();
    let (mut memory, mut control) = ([0; 512], [0; 1024]);
    let login = LoginConfig {
        user: b"admin",
        password: b"password",
        resend: true,
    };
    let mut peer = FakeApp {
        iotc: tutk_iotc::Client::new(&client_config, &mut cx),
        dtls: tutk_dtls::Client::new(&client, &mut memory, &mut cx),
        av: Initiator::new(&login, &mut control, &mut cx),
        kauth: authenticator(&enr, &mac),
        generation: choice.generation(),
        open: false,
        queue: VecDeque::new(),
    };
    play(script, &mut cx, &mut subject, &mut peer, device(), *rounds);
    subject.let_in()
}

fn psk(enr: &Enr) -> Psk {
    Psk::new(*wyze_kauth::psk(enr).expose())
}

fn challenger(enr: &Enr, mac: &Mac) -> Challenger {
    Challenger::new(&ChallengerConfig {
        enr,
        parent_enr: None,
        status: Status::Enr16,
        info: CameraDescription::new("HL_CAM4", "4.52.9.4188", mac),
    })
}

fn authenticator(enr: &Enr, mac: &Mac) -> Authenticator {
    Authenticator::new(&AuthenticatorConfig {
        enr,
        parent_enr: None,
        mac,
        video: true,
        audio: true,
        hello: Hello::Empty,
        command: ResponseCommand::K10002,
        open_user_id: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_honest_insider_gets_through() {
        for choice in (0..8).chain(0x40..0x48).chain(0x80..0x88) {
            assert!(run_client(&[choice, 15]), "client, choice {choice}");
            assert!(run_camera(&[choice, 15]), "camera, choice {choice}");
        }
    }
}
