//! The camera's side of the authentication.
//!
//! ```text
//!  AwaitHello ──K10000──► AwaitAnswer ──right answer──► Authenticated
//!       ▲                      │ wrong answer
//!       └──────────────────────┘  (the next K10000 gets a fresh challenge)
//! ```
//!
//! Applications repeat a request every second until it is answered. A repeated request gets the same reply: the same
//! challenge, or the same verdict.

use subtle::ConstantTimeEq;
use tutk_core::Secret;
use tutk_core::rand_core::CryptoRng;
use tutk_core::wire::{Malformed, Writer};

use crate::Stats;
use crate::challenge::{CHALLENGE_LEN, Status, answer};
use crate::command::{
    Challenge, Connect, ConnectAuth, ConnectUserAuth, ConnectUserAuth2, LoginReply, Verdict,
    write_reply,
};
use crate::hl::{Code, Message};
use crate::info::{CameraInfo, SdCard};
use crate::keys::{Enr, Mac};

/// Most characters of a model or a firmware version that the description carries.
const TEXT_MAX: usize = 32;

/// What the camera tells about itself once it has let someone in.
///
/// Of model and firmware, the first 32 visible ASCII characters count.
#[derive(Debug, Clone, Copy)]
pub struct CameraDescription<'a> {
    /// Model code, such as "HL_CAM4".
    pub model: &'a str,
    /// Firmware version, such as "4.52.9.4188".
    pub firmware: &'a str,
    /// MAC address.
    pub mac: &'a Mac,
    /// Whether it has video to give.
    pub video: bool,
    /// Whether it has audio to give.
    pub audio: bool,
    /// Protocol version, which tells applications which commands the camera knows.
    pub protocol: u8,
    /// Bit rate in the unit of the Wyze app, "KB/s".
    pub bit_rate: u16,
    /// Frames a second.
    pub fps: u16,
    /// SD card.
    pub sd_card: SdCard,
}

impl<'a> CameraDescription<'a> {
    /// A camera with video and audio, 20 frames a second, protocol version 36, that says nothing of an SD card.
    pub const fn new(model: &'a str, firmware: &'a str, mac: &'a Mac) -> Self {
        Self {
            model,
            firmware,
            mac,
            video: true,
            audio: true,
            protocol: 36,
            bit_rate: 120,
            fps: 20,
            sd_card: SdCard {
                status: None,
                capacity: None,
                free: None,
            },
        }
    }
}

/// What a [`Challenger`] must know.
#[derive(Debug, Clone, Copy)]
pub struct ChallengerConfig<'a> {
    /// The camera's ENR.
    pub enr: &'a Enr,
    /// The base station's ENR, for outdoor cameras behind one: it continues the camera's own for [`Status::Enr32`].
    pub parent_enr: Option<&'a Enr>,
    /// Which key the challenge takes, or the reason to give for not letting anyone in. [`Status::check`] tells whether
    /// it goes with the ENRs; if not, no answer is right.
    pub status: Status,
    /// What it tells about itself.
    pub info: CameraDescription<'a>,
}

/// What a request brought about. A reply waits in [`write_reply`](Challenger::write_reply) after each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ChallengerEvent {
    /// Nothing but that reply.
    ReplyWanted,
    /// The application proved itself, and wants these streams at once. Comes once.
    Authenticated {
        /// Whether it wants video.
        video: bool,
        /// Whether it wants audio.
        audio: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    AwaitHello,
    AwaitAnswer,
    Authenticated,
}

#[derive(Debug, Clone, Copy)]
enum Reply {
    Challenge,
    Verdict(ResponseTo, Verdict),
}

/// Which request the verdict answers.
#[derive(Debug, Clone, Copy)]
enum ResponseTo {
    K10002,
    K10006,
    K10008,
}

/// The camera's side of the authentication, as a machine that is handed requests and writes replies.
#[derive(Debug)]
pub struct Challenger {
    state: State,
    status: Status,
    enr: Enr,
    parent_enr: Option<Enr>,
    challenge: Secret<[u8; CHALLENGE_LEN]>,
    reply: Option<Reply>,
    model: heapless::String<TEXT_MAX>,
    firmware: heapless::String<TEXT_MAX>,
    mac: Mac,
    video: bool,
    audio: bool,
    protocol: u8,
    bit_rate: u16,
    fps: u16,
    sd_card: SdCard,
    stats: Stats,
}

impl Challenger {
    /// One that waits for K10000.
    pub fn new(config: &ChallengerConfig<'_>) -> Self {
        let info = &config.info;
        Self {
            state: State::AwaitHello,
            status: config.status,
            enr: config.enr.clone(),
            parent_enr: config.parent_enr.cloned(),
            challenge: Secret::default(),
            reply: None,
            model: visible(info.model),
            firmware: visible(info.firmware),
            mac: info.mac.clone(),
            video: info.video,
            audio: info.audio,
            protocol: info.protocol,
            bit_rate: info.bit_rate,
            fps: info.fps,
            sd_card: info.sd_card,
            stats: Stats::default(),
        }
    }

    /// Forgets the application, its challenge and the counters, and waits for the next K10000.
    pub fn reset(&mut self) {
        self.state = State::AwaitHello;
        self.challenge = Secret::default();
        self.reply = None;
        self.stats = Stats::default();
    }

    /// Takes in a request; `None`, and nothing changed, for one that does not belong to the authentication or cannot be
    /// read.
    ///
    /// After `Some`, call [`write_reply`](Self::write_reply).
    pub fn handle_message(
        &mut self,
        rng: &mut dyn CryptoRng,
        message: &Message<'_>,
    ) -> Option<ChallengerEvent> {
        let read = match message.code {
            Code::K10000 => return Some(self.handle_hello(rng)),
            Code::K10002 => message
                .request::<ConnectAuth>()
                .map(|auth| (auth, ResponseTo::K10002)),
            Code::K10006 => message
                .request::<ConnectUserAuth<'_>>()
                .map(|r| (r.auth, ResponseTo::K10006)),
            Code::K10008 => message
                .request::<ConnectUserAuth2<'_>>()
                .map(|r| (r.auth, ResponseTo::K10008)),
            _ => return None,
        };
        self.handle_answer(message.code, read)
    }

    /// Writes the reply that is due as a whole message, once, and says its code; `None` when none is due.
    ///
    /// No reply is longer than 512 bytes; if it did not fit into `out`, `out` fails to finish.
    pub fn write_reply(&mut self, out: &mut Writer<'_>) -> Option<Code> {
        let version = self.protocol;
        Some(match self.reply.take()? {
            Reply::Challenge => {
                let challenge = Challenge {
                    status: self.status,
                    challenge: *self.challenge.expose(),
                };
                write_reply::<Connect<'_>>(version, &challenge, out)
            }
            Reply::Verdict(to, verdict) => {
                let reply = LoginReply {
                    verdict,
                    info: self.description(),
                };
                match to {
                    ResponseTo::K10002 => write_reply::<ConnectAuth>(version, &reply, out),
                    ResponseTo::K10006 => write_reply::<ConnectUserAuth<'_>>(version, &reply, out),
                    ResponseTo::K10008 => write_reply::<ConnectUserAuth2<'_>>(version, &reply, out),
                }
            }
        })
    }

    /// What was dropped or refused so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    fn handle_hello(&mut self, rng: &mut dyn CryptoRng) -> ChallengerEvent {
        if self.state == State::AwaitHello {
            rng.fill_bytes(self.challenge.expose_mut());
            self.state = State::AwaitAnswer;
        }
        self.reply = Some(Reply::Challenge);
        ChallengerEvent::ReplyWanted
    }

    fn handle_answer(
        &mut self,
        code: Code,
        read: Result<(ConnectAuth, ResponseTo), Malformed>,
    ) -> Option<ChallengerEvent> {
        let (auth, to) = match read {
            Ok(read) => read,
            Err(why) => {
                tutk_core::debug!("dropped: {}: {}", code, why);
                self.stats.rx_malformed = self.stats.rx_malformed.wrapping_add(1);
                return None;
            }
        };
        let right = self.is_right(&auth.response);
        let verdict = if right {
            Verdict::Accepted
        } else {
            self.stats.rx_wrong_answer = self.stats.rx_wrong_answer.wrapping_add(1);
            Verdict::EnrRejected
        };
        self.reply = Some(Reply::Verdict(to, verdict));
        match (self.state, right) {
            (State::AwaitAnswer, true) => {
                self.state = State::Authenticated;
                return Some(ChallengerEvent::Authenticated {
                    video: auth.video,
                    audio: auth.audio,
                });
            }
            (State::AwaitAnswer, false) => self.state = State::AwaitHello,
            (State::AwaitHello | State::Authenticated, _) => {}
        }
        Some(ChallengerEvent::ReplyWanted)
    }

    /// Whether `response` answers the challenge that is out.
    fn is_right(&self, response: &[u8; CHALLENGE_LEN]) -> bool {
        let expected = answer(
            self.status,
            self.challenge.expose(),
            &self.enr,
            self.parent_enr.as_ref(),
        );
        self.state != State::AwaitHello
            && expected.is_ok_and(|expected| expected.expose().ct_eq(response).into())
    }

    fn description(&self) -> CameraInfo<'_> {
        let mut info = CameraInfo::describe(&self.model, &self.firmware, self.mac.as_str());
        info.video = Some(self.video);
        info.audio = Some(self.audio);
        info.video_settings.bit_rate = Some(self.bit_rate);
        info.video_settings.fps = Some(self.fps);
        info.sd_card = self.sd_card;
        info
    }
}

/// The visible ASCII characters of `text`, as many as fit.
fn visible(text: &str) -> heapless::String<TEXT_MAX> {
    let mut kept = heapless::String::new();
    for c in text.chars().filter(char::is_ascii_graphic) {
        if kept.push(c).is_err() {
            break;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    const ENR: &str = "0123456789abcdef0123456789abcdef";

    fn challenger(status: Status) -> Challenger {
        let mac = Mac::new("AABBCCDDEEFF").unwrap();
        Challenger::new(&ChallengerConfig {
            enr: &Enr::new(ENR).unwrap(),
            parent_enr: None,
            status,
            info: CameraDescription::new("HL_CAM4", "4.52.9.4188", &mac),
        })
    }

    fn ask(c: &mut Challenger, code: u16, payload: &[u8]) -> Option<ChallengerEvent> {
        let mut rng = ChaCha20Rng::from_rng(&mut rand_chacha::ChaCha8Rng::seed_from_u64(7));
        let message = Message {
            version: 5,
            code: Code(code),
            payload,
        };
        c.handle_message(&mut rng, &message)
    }

    fn reply(c: &mut Challenger) -> (Code, Vec<u8>) {
        let mut memory = [0u8; 512];
        let mut w = Writer::new(&mut memory);
        let code = c.write_reply(&mut w).unwrap();
        assert_eq!(c.write_reply(&mut Writer::new(&mut [])), None, "once");
        let m = Message::parse(w.finish().unwrap()).unwrap();
        assert_eq!((m.code, m.version), (code, 36));
        (code, m.payload.to_vec())
    }

    fn answer_to(c: &Challenger) -> Vec<u8> {
        let parent = c.parent_enr.as_ref();
        let right = answer(c.status, c.challenge.expose(), &c.enr, parent).unwrap();
        [&right.expose()[..], b"tag!\x01\x00\x00"].concat()
    }

    #[test]
    fn a_right_answer_is_let_in_once_and_repeats_get_the_same_reply() {
        for status in [Status::Default, Status::Enr16, Status::Enr32] {
            for code in [10002, 10006, 10008] {
                let mut c = challenger(status);
                assert_eq!(ask(&mut c, 10000, b""), Some(ChallengerEvent::ReplyWanted));
                let first = reply(&mut c);
                assert_eq!((first.0, first.1[0]), (Code::K10001, status.to_wire()));
                ask(&mut c, 10000, b"{}").unwrap();
                assert_eq!(reply(&mut c), first, "same challenge");

                let body = answer_to(&c);
                let event = ask(&mut c, code, &body);
                assert_eq!(
                    event,
                    Some(ChallengerEvent::Authenticated {
                        video: true,
                        audio: false
                    })
                );
                let verdict = reply(&mut c);
                assert_eq!(verdict.0, Code(code + 1));
                let info = CameraInfo::parse(&verdict.1).unwrap();
                assert_eq!(
                    (info.model, info.firmware),
                    (Some("HL_CAM4"), Some("4.52.9.4188"))
                );
                assert_eq!((info.video, info.audio), (Some(true), Some(true)));

                assert_eq!(ask(&mut c, code, &body), Some(ChallengerEvent::ReplyWanted));
                assert_eq!(reply(&mut c), verdict);
                ask(&mut c, 10000, b"").unwrap();
                assert_eq!(reply(&mut c), first);
            }
        }
    }

    #[test]
    fn a_wrong_answer_is_refused_and_burns_the_challenge() {
        let mut c = challenger(Status::Enr16);
        ask(&mut c, 10000, b"").unwrap();
        reply(&mut c);
        let right = answer_to(&c);
        let mut wrong = right.clone();
        wrong[15] ^= 1;
        assert_eq!(
            ask(&mut c, 10002, &wrong),
            Some(ChallengerEvent::ReplyWanted)
        );
        assert_eq!(reply(&mut c).1, b"{\"connectionRes\":\"2\"}");
        assert_eq!(
            ask(&mut c, 10002, &right),
            Some(ChallengerEvent::ReplyWanted)
        );
        assert_eq!(reply(&mut c).1, b"{\"connectionRes\":\"2\"}");
        assert_eq!(c.stats().rx_wrong_answer, 2);
    }

    #[test]
    fn an_answer_without_a_challenge_is_refused() {
        let mut c = challenger(Status::Default);
        let body = answer_to(&c); // to sixteen zero bytes
        assert_eq!(
            ask(&mut c, 10002, &body),
            Some(ChallengerEvent::ReplyWanted)
        );
        assert_eq!(reply(&mut c).1, b"{\"connectionRes\":\"2\"}");
    }

    #[test]
    fn statuses_that_forbid_entry_let_nobody_in() {
        for status in [
            Status::Updating,
            Status::CheckingEnr,
            Status::Off,
            Status::Unknown(9),
        ] {
            let mut c = challenger(status);
            ask(&mut c, 10000, b"").unwrap();
            assert_eq!(reply(&mut c).1[0], status.to_wire());
            assert_eq!(
                ask(&mut c, 10002, &[0; 22]),
                Some(ChallengerEvent::ReplyWanted)
            );
            assert_eq!(reply(&mut c).1, b"{\"connectionRes\":\"2\"}");
        }
    }

    #[test]
    fn malformed_and_foreign_requests_change_nothing() {
        let mut c = challenger(Status::Default);
        ask(&mut c, 10000, b"").unwrap();
        reply(&mut c);
        let body = answer_to(&c);
        assert_eq!(ask(&mut c, 10002, &body[..21]), None);
        assert_eq!(ask(&mut c, 10006, &body[..22]), None);
        assert_eq!(ask(&mut c, 10056, &body), None);
        assert_eq!(
            c.stats(),
            Stats {
                rx_malformed: 2,
                ..Stats::default()
            }
        );
        assert_eq!(c.write_reply(&mut Writer::new(&mut [])), None);
        assert!(matches!(
            ask(&mut c, 10002, &body),
            Some(ChallengerEvent::Authenticated { .. })
        ));
    }

    #[test]
    fn the_longest_description_fits_the_promised_size() {
        let (text, mac) = ("\\\"".repeat(40), Mac::new(&"F".repeat(32)).unwrap());
        let mut c = Challenger::new(&ChallengerConfig {
            enr: &Enr::new(ENR).unwrap(),
            parent_enr: None,
            status: Status::Default,
            info: CameraDescription {
                bit_rate: u16::MAX,
                fps: u16::MAX,
                sd_card: SdCard {
                    status: Some(u8::MAX),
                    capacity: Some(u32::MAX),
                    free: Some(u32::MAX),
                },
                ..CameraDescription::new(&text, &text, &mac)
            },
        });
        ask(&mut c, 10000, b"").unwrap();
        reply(&mut c);
        let body = answer_to(&c);
        ask(&mut c, 10002, &body).unwrap();
        serde_json::from_slice::<serde_json::Value>(&reply(&mut c).1).unwrap();
    }

    #[test]
    fn after_a_reset_the_next_viewer_starts_anew() {
        let mut c = challenger(Status::Enr16);
        ask(&mut c, 10000, b"").unwrap();
        reply(&mut c);
        let body = answer_to(&c);
        ask(&mut c, 10002, &body).unwrap();
        c.reset();
        assert_eq!(c.write_reply(&mut Writer::new(&mut [])), None);
        assert_eq!(format!("{c:?}"), format!("{:?}", challenger(Status::Enr16)));
        // The answer of the one before lets nobody in.
        assert_eq!(
            ask(&mut c, 10002, &body),
            Some(ChallengerEvent::ReplyWanted)
        );
        assert_eq!(reply(&mut c).1, b"{\"connectionRes\":\"2\"}");
        ask(&mut c, 10000, b"").unwrap();
        let body = answer_to(&c);
        assert!(matches!(
            ask(&mut c, 10002, &body),
            Some(ChallengerEvent::Authenticated { .. })
        ));
    }

    #[test]
    fn a_base_stations_enr_continues_the_cameras() {
        let (enr, parent) = ENR.split_at(16);
        let mac = Mac::new("AABBCCDDEEFF").unwrap();
        let config = ChallengerConfig {
            enr: &Enr::new(enr).unwrap(),
            parent_enr: None,
            status: Status::Enr32,
            info: CameraDescription::new("HL_WCO2", "4.48.4.9903", &mac),
        };
        let mut alone = Challenger::new(&config);
        let mut c = Challenger::new(&ChallengerConfig {
            parent_enr: Some(&Enr::new(parent).unwrap()),
            ..config
        });
        let mut whole = challenger(Status::Enr32);
        for c in [&mut alone, &mut c, &mut whole] {
            ask(c, 10000, b"").unwrap();
        }
        let body = answer_to(&whole); // the same challenge, as `ask` always seeds alike
        assert_eq!(
            ask(&mut alone, 10002, &body),
            Some(ChallengerEvent::ReplyWanted)
        );
        assert!(matches!(
            ask(&mut c, 10002, &body),
            Some(ChallengerEvent::Authenticated { .. })
        ));
    }

    #[test]
    fn debug_shows_no_secret() {
        let mut c = challenger(Status::Enr16);
        ask(&mut c, 10000, b"").unwrap();
        let shown = format!("{c:?}");
        assert!(
            !shown.contains("abcdef") && !shown.contains("AABB"),
            "{shown}"
        );
        assert!(shown.contains("challenge: ***"), "{shown}");
    }
}
