//! K-commands over the wire: what is set is what is read, by name, for every setting of the table.

use std::time::Duration;

use tutk_testkit::net::{Faults, Net};
use tutk_testkit::pump::{Node, World};
use wyze_session::kauth::settings::{self, PtzRequest, Setting};
use wyze_session::kauth::{Message, hl};
use wyze_session::{
    Camera, CameraConfig, CameraEvent, CameraState, ClientConfig, Cx, Datagram, Event, Instant,
    Stream, Transmit,
};

use crate::common::{ClientNode, DEVICE, Room, addr, enr, mac, uid};

/// A camera that answers from its state.
pub(crate) struct StateNode<'m> {
    pub(crate) camera: Camera<'m>,
    pub(crate) state: CameraState,
    /// Code and body of each.
    pub(crate) commands: Vec<(u16, Vec<u8>)>,
    /// How often a viewer has logged in.
    pub(crate) logins: usize,
}

impl<'m> StateNode<'m> {
    pub(crate) fn new(config: &CameraConfig<'_>, room: &'m mut Room, cx: &mut Cx<'_>) -> Self {
        Self {
            camera: Camera::new(config, room.storage(), cx),
            state: CameraState::new(),
            commands: Vec::new(),
            logins: 0,
        }
    }
}

impl Node for StateNode<'_> {
    fn addr(&self) -> std::net::SocketAddr {
        addr(DEVICE)
    }

    fn receive(&mut self, cx: &mut Cx<'_>, from: std::net::SocketAddr, bytes: &mut [u8]) {
        let mut input = Datagram::new(from, bytes);
        while let Some(event) = self.camera.handle_datagram(cx, &mut input) {
            match event {
                CameraEvent::Command { code, payload } => {
                    self.commands.push((code.0, payload.to_vec()));
                    self.camera.answer(&mut self.state, code, payload);
                }
                CameraEvent::LoggedIn => self.logins += 1,
                _ => {}
            }
        }
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        self.camera.handle_timeout(cx);
    }

    fn transmit<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &'b mut [u8],
    ) -> Option<(std::net::SocketAddr, &'b [u8])> {
        let Transmit { to, datagram } = self.camera.poll_transmit(cx, buf)?;
        Some((to, datagram))
    }

    fn deadline(&self) -> Option<Instant> {
        self.camera.poll_timeout()
    }
}

/// A connected pair on a network with these faults, handed to `then`. The camera has no media, which the client bears.
pub(crate) fn with_pair(
    faults: Faults,
    then: impl FnOnce(&mut World, &mut ClientNode<'_>, &mut StateNode<'_>),
) {
    let mut world = World::new(7, Net::new(7, faults));
    let (enr, mac, targets) = (enr("sim-enr-16byte!!"), mac(), [addr(DEVICE)]);
    let (mut room1, mut room2) = (Room::new(1 << 16, 1 << 13), Room::new(0, 0));
    let config = ClientConfig {
        stall: None,
        ..ClientConfig::new(uid(), &enr, &mac, &targets)
    };
    let cx = &mut Cx::new(world.now, &mut world.rng);
    let mut client = ClientNode::new(&config, &mut room1, cx);
    let config = CameraConfig::new(uid(), &enr, &mac);
    let mut camera = StateNode::new(&config, &mut room2, cx);
    while !client.authenticated && world.step(&mut [&mut client, &mut camera]) {}
    assert!(client.authenticated && camera.camera.wants(Stream::Video));
    then(&mut world, &mut client, &mut camera);
}

/// Runs until the reply to the latest request has come; its HL code and body.
fn reply(
    world: &mut World,
    client: &mut ClientNode<'_>,
    camera: &mut StateNode<'_>,
) -> (u16, Vec<u8>) {
    let limit = world.now + Duration::from_secs(6);
    while client.replies.is_empty() && world.now < limit {
        world.step(&mut [client, camera]);
    }
    assert_eq!(client.replies.len(), 1, "one request, one reply");
    client.replies.remove(0)
}

fn get(
    world: &mut World,
    client: &mut ClientNode<'_>,
    camera: &mut StateNode<'_>,
    setting: &Setting,
) -> i64 {
    let request = setting.get_request().unwrap();
    client
        .client
        .request_with(&mut Cx::new(world.now, &mut world.rng), true, |w| {
            request.write(w)
        })
        .unwrap();
    let (code, payload) = reply(world, client, camera);
    let message = Message {
        version: hl::CLIENT_VERSION,
        code: wyze_session::kauth::Code(code),
        payload: &payload,
    };
    setting.read_reply(&message).unwrap()
}

/// Those that can be set and read.
const SETTABLE: [&str; 20] = [
    "status-light",
    "night-vision",
    "night-switch",
    "ir-led",
    "bit-rate",
    "resolution",
    "fps",
    "horizontal-flip",
    "vertical-flip",
    "osd-time",
    "osd-logo",
    "clock",
    "time-zone",
    "motion-alarm",
    "motion-tagging",
    "motion-tracking",
    "pan-scan",
    "siren",
    "spotlight",
    "rtsp",
];

/// All words of a setting, or both ends of its range; the value that it has comes last, so that each changes it.
fn values(setting: &Setting, now: i64) -> Vec<i64> {
    let mut values = match setting.values {
        settings::Values::Words(words) => words.iter().map(|&(_, byte)| byte.into()).collect(),
        settings::Values::Range(first, last) => vec![first, last],
        _ => unreachable!(),
    };
    if let Some(at) = values.iter().position(|value| *value == now) {
        values.rotate_left(at + 1);
    }
    values
}

#[test]
fn every_value_of_a_setting_is_read_as_it_was_set() {
    for faults in [Faults::NONE, Faults::BAD_WIFI] {
        with_pair(faults, |world, client, camera| {
            let mut tried = Vec::new();
            for setting in settings::settings_table() {
                if setting.get_request().is_err() || setting.set.is_none() {
                    continue;
                }
                let mut before = get(world, client, camera, setting);
                for value in values(setting, before) {
                    assert_ne!(value, before, "{}", setting.name);
                    let request = setting.set_request(value, None).unwrap();
                    let cx = &mut Cx::new(world.now, &mut world.rng);
                    client
                        .client
                        .request_with(cx, true, |w| request.write(w))
                        .unwrap();
                    reply(world, client, camera);
                    let read = get(world, client, camera, setting);
                    assert_eq!(read, value, "{}", setting.name);
                    before = value;
                }
                tried.push(setting.name);
            }
            assert_eq!(tried, SETTABLE);
        });
    }
}

#[test]
fn a_command_without_a_reply_goes_out_once() {
    with_pair(Faults::NONE, |world, client, camera| {
        let request = PtzRequest::parse("home", &[], 0).unwrap();
        assert!(!request.awaits_reply());
        client
            .client
            .request_with(
                &mut Cx::new(world.now, &mut world.rng),
                request.awaits_reply(),
                |w| request.write(w),
            )
            .unwrap();
        let later = world.now + Duration::from_secs(4);
        world.run_until(later, &mut [client, camera]);
        assert_eq!(camera.commands.len(), 1);
        assert!(client.replies.is_empty() && client.unanswered == 0);
    });
}

#[test]
fn a_command_that_nobody_answers_is_given_up_after_five_seconds() {
    with_pair(Faults::NONE, |world, client, camera| {
        let setting = settings::lookup("night-vision").unwrap();
        let request = setting.get_request().unwrap();
        let silent = Faults {
            loss: 100,
            ..Faults::NONE
        };
        world.net.set_faults(silent);
        client
            .client
            .request_with(&mut Cx::new(world.now, &mut world.rng), true, |w| {
                request.write(w)
            })
            .unwrap();
        let later = world.now + Duration::from_millis(4900);
        world.run_until(later, &mut [client, camera]);
        assert_eq!(client.unanswered, 0);
        let later = world.now + Duration::from_millis(200);
        world.run_until(later, &mut [client, camera]);
        assert_eq!(client.unanswered, 1);
        assert!(client.closed.is_none());
    });
}

#[test]
fn a_reply_that_comes_again_is_told_once() {
    with_pair(Faults::NONE, |world, client, camera| {
        // The request is repeated while the reply is under way, and so is the reply.
        world.net.set_faults(Faults {
            latency: Duration::from_millis(400),
            ..Faults::NONE
        });
        let setting = settings::lookup("night-vision").unwrap();
        let request = setting.get_request().unwrap();
        client
            .client
            .request_with(&mut Cx::new(world.now, &mut world.rng), true, |w| {
                request.write(w)
            })
            .unwrap();
        let later = world.now + Duration::from_secs(3);
        world.run_until(later, &mut [client, camera]);
        assert!(client.client.stats().av.rx_ioctl_repeated > 0);
        assert_eq!((client.replies.len(), client.messages), (1, 0));
    });
}

#[test]
fn requests_before_the_camera_has_let_us_in_are_refused() {
    let mut rng = tutk_testkit::rng(1);
    let (enr, mac) = (enr("sim-enr-16byte!!"), mac());
    let mut room = Room::new(0, 0);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let mut client = wyze_session::Client::new(
        &ClientConfig::new(uid(), &enr, &mac, &[]),
        room.storage(),
        cx,
    );
    let request = settings::lookup("night-vision")
        .unwrap()
        .get_request()
        .unwrap();
    assert_eq!(
        client.request_with(cx, true, |w| request.write(w)),
        Err(wyze_session::RequestError::NotReady)
    );
    let mut input = Datagram::new(addr(DEVICE), &mut []);
    assert!(!matches!(
        client.handle_datagram(cx, &mut input),
        Some(Event::Authenticated(_))
    ));
}
