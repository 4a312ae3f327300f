//! Bytes of a peer that means harm, or of a network that damages them: nothing panics, and nobody gets in by them.

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tutk_core::wire::Writer;
use wyze_kauth::command::{
    CheckCameraParams, Connect, ConnectAuth, ConnectUserAuth, ConnectUserAuth2, ControlChannel,
    GetVideoParams, SetResolvingBit, SetVideoParams,
};
use wyze_kauth::{
    AuthError, AuthEvent, Authenticator, AuthenticatorConfig, CameraDescription, CameraInfo,
    Challenger, ChallengerConfig, ChallengerEvent, Code, Enr, Hello, MAX_MESSAGE, Mac, Message,
    ResponseCommand, Status,
};

const ENR: &str = "0123456789abcdef0123456789abcdef";

fn authenticator(enr: &str) -> Authenticator {
    Authenticator::new(&AuthenticatorConfig {
        enr: &Enr::new(enr).unwrap(),
        parent_enr: None,
        mac: &Mac::new("AABBCCDDEEFF").unwrap(),
        video: true,
        audio: true,
        hello: Hello::WakeUp,
        command: ResponseCommand::K10002,
        open_user_id: None,
    })
}

fn challenger(status: Status) -> Challenger {
    Challenger::new(&ChallengerConfig {
        enr: &Enr::new(ENR).unwrap(),
        parent_enr: None,
        status,
        info: CameraDescription::new("HL_CAM4", "4.52.9.4188", &Mac::new("AABBCCDDEEFF").unwrap()),
    })
}

/// The next message of either side.
fn written(write: impl FnOnce(&mut Writer<'_>) -> Option<Code>) -> Option<Vec<u8>> {
    let mut memory = [0u8; MAX_MESSAGE];
    let mut w = Writer::new(&mut memory);
    write(&mut w)?;
    Some(w.finish().unwrap().to_vec())
}

/// Both sides talk until one has nothing to say. `spoil` sees every message on its way.
fn converse(
    app: &mut Authenticator,
    camera: &mut Challenger,
    mut spoil: impl FnMut(&mut Vec<u8>),
) -> (Result<bool, AuthError>, bool) {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let mut let_in = false;
    while let Some(mut request) = written(|w| app.poll_request(w)) {
        spoil(&mut request);
        if let Ok(m) = Message::parse(&request) {
            let event = camera.handle_message(&mut rng, &m);
            let_in |= matches!(event, Some(ChallengerEvent::Authenticated { .. }));
        }
        let Some(mut reply) = written(|w| camera.write_reply(w)) else {
            break;
        };
        spoil(&mut reply);
        let Ok(m) = Message::parse(&reply) else { break };
        match app.handle_message(&m) {
            Ok(Some(AuthEvent::Authenticated(_))) => return (Ok(true), let_in),
            Ok(_) => {}
            Err(why) => return (Err(why), let_in),
        }
    }
    (Ok(false), let_in)
}

#[test]
fn both_sides_agree_when_nothing_is_spoilt() {
    for status in [Status::Default, Status::Enr16, Status::Enr32] {
        let outcome = converse(&mut authenticator(ENR), &mut challenger(status), |_| ());
        assert_eq!(outcome, (Ok(true), true), "{status:?}");
    }
}

#[test]
fn a_wrong_enr_is_refused_where_the_challenge_takes_it() {
    let wrong = "0123456789abcdefX123456789abcdef";
    let outcome = converse(
        &mut authenticator(wrong),
        &mut challenger(Status::Enr32),
        |_| (),
    );
    assert_eq!(outcome, (Err(AuthError::EnrRejected), false));
    // The same characters 0 to 15 answer this one.
    let outcome = converse(
        &mut authenticator(wrong),
        &mut challenger(Status::Enr16),
        |_| (),
    );
    assert_eq!(outcome, (Ok(true), true));
}

fn json() -> Vec<u8> {
    let (mut app, mut camera) = (authenticator(ENR), challenger(Status::Default));
    let mut last = Vec::new();
    let outcome = converse(&mut app, &mut camera, |message| last = message.clone());
    assert_eq!(outcome, (Ok(true), true));
    last[16..].to_vec()
}

proptest! {
    #[test]
    fn nothing_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200), code in 9999u16..10060) {
        let _ = Message::parse(&bytes);
        let m = Message { version: 0, code: Code(code), payload: &bytes };
        let _ = (m.request::<Connect<'_>>(), m.request::<ConnectAuth>(), m.request::<ConnectUserAuth<'_>>());
        let _ = (m.request::<ConnectUserAuth2<'_>>(), m.request::<ControlChannel>(), m.request::<SetResolvingBit>());
        let _ = (m.request::<SetVideoParams>(), m.request::<CheckCameraParams<'_>>(), m.reply_to::<GetVideoParams>());
        if let Ok(params) = m.reply_to::<CheckCameraParams<'_>>() {
            params.get(1);
        }
        let _ = CameraInfo::parse(&bytes);
        let mut app = authenticator(ENR);
        written(|w| app.poll_request(w));
        let _ = app.handle_message(&m);
        let _ = challenger(Status::Enr16).handle_message(&mut ChaCha20Rng::seed_from_u64(1), &m);
    }

    #[test]
    fn damaged_json_never_panics_nor_turns_a_refusal_into_consent(
        at in 0usize..400, with in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b'{'), Just(b'['), Just(b'\\'), any::<u8>()], 1..6), cut in 0usize..400,
    ) {
        let mut bytes = json();
        for (slot, byte) in bytes.iter_mut().skip(at).zip(&with) {
            *slot = *byte;
        }
        bytes.truncate(cut);
        let _ = CameraInfo::parse(&bytes);
        let refusal = [&b"{\"connectionRes\":\"2\","[..], &bytes].concat();
        prop_assert_eq!(CameraInfo::parse(&refusal), Err(AuthError::EnrRejected));
    }

    #[test]
    fn a_spoilt_answer_lets_nobody_in(at in 16usize..32, flip in 1u8..) {
        let (mut app, mut camera) = (authenticator(ENR), challenger(Status::Enr32));
        let outcome = converse(&mut app, &mut camera, |message| {
            if Message::parse(message).unwrap().code == Code::K10002 {
                message[at] ^= flip;
            }
        });
        prop_assert_eq!(outcome, (Err(AuthError::EnrRejected), false));
    }

    #[test]
    fn a_message_that_is_cut_or_changed_never_makes_the_sides_disagree_about_entry(which in 0usize..4, cut in 0usize..300, flip in any::<u8>()) {
        let (mut app, mut camera) = (authenticator(ENR), challenger(Status::Enr32));
        let mut count = 0;
        let (app_in, camera_in) = converse(&mut app, &mut camera, |message| {
            if count == which {
                message.truncate(cut);
                if let Some(last) = message.last_mut() {
                    *last ^= flip;
                }
            }
            count += 1;
        });
        prop_assert!(app_in != Ok(true) || camera_in);
    }
}
