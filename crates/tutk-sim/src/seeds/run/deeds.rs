//! What the viewer, the camera and the script do.

use std::net::SocketAddr;

use wyze_session::kauth::hl;
use wyze_session::{Camera, Client, Codec, Cx, LAN_PORT, Reconnect, TalkFrame, Transmit};

use super::{ASK, Deed, Run, Sabotage, Stage};
use crate::ends::{Cam, Viewer};
use crate::laws::{Lawful, Violation, frugal};
use crate::seeds::scenario::Act;
use crate::show::{Kind, SPEECH};

impl Run<'_> {
    pub(super) fn dial(&mut self) -> Lawful {
        self.dial_at = None;
        self.outcome.sessions += 1;
        self.asked.clear();
        self.missed.clear();
        self.talk = None;
        if let (Some(viewer), true) = (&mut self.viewer, self.resuming) {
            viewer.restart(&self.client, &mut self.random, self.now)?;
            self.outcome.deeds[Deed::Restarted as usize] += 1;
            self.say(|| "viewer: dials again".into());
            return Ok(());
        }
        let Some(room) = self.viewer_rooms.next() else {
            return Ok(());
        };
        self.say(|| "viewer: dials".into());
        self.encrypted = false;
        self.policy = Reconnect::new();
        let storage = room.storage(self.s.chunks, self.s.talk);
        let local = self.viewer_clock.local(self.now);
        let mut cx = Cx::new(local, &mut self.random);
        let config = &self.client;
        let client = frugal("Client::new", || Client::new(config, storage, &mut cx))?;
        self.viewer = Some(Viewer::new(
            client,
            self.viewer_addr,
            self.viewer_clock,
            self.s.show,
        ));
        Ok(())
    }

    pub(super) fn boot(&mut self) -> Lawful {
        self.boot_at = None;
        let Some(room) = self.camera_rooms.next() else {
            return Err(Violation(
                "the camera booted more often than the script says".into(),
            ));
        };
        self.say(|| "camera: boots".into());
        let storage = room.storage(false, self.s.talk);
        let local = self.camera_clock.local(self.now);
        let mut cx = Cx::new(local, &mut self.random);
        let config = &self.device;
        let camera = frugal("Camera::new", || Camera::new(config, storage, &mut cx))?;
        self.camera = Some(Cam::new(
            camera,
            self.camera_addr,
            self.camera_clock,
            self.s.show,
        ));
        Ok(())
    }

    pub(super) fn send_frame(&mut self, kind: Kind) -> Lawful {
        let (Some((session, _)), Some(camera)) = (self.session, &mut self.camera) else {
            return Ok(());
        };
        let id = self.sent.next(kind, session);
        if self.sabotage == Sabotage::Mute && self.stage != Stage::Rough {
            return Ok(());
        }
        let data = self.s.show.data(id);
        let Some(mut out) = camera.start(self.now, id, &data)? else {
            return Ok(());
        };
        let (wire, now, from) = (&mut self.wire, self.now, camera.addr);
        let mut send = |to, bytes: &[u8]| {
            wire.send(now, from, to, bytes);
        };
        while camera.packet(&mut self.random, now, &mut out, &mut send)? {}
        self.say(|| format!("camera: sends {id:?}"));
        Ok(())
    }

    /// Sends a frame of a talk.
    pub(super) fn say_something(&mut self, talk: u32) -> Lawful {
        let Some(viewer) = &mut self.viewer else {
            return Ok(());
        };
        let id = self.sent.next(Kind::Talk, talk);
        let data = self.s.show.data(id);
        let frame = TalkFrame {
            codec: Codec::Pcm16,
            format: SPEECH,
            micros: self.now as u32,
            data: &data,
        };
        let (mut memory, from) = ([0; 1500], viewer.addr);
        let buf = &mut memory;
        let out = viewer.with(&mut self.random, self.now, move |client, cx| {
            client.send_audio(cx, &frame, buf).ok()
        })?;
        if let Some(Transmit { to, datagram }) = out {
            self.wire.send(self.now, from, to, datagram);
        }
        Ok(())
    }

    pub(super) fn act(&mut self, act: Act) -> Lawful {
        self.say(|| format!("script: {act:?}"));
        let now = self.now;
        match act {
            Act::Weather(weather) => self.wire.weather = weather,
            Act::Stall { micros, lose } => {
                if lose {
                    self.wire.lose_all();
                }
                self.wire.stalled_until = now + micros;
            }
            Act::Reboot { micros } => {
                self.camera = None;
                self.session = None;
                self.boot_at = Some(now + micros);
                self.camera_addr.set_port(LAN_PORT);
                self.outcome.deeds[Deed::Rebooted as usize] += 1;
            }
            Act::MoveViewer { port } => {
                moved(&mut self.viewer_addr, port);
                if let Some(viewer) = &mut self.viewer {
                    viewer.addr = self.viewer_addr;
                }
            }
            Act::MoveCamera { port } => {
                moved(&mut self.camera_addr, port);
                if let Some(camera) = &mut self.camera {
                    camera.addr = self.camera_addr;
                }
            }
            Act::ViewerClock { micros } => {
                self.viewer_clock.jump(micros);
                if let Some(viewer) = &mut self.viewer {
                    viewer.clock = self.viewer_clock;
                }
            }
            Act::CameraClock { micros } => {
                self.camera_clock.jump(micros);
                if let Some(camera) = &mut self.camera {
                    camera.clock = self.camera_clock;
                }
            }
            Act::Close => {
                if let Some(viewer) = &mut self.viewer {
                    viewer.with(&mut self.random, now, |client, _| client.close())?;
                }
            }
            Act::Ask => self.ask()?,
            Act::Talk => self.switch_talk()?,
        }
        Ok(())
    }

    pub(super) fn ask(&mut self) -> Lawful {
        let Some(viewer) = &mut self.viewer else {
            return Ok(());
        };
        self.asks += 1;
        let body = self.asks.to_le_bytes();
        let asked = viewer.with(&mut self.random, self.now, |client, cx| {
            client.request_with(cx, true, |w| {
                hl::write(w, hl::CLIENT_VERSION, ASK, |w| w.bytes(&body));
                ASK
            })
        })?;
        if let Ok(id) = asked {
            self.asked.push((id, body.to_vec(), false));
        }
        Ok(())
    }

    pub(super) fn switch_talk(&mut self) -> Lawful {
        let Some(viewer) = &mut self.viewer else {
            return Ok(());
        };
        let stop = self.talk.take().is_some();
        viewer.with(&mut self.random, self.now, |client, cx| {
            let _ = match stop {
                true => client.stop_talk(cx),
                false => client.start_talk(cx),
            };
        })
    }
}

/// Another port, or another address.
fn moved(addr: &mut SocketAddr, port: bool) {
    match addr {
        SocketAddr::V4(addr) if !port => {
            let [a, b, c, d] = addr.ip().octets();
            addr.set_ip([a, b, c, d + 1].into());
        }
        addr => addr.set_port(addr.port() + 1),
    }
}
