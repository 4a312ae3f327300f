//! The application's side of the authentication.
//!
//! ```text
//!  Hello ──K10000──► AwaitChallenge ──K10001──► Answer ──K10002──► AwaitVerdict ──K10003──► Done
//!                          │ status 2, 4, 5, ?                          │ connectionRes "2", ?
//!                          └──────────────────────► Failed ◄────────────┘
//! ```
//!
//! Repetition is the caller's: it keeps the bytes of a request until a message with the reply's code comes.
//!
//! One challenge is answered in the life of an [`Authenticator`], after which it has wiped the ENR. So a peer that got
//! this far cannot make it decrypt blocks of its choice. A challenge that comes again is ignored, the same one because
//! its answer is being repeated anyway.

use core::fmt;

use tutk_core::Secret;
use tutk_core::wire::Writer;

use crate::Stats;
use crate::challenge::{CHALLENGE_LEN, answer};
use crate::command::{
    Challenge, Connect, ConnectAuth, ConnectUserAuth, Decode, Encode, write_request,
};
use crate::hl::{self, CLIENT_VERSION, Code, Message};
use crate::info::CameraInfo;
use crate::keys::{Enr, Mac, OpenUserId};

/// What K10000 says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Hello {
    /// Nothing.
    Empty,
    /// That we would like audio as PCM µ-law, A-law or plain PCM, which everything plays.
    #[default]
    AudioCodecs,
    /// That an outdoor camera shall wake up, named by its MAC.
    WakeUp,
}

/// Which K-command answers the challenge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ResponseCommand {
    /// K10002, which all tested firmware takes.
    #[default]
    K10002,
    /// K10006, with the user's id.
    K10006,
    /// K10008, with the user's id.
    K10008,
}

impl ResponseCommand {
    const fn code(self) -> Code {
        match self {
            Self::K10002 => Code::K10002,
            Self::K10006 => Code::K10006,
            Self::K10008 => Code::K10008,
        }
    }
}

/// What an [`Authenticator`] must know.
#[derive(Debug, Clone, Copy)]
pub struct AuthenticatorConfig<'a> {
    /// The camera's ENR.
    pub enr: &'a Enr,
    /// The ENR of its base station, for outdoor cameras.
    pub parent_enr: Option<&'a Enr>,
    /// The camera's MAC.
    pub mac: &'a Mac,
    /// Whether video shall start with the verdict.
    pub video: bool,
    /// Whether audio shall start with the verdict.
    pub audio: bool,
    /// What K10000 says.
    pub hello: Hello,
    /// Which K-command answers the challenge.
    pub command: ResponseCommand,
    /// The user id that K10006 and K10008 carry; without, they carry an empty one.
    pub open_user_id: Option<&'a OpenUserId>,
}

/// Why the camera does not let us in. Final: another attempt takes a new session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AuthError {
    /// Status 2.
    CameraUpdating,
    /// Status 4.
    CheckingEnr,
    /// Status 5.
    CameraOff,
    /// A status whose meaning is not known.
    UnknownStatus(u8),
    /// Status 6 wants 32 characters, and ENR and base station's ENR together have fewer.
    EnrTooShort,
    /// connectionRes "2".
    EnrRejected,
    /// A connectionRes whose meaning is not known.
    Rejected,
    /// A verdict without connectionRes.
    UnreadableReply,
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CameraUpdating => "the camera is updating its firmware; try again in a few minutes",
            Self::CheckingEnr => {
                "the camera is still checking its ENR with the Wyze cloud; give it internet access and try again in a minute"
            }
            Self::CameraOff => "the camera is switched off; switch it on in the Wyze app",
            Self::UnknownStatus(status) => {
                return write!(
                    f,
                    "the camera reports status {status}, which we don't know; restart it, and report its model and firmware"
                );
            }
            Self::EnrTooShort => {
                "the camera wants an ENR of 32 characters; use its whole ENR, or give the ENR of its base station too"
            }
            Self::EnrRejected => {
                "the camera refused the ENR; it changes when the camera is set up anew, so read it again from the Wyze account"
            }
            Self::Rejected => {
                "the camera refused the login for a reason we don't know; restart it, and report its model and firmware"
            }
            Self::UnreadableReply => {
                "the camera's verdict on the login can't be read; report its model and firmware"
            }
        })
    }
}

impl core::error::Error for AuthError {}

/// What a message brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AuthEvent<'p> {
    /// The camera let us in and described itself; media follow as asked for.
    Authenticated(CameraInfo<'p>),
}

#[derive(Debug)]
enum State {
    /// K10000 is to be sent.
    Hello,
    /// It was; K10001 is to come.
    AwaitChallenge,
    /// The answer is to be sent.
    Answer(Secret<[u8; CHALLENGE_LEN]>),
    /// It was; the verdict is to come.
    AwaitVerdict,
    /// We are in.
    Done,
    /// We are not.
    Failed,
}

/// What the answer is computed from. Wiped once the challenge has come.
#[derive(Debug)]
struct Keys {
    enr: Enr,
    parent: Option<Enr>,
}

/// The application's side of the authentication, as a machine that is handed messages and writes messages.
#[derive(Debug)]
pub struct Authenticator {
    state: State,
    keys: Option<Keys>,
    mac: Mac,
    video: bool,
    audio: bool,
    hello: Hello,
    command: ResponseCommand,
    open_user_id: OpenUserId,
    stats: Stats,
}

impl Authenticator {
    /// One that has K10000 to send.
    pub fn new(config: &AuthenticatorConfig<'_>) -> Self {
        Self {
            state: State::Hello,
            keys: Some(Keys {
                enr: config.enr.clone(),
                parent: config.parent_enr.cloned(),
            }),
            mac: config.mac.clone(),
            video: config.video,
            audio: config.audio,
            hello: config.hello,
            command: config.command,
            open_user_id: config.open_user_id.cloned().unwrap_or_default(),
            stats: Stats::default(),
        }
    }

    /// Writes the next whole message, once, and says its code; `None` when there is none to send.
    ///
    /// No message is longer than 160 bytes. Keep it and repeat it until its reply comes; if it did not fit into `out`,
    /// `out` fails to finish and the message is lost.
    pub fn poll_request(&mut self, out: &mut Writer<'_>) -> Option<Code> {
        match &self.state {
            State::Hello => {
                self.write_hello(out);
                self.state = State::AwaitChallenge;
                Some(Code::K10000)
            }
            // Wiped where it lies, not moved out: that would leave a copy behind.
            State::Answer(response) => {
                let code = self.write_answer(response, out);
                self.state = State::AwaitVerdict;
                Some(code)
            }
            _ => None,
        }
    }

    /// Takes in a message. One that does not belong to the authentication changes nothing and is answered `Ok(None)`.
    ///
    /// Call [`poll_request`](Self::poll_request) afterwards.
    ///
    /// # Errors
    /// The camera does not let us in. This object is finished.
    pub fn handle_message<'p>(
        &mut self,
        message: &Message<'p>,
    ) -> Result<Option<AuthEvent<'p>>, AuthError> {
        if !message.code.is_auth() {
            return Ok(None);
        }
        let result = match &self.state {
            State::AwaitChallenge if message.code == Code::K10001 => {
                self.handle_challenge(message.payload).map(|()| None)
            }
            State::AwaitVerdict if message.code == self.command.code().reply() => {
                self.state = State::Done;
                CameraInfo::parse(message.payload).map(|info| Some(AuthEvent::Authenticated(info)))
            }
            _ => {
                tutk_core::debug!("dropped: {} out of turn", message.code);
                self.stats.rx_unexpected = self.stats.rx_unexpected.wrapping_add(1);
                Ok(None)
            }
        };
        if result.is_err() {
            self.state = State::Failed;
            self.keys = None;
        }
        result
    }

    /// What was dropped so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    fn handle_challenge(&mut self, payload: &[u8]) -> Result<(), AuthError> {
        let Some(keys) = &self.keys else {
            return Ok(());
        };
        let Ok(Challenge { status, challenge }) = Challenge::decode(payload) else {
            tutk_core::debug!("dropped: K10001 of {} bytes", payload.len());
            self.stats.rx_malformed = self.stats.rx_malformed.wrapping_add(1);
            return Ok(());
        };
        let response = answer(status, &challenge, &keys.enr, keys.parent.as_ref())?;
        self.state = State::Answer(response);
        self.keys = None;
        Ok(())
    }

    fn write_hello(&self, out: &mut Writer<'_>) {
        match self.hello {
            Hello::Empty => {
                write_request(&Connect { json: b"" }, out);
            }
            Hello::AudioCodecs => {
                let json = br#"{"cameraInfo":{"audioEncoderList":[137,138,140]}}"#;
                write_request(&Connect { json }, out);
            }
            // A MAC has no character that JSON would escape.
            Hello::WakeUp => hl::write(out, CLIENT_VERSION, Code::K10000, |w| {
                w.bytes(br#"{"cameraInfo":{"mac":""#);
                w.bytes(self.mac.as_str().as_bytes());
                w.bytes(br#"","encFlag":0,"wakeupFlag":1}}"#);
            }),
        }
    }

    fn write_answer(&self, response: &Secret<[u8; CHALLENGE_LEN]>, out: &mut Writer<'_>) -> Code {
        let auth = ConnectAuth {
            response: *response.expose(),
            tag: self
                .mac
                .as_str()
                .as_bytes()
                .first_chunk()
                .copied()
                .unwrap_or_default(),
            video: self.video,
            audio: self.audio,
        };
        let open_user_id = self.open_user_id.as_str().as_bytes();
        let code = self.command.code();
        hl::write(out, CLIENT_VERSION, code, |w| match self.command {
            ResponseCommand::K10002 => auth.encode(w),
            // The two are alike.
            ResponseCommand::K10006 | ResponseCommand::K10008 => {
                ConnectUserAuth { auth, open_user_id }.encode(w);
            }
        });
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenge::Status;

    const ENR: &str = "0123456789abcdef0123456789abcdef";
    /// The vectors' challenge.
    const CHALLENGE: [u8; 16] =
        *b"\x00\xe1\xd2\xc3\xb4\xa5\x96\x87\x78\x69\x5a\x4b\x3c\x2d\x1e\x0f";

    fn authenticator(enr: &str, hello: Hello, command: ResponseCommand) -> Authenticator {
        Authenticator::new(&AuthenticatorConfig {
            enr: &Enr::new(enr).unwrap(),
            parent_enr: None,
            mac: &Mac::new("aabbccddeeff").unwrap(),
            video: true,
            audio: false,
            hello,
            command,
            open_user_id: None,
        })
    }

    fn poll(a: &mut Authenticator) -> Option<(Code, Vec<u8>)> {
        let mut memory = [0u8; 160];
        let mut w = Writer::new(&mut memory);
        let code = a.poll_request(&mut w)?;
        let bytes = w.finish().unwrap();
        let m = Message::parse(bytes).unwrap();
        assert_eq!((m.version, m.code), (CLIENT_VERSION, code));
        Some((code, m.payload.to_vec()))
    }

    fn challenge(status: u8, challenge: [u8; 16]) -> Vec<u8> {
        [&[status][..], &challenge].concat()
    }

    fn handle<'p>(
        a: &mut Authenticator,
        code: u16,
        payload: &'p [u8],
    ) -> Result<Option<AuthEvent<'p>>, AuthError> {
        a.handle_message(&Message {
            version: 36,
            code: Code(code),
            payload,
        })
    }

    #[test]
    fn hello_says_what_the_configuration_says() {
        for (hello, json) in [
            (Hello::Empty, ""),
            (
                Hello::AudioCodecs,
                r#"{"cameraInfo":{"audioEncoderList":[137,138,140]}}"#,
            ),
            (
                Hello::WakeUp,
                r#"{"cameraInfo":{"mac":"AABBCCDDEEFF","encFlag":0,"wakeupFlag":1}}"#,
            ),
        ] {
            let mut a = authenticator(ENR, hello, ResponseCommand::K10002);
            assert_eq!(poll(&mut a), Some((Code::K10000, json.as_bytes().to_vec())));
            assert_eq!(poll(&mut a), None, "once");
        }
    }

    #[test]
    fn the_answer_goes_out_under_the_chosen_command() {
        for (command, code, tail) in [
            (ResponseCommand::K10002, 10002, &b"AABB\x01\x00"[..]),
            (ResponseCommand::K10006, 10006, &b"AABB\x01\x00\x00"[..]),
            (ResponseCommand::K10008, 10008, &b"AABB\x01\x00\x00"[..]),
        ] {
            let mut a = authenticator(ENR, Hello::Empty, command);
            poll(&mut a).unwrap();
            assert_eq!(handle(&mut a, 10001, &challenge(6, CHALLENGE)), Ok(None));
            let response = hex::decode("fbcce3120a41d045950880f491675821").unwrap();
            assert_eq!(
                poll(&mut a),
                Some((Code(code), [&response[..], tail].concat()))
            );
            assert_eq!(poll(&mut a), None);
            // The verdict on another command is not ours.
            assert_eq!(
                handle(&mut a, 10005, b"{\"connectionRes\":\"2\"}"),
                Ok(None)
            );
            let verdict = handle(&mut a, code + 1, b"{\"connectionRes\":\"1\"}");
            assert_eq!(
                verdict,
                Ok(Some(AuthEvent::Authenticated(CameraInfo::default())))
            );
            assert_eq!(
                handle(&mut a, code + 1, b"{\"connectionRes\":\"2\"}"),
                Ok(None),
                "repeated"
            );
        }
    }

    #[test]
    fn the_user_id_stands_at_the_end_of_the_answer() {
        for (command, length) in [
            (ResponseCommand::K10002, 22),
            (ResponseCommand::K10006, 31),
            (ResponseCommand::K10008, 31),
        ] {
            let id = OpenUserId::new("user-id8").unwrap();
            let mut a = Authenticator::new(&AuthenticatorConfig {
                enr: &Enr::new(ENR).unwrap(),
                parent_enr: None,
                mac: &Mac::new("aabbccddeeff").unwrap(),
                video: true,
                audio: false,
                hello: Hello::Empty,
                command,
                open_user_id: Some(&id),
            });
            poll(&mut a).unwrap();
            handle(&mut a, 10001, &challenge(6, CHALLENGE)).unwrap();
            let (_, body) = poll(&mut a).unwrap();
            assert_eq!(body.len(), length);
            assert_eq!(body.ends_with(b"\x08user-id8"), length == 31);
        }
    }

    #[test]
    fn each_status_that_forbids_entry_is_its_own_error() {
        let mut seen = std::collections::HashSet::new();
        for (status, error) in [
            (2, AuthError::CameraUpdating),
            (4, AuthError::CheckingEnr),
            (5, AuthError::CameraOff),
            (0, AuthError::UnknownStatus(0)),
            (7, AuthError::UnknownStatus(7)),
        ] {
            // With a challenge and without one.
            for payload in [challenge(status, CHALLENGE), vec![status]] {
                let mut a = authenticator(ENR, Hello::Empty, ResponseCommand::K10002);
                poll(&mut a).unwrap();
                assert_eq!(handle(&mut a, 10001, &payload), Err(error));
                assert_eq!(poll(&mut a), None, "finished");
                assert_eq!(handle(&mut a, 10001, &challenge(1, CHALLENGE)), Ok(None));
            }
            assert!(seen.insert(error.to_string()), "{error}");
        }
    }

    #[test]
    fn a_short_enr_cannot_answer_status_6() {
        let mut a = authenticator(&ENR[..16], Hello::Empty, ResponseCommand::K10002);
        poll(&mut a).unwrap();
        assert_eq!(
            handle(&mut a, 10001, &challenge(6, CHALLENGE)),
            Err(AuthError::EnrTooShort)
        );
    }

    #[test]
    fn only_one_challenge_is_ever_answered() {
        let mut a = authenticator(ENR, Hello::Empty, ResponseCommand::K10002);
        assert_eq!(
            handle(&mut a, 10001, &challenge(3, CHALLENGE)),
            Ok(None),
            "before we asked"
        );
        poll(&mut a).unwrap();
        handle(&mut a, 10001, &challenge(3, CHALLENGE)).unwrap();
        // Another one before the answer went out, and after.
        handle(&mut a, 10001, &challenge(3, [9; 16])).unwrap();
        let (_, body) = poll(&mut a).unwrap();
        assert_eq!(
            body[..16],
            hex::decode("29ecfbc95fdbb2e20db33eeff528daa4").unwrap()
        );
        for second in [CHALLENGE, [9; 16]] {
            handle(&mut a, 10001, &challenge(3, second)).unwrap();
            assert_eq!(poll(&mut a), None);
        }
        assert_eq!(a.stats().rx_unexpected, 4);
    }

    #[test]
    fn malformed_challenges_and_other_messages_change_nothing() {
        let mut a = authenticator(ENR, Hello::Empty, ResponseCommand::K10002);
        poll(&mut a).unwrap();
        assert_eq!(handle(&mut a, 10001, b""), Ok(None));
        assert_eq!(
            handle(&mut a, 10001, &challenge(1, CHALLENGE)[..16]),
            Ok(None)
        );
        assert_eq!(handle(&mut a, 10057, b"\x01"), Ok(None));
        assert_eq!(
            a.stats(),
            Stats {
                rx_malformed: 2,
                ..Stats::default()
            }
        );
        handle(&mut a, 10001, &challenge(1, CHALLENGE)).unwrap();
        assert_eq!(poll(&mut a).unwrap().0, Code::K10002);
    }

    #[test]
    fn only_k10001_is_read_as_a_challenge() {
        let mut a = authenticator(ENR, Hello::Empty, ResponseCommand::K10002);
        poll(&mut a).unwrap();
        for code in [10000, 10002, 10003, 10005, 10007, 10009] {
            assert_eq!(handle(&mut a, code, &challenge(1, CHALLENGE)), Ok(None));
            // A status that would end the login.
            assert_eq!(handle(&mut a, code, &challenge(5, CHALLENGE)), Ok(None));
        }
        assert_eq!(poll(&mut a), None);
        assert_eq!(a.stats().rx_unexpected, 12);
    }

    #[test]
    fn debug_shows_no_secret_in_any_state() {
        let mut a = authenticator("SecretSecretSecret", Hello::WakeUp, ResponseCommand::K10002);
        let mut shown = format!("{a:?}");
        poll(&mut a).unwrap();
        shown += &format!("{a:?}");
        handle(
            &mut a,
            10001,
            &challenge(Status::Enr16.to_wire(), CHALLENGE),
        )
        .unwrap();
        shown += &format!("{a:?}");
        assert!(shown.contains("Answer(***)"), "{shown}");
        assert!(
            !shown.contains("Secret") && !shown.contains("AABB"),
            "{shown}"
        );
    }
}
