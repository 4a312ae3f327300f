//! What the network brings, and what is sent in answer.

use std::net::SocketAddr;

use wyze_session::{Cause, LAN_PORT};

use super::{Deed, Run, Sabotage, VIEWER_AT};
use crate::laws::{Answer, CAMERA_ANSWER, Lawful, VIEWER_ANSWER, law};
use crate::wire::{Fate, Flying, Origin, reaches};

/// Datagrams that end a session: a goodbye on each of two channels and three closes.
const FAREWELL: usize = 5;

impl Run<'_> {
    pub(super) fn deliver(&mut self, flying: Flying) -> Lawful {
        let Flying {
            from,
            to,
            mut bytes,
            origin,
            ..
        } = flying;
        let len = bytes.len();
        let (viewer, camera) = (reaches(to, self.viewer_addr), self.reaches_camera(to));
        self.say(|| {
            let who = if viewer {
                "viewer"
            } else if camera {
                "camera"
            } else {
                "nobody"
            };
            format!("{from} -> {who}: {len} bytes, {origin:?}")
        });
        self.stalls = [(0, 0); 2];
        if self.sabotage == Sabotage::Lost && viewer && to != VIEWER_AT.into() {
            return Ok(());
        }
        let before = self.closed(viewer);
        let rng = &mut self.random;
        let seen = (self.s.hostile && origin == Origin::Genuine).then(|| bytes.clone());
        match (&mut self.viewer, &mut self.camera) {
            (Some(end), _) if viewer => end.receive(rng, self.now, from, &mut bytes)?,
            (_, Some(end)) if camera => end.receive(rng, self.now, from, &mut bytes)?,
            _ => return Ok(()),
        }
        self.outcome.datagrams += 1;
        if let Some(bytes) = seen {
            self.attacker.sees(from, to, &bytes);
        }
        let (mut answers, mut bytes) = self.transmit(origin == Origin::Hostile)?;
        self.none_in_the_past()?;
        if origin == Origin::Hostile {
            // What is due at the same moment belongs to the answer: all else that is due was done before.
            while self.serve_due(viewer)? {
                let (more, longer) = self.transmit(true)?;
                (answers, bytes) = (answers + more, bytes + longer);
            }
            answers += 2 * usize::from(self.sabotage == Sabotage::Chatty);
            bytes += 4 * len * usize::from(self.sabotage == Sabotage::Verbose);
            let most = if viewer { VIEWER_ANSWER } else { CAMERA_ANSWER };
            let ends = before.is_none() && self.closed(viewer).is_some();
            self.check_answer(len, answers, bytes, most, ends)?;
        }
        self.watch_peers()
    }

    /// How the session of the viewer or of the camera ended.
    fn closed(&self, viewer: bool) -> Option<Cause> {
        if viewer {
            self.viewer.as_ref()?.closed
        } else {
            self.camera.as_ref()?.closed
        }
    }

    /// Serves the timer of the viewer or of the camera, if it is due.
    fn serve_due(&mut self, viewer: bool) -> Lawful<bool> {
        let (now, rng) = (self.now, &mut self.random);
        let due = |at: Option<u64>| at.is_some_and(|at| at <= now);
        match (&mut self.viewer, &mut self.camera) {
            (Some(end), _) if viewer && due(end.deadline()) => end.timeout(rng, now)?,
            (_, Some(end)) if !viewer && due(end.deadline()) => end.timeout(rng, now)?,
            _ => return Ok(false),
        }
        self.served(usize::from(!viewer))?;
        Ok(true)
    }

    /// A camera in a session may have a port for it; where it is searched for stays the same.
    fn reaches_camera(&self, to: SocketAddr) -> bool {
        let idle = || {
            let camera = self.camera.as_ref();
            camera.is_some_and(|camera| camera.session.is_idle())
        };
        let home = SocketAddr::new(self.camera_addr.ip(), LAN_PORT);
        reaches(to, self.camera_addr) || (reaches(to, home) && idle())
    }

    /// Who moves is followed; and nobody follows the attacker, where he has nothing that the other end waits for.
    fn watch_peers(&mut self) -> Lawful {
        let (Some(viewer), Some(camera)) = (&self.viewer, &self.camera) else {
            self.peers = [None; 2];
            return Ok(());
        };
        let on = viewer.session.is_authenticated()
            && camera.session.is_authenticated()
            && viewer.closed.or(camera.closed).is_none();
        let mut peers = match on {
            true => [viewer.session.peer(), camera.session.peer()],
            false => [None; 2],
        };
        if self.sabotage == Sabotage::Seduced && self.attacker.sent > 0 {
            peers[1] = peers[1].map(|_| self.attacker.addr);
        }
        let before = std::mem::replace(&mut self.peers, peers);
        for (which, deed) in [(0, Deed::CameraFollowed), (1, Deed::ViewerFollowed)] {
            if let (Some(from), Some(to)) = (before[which], peers[which])
                && from != to
            {
                self.say(|| format!("{deed:?}: from {from} to {to}"));
                let sure = self.s.world.is_gentle() && !self.s.is_gullible();
                self.outcome.deeds[deed as usize] += u64::from(sure);
                law(to != self.attacker.addr || !sure, || {
                    format!("{deed:?}: to the attacker")
                })?;
            }
        }
        Ok(())
    }

    /// What nobody has authenticated is answered with little; or it `ends` a session, which then says goodbye.
    fn check_answer(
        &self,
        len: usize,
        answers: usize,
        bytes: usize,
        most: Answer,
        ends: bool,
    ) -> Lawful {
        if self.s.is_gullible() {
            // Everything counts as authenticated.
            return Ok(());
        }
        let ends = ends && answers <= FAREWELL;
        law(answers <= most.datagrams || ends, || {
            format!("{answers} datagrams in answer to one that nobody authenticated")
        })?;
        law(bytes as f64 <= most.times * len as f64 || ends, || {
            format!("{bytes} bytes in answer to {len} that nobody authenticated")
        })
    }

    /// Takes what both ends have to send; answers with how many datagrams and bytes.
    pub(super) fn transmit(&mut self, in_answer: bool) -> Lawful<(usize, usize)> {
        let (mut count, mut total) = (0, 0);
        let (wire, now, trace) = (&mut self.wire, self.now, self.trace);
        let mut send = |who: &str, from, to, bytes: &[u8]| {
            let fate = wire.send(now, from, to, bytes);
            count += 1;
            total += bytes.len();
            if trace {
                let (lost, why) = (
                    fate == Fate::Lost,
                    if in_answer { " in answer" } else { "" },
                );
                let fate = if lost { ", lost" } else { "" };
                println!(
                    "{:12.6}  {who} -> {to}: {} bytes{why}{fate}",
                    now as f64 / 1e6,
                    bytes.len()
                );
            }
        };
        if let Some(viewer) = &mut self.viewer {
            let from = viewer.addr;
            viewer.transmit(&mut self.random, now, |_, to, bytes| {
                send("viewer", from, to, bytes)
            })?;
        }
        if let Some(camera) = &mut self.camera {
            let from = camera.addr;
            camera.transmit(&mut self.random, now, |_, to, bytes| {
                send("camera", from, to, bytes)
            })?;
        }
        Ok((count, total))
    }
}
