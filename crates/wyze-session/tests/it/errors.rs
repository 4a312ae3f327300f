//! What a user reads when a session or a talk ends, or a call is refused.

use tutk_testkit::differ;
use wyze_session::kauth::AuthError;
use wyze_session::{Cause, MediaError, RequestError, TalkEnd, TalkError};

#[test]
fn each_end_of_a_session_reads_differently_and_says_what_to_do() {
    let texts = [
        Cause::Local,
        Cause::Peer,
        Cause::NoAnswer,
        Cause::OtherDevice,
        Cause::Refused,
        Cause::WrongKey,
        Cause::Secure(tutk_dtls::Error::BadFinished),
        Cause::Exhausted,
        Cause::LoginTimeout,
        Cause::Unencrypted,
        Cause::Auth(AuthError::CameraOff),
        Cause::AuthTimeout,
        Cause::Lost,
        Cause::Stalled,
        Cause::BufferTooSmall,
    ]
    .map(|cause| cause.to_string());
    let words = [
        "by us",
        "by the camera",
        "powered",
        "another camera",
        "slots",
        "ENR",
        "tampered",
        "connect again",
        "AV login",
        "firmware",
        "switched off",
        "challenge",
        "ten seconds",
        "stopped sending",
        "1500 bytes",
    ];
    differ(&texts, &words);
}

#[test]
fn each_end_of_a_talk_reads_differently() {
    let texts = [
        TalkEnd::Local,
        TalkEnd::Peer,
        TalkEnd::NoReply,
        TalkEnd::Timeout,
        TalkEnd::Failed(Cause::Lost),
    ]
    .map(|end| end.to_string());
    differ(
        &texts,
        &[
            "by us",
            "other side",
            "speaker",
            "five seconds",
            "ten seconds",
        ],
    );
}

#[test]
fn each_refused_call_says_what_to_do() {
    let texts = [
        RequestError::NotReady,
        RequestError::Busy,
        RequestError::TooLong,
        RequestError::Unsupported,
        RequestError::TalkActive,
        RequestError::NoTalk,
    ]
    .map(|error| error.to_string());
    let words = [
        "let us in",
        "too many",
        "too long",
        "memory",
        "under way",
        "no talk",
    ];
    differ(&texts, &words);
    let texts = [
        TalkError::NotReady.to_string(),
        TalkError::TooLarge { max: 984 }.to_string(),
        TalkError::BufferTooSmall.to_string(),
        MediaError::NotWanted.to_string(),
        MediaError::TooLong { max: 1024 }.to_string(),
    ];
    differ(
        &texts,
        &[
            "start one",
            "984 bytes",
            "1500 bytes",
            "not asked for",
            "1024 bytes",
        ],
    );
}
