//! What a user reads when a session ends or a packet is not sent.

use tutk_core::Full;
use tutk_iotc::{Error, Framing, InvalidUid, Uid, WrapError};

#[test]
fn each_reason_reads_differently_and_says_what_to_do() {
    let mut texts: Vec<String> = [
        Error::NoAnswer,
        Error::OtherDevice,
        Error::NotConfirmed,
        Error::AliveTimeout,
        Error::PeerClosed,
        Full.into(),
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    let wrap = [
        WrapError::NotOpen,
        WrapError::TooLong { max: 1234 },
        Full.into(),
    ];
    texts.extend(wrap.iter().map(ToString::to_string));
    texts.push(InvalidUid.to_string());
    for (text, word) in texts.iter().zip([
        "UID",
        "another UID",
        "slots",
        "silent",
        "ended the session",
        "1500 bytes",
        "no IOTC session",
        "1234 bytes",
        "HEADROOM",
        "20 ASCII",
    ]) {
        assert!(text.contains(word), "{text}");
    }
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 10);
}

#[test]
fn framings_have_names() {
    assert_eq!(Framing::TransCode.to_string(), "TransCode");
    assert_eq!(Framing::Cc51.to_string(), "CC51");
}

#[test]
fn a_uid_is_shown_in_part_or_not_at_all() {
    let uid: Uid = "SIMCAMSIMCAMSIMCAM11".parse().unwrap();
    assert!(!format!("{uid:?}").contains("SIMCAMSIMCAMSIMCAM11"));
    for wrong in [
        "",
        "SIMCAMSIMCAMSIMCAM1",
        "SIMCAMSIMCAMSIMCAM111",
        "SIMCAMSIMCAMSIMCAM1-",
    ] {
        assert_eq!(wrong.parse::<Uid>(), Err(InvalidUid), "{wrong}");
    }
}
