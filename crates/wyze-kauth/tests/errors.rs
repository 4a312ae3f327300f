//! What a user reads when a camera does not let us in, or does not take a command.

use tutk_testkit::differ;
use wyze_kauth::command::TooManyPoints;
use wyze_kauth::settings::{PtzRequest, SettingError, Values, lookup};
use wyze_kauth::{AuthError, Code, CredentialError, Enr, Mac, OpenUserId, Unsupported};

#[test]
fn each_way_not_to_be_let_in_reads_differently() {
    let texts = [
        AuthError::CameraUpdating,
        AuthError::CheckingEnr,
        AuthError::CameraOff,
        AuthError::UnknownStatus(77),
        AuthError::EnrTooShort,
        AuthError::EnrRejected,
        AuthError::Rejected,
        AuthError::UnreadableReply,
    ]
    .map(|error| error.to_string());
    let words = [
        "updating",
        "cloud",
        "off",
        "77",
        "32 characters",
        "anew",
        "refused",
        "verdict",
    ];
    differ(&texts, &words);
}

#[test]
fn each_impossible_credential_is_named() {
    let long = "x".repeat(65);
    let texts = [
        Enr::new("short").unwrap_err(),
        Enr::new("with a blank inside").unwrap_err(),
        Mac::new("").unwrap_err(),
        Mac::new("AA:BB").unwrap_err(),
        OpenUserId::new(&long).unwrap_err(),
        OpenUserId::new("a b").unwrap_err(),
    ]
    .map(|error: CredentialError| error.to_string());
    let words = [
        "16 to 64",
        "blank",
        "1 to 32",
        "colons",
        "at most 64",
        "user id holds",
    ];
    differ(&texts, &words);
}

#[test]
fn each_reason_against_a_command_reads_differently() {
    let texts = [
        Unsupported::Protocol { has: 3, from: 21 },
        Unsupported::UseInstead(Code(10056)),
        Unsupported::NoMotor,
        Unsupported::NoDoorbell,
        Unsupported::NoBattery,
        Unsupported::OtherProtocol("it speaks WebRTC"),
    ]
    .map(|why| why.to_string());
    let words = [
        "version 3, and this needs 21",
        "K10056",
        "motor",
        "doorbell",
        "battery",
        "WebRTC",
    ];
    differ(&texts, &words);
}

#[test]
fn a_setting_that_refuses_a_value_lists_those_it_takes() {
    let texts = [
        SettingError::NotAllowed(Values::Words(&[("on", 1), ("off", 2)])),
        SettingError::NotAllowed(Values::Range(30, 240)),
        SettingError::ReadOnly,
        SettingError::WriteOnly,
    ]
    .map(|error| error.to_string());
    differ(
        &texts,
        &["on, off", "30 to 240", "only be read", "only be set"],
    );
    assert!(lookup("no-such-setting").is_none());
}

#[test]
fn a_word_that_turns_no_camera_is_answered_with_those_that_do() {
    let texts = [
        PtzRequest::parse("jump", &[], 0).unwrap_err().to_string(),
        PtzRequest::parse("turn", &[], 0).unwrap_err().to_string(),
        PtzRequest::parse("home", &["1"], 0)
            .unwrap_err()
            .to_string(),
        TooManyPoints.to_string(),
    ];
    differ(
        &texts,
        &[
            "one of: ",
            "\"turn\" is followed by",
            "nothing follows \"home\"",
            "at most 16",
        ],
    );
}
