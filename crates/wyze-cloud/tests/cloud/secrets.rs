//! No secret leaves by a side door.

use std::fmt::Write;
use std::sync::Mutex;

use log::{Level, LevelFilter, Log, Metadata, Record};
use wyze_cloud::{Error, Login, Store, Tokens};

use crate::server::Reply;
use crate::service::*;

/// Takes whatever anyone in this process logs, other tests and the libraries below included, at every level; except the
/// HTTP library's `trace`, which shows the query of the request for an SMS and which programs are told to leave off.
struct Tape(Mutex<String>);

static TAPE: Tape = Tape(Mutex::new(String::new()));

impl Log for Tape {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Debug || !metadata.target().starts_with("ureq")
    }
    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut tape = self.0.lock().unwrap();
        writeln!(
            tape,
            "{} {}: {}",
            record.level(),
            record.target(),
            record.args()
        )
        .unwrap();
    }
    fn flush(&self) {}
}

const SECRETS: [&str; 16] = [
    EMAIL,
    PASSWORD_HASH,
    KEY_ID,
    API_KEY,
    APP_KEY,
    USER_ID,
    TOTP_APP,
    SMS_OFFER,
    SMS_SENT,
    CODE,
    ENR,
    UID,
    MAC,
    "access-",
    "refresh-",
    "enr-of",
];

fn clean(text: &str) {
    for secret in SECRETS {
        if let Some(at) = text.find(secret) {
            let line = text[..at].lines().count();
            panic!("{secret} in {:?}", text.lines().nth(line.saturating_sub(1)));
        }
        let percent = secret.replace('+', "%2B").replace('/', "%2F");
        assert!(!text.contains(&percent), "{percent}");
    }
}

#[test]
fn nothing_secret_is_logged_or_shown() {
    log::set_logger(&TAPE).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let mut shown = String::new();
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let service = Service::start(State {
        factor: Factor::Both,
        ..State::default()
    });
    let client = &service.client;
    let account = account();
    let Login::SecondFactor(factor) = client.login(&account).unwrap() else {
        panic!("no second factor");
    };
    let wrong = client.login_totp(&factor, "000000").unwrap_err();
    let sms = client.send_sms_code(&factor).unwrap();
    let mut tokens = client.login_sms(&factor, &sms, CODE).unwrap();
    service.state.lock().unwrap().generation += 1;
    let expired = client.list_cameras(&mut tokens).unwrap_err();
    tokens = Tokens::new("access-old", "refresh-2");
    let cameras = client.list_cameras(&mut tokens).unwrap();
    service.state.lock().unwrap().instead = Some(Reply::json(400, &error_code(1001)));
    let refused = client.login(&account).unwrap_err();
    let urls: Vec<_> = cameras.iter().map(|camera| camera.url()).collect();
    assert!(
        urls[0].as_ref().unwrap().expose().contains(UID),
        "the URL is the one way out"
    );
    writeln!(
        shown,
        "{account:?} {factor:?} {sms:?} {tokens:?} {cameras:?} {client:?} {urls:?}"
    )
    .unwrap();
    writeln!(
        shown,
        "{:?} {:?}",
        service.phone_id,
        Login::SecondFactor(factor)
    )
    .unwrap();
    for error in [wrong, expired, refused] {
        writeln!(shown, "{error} {error:?}").unwrap();
    }
    assert_eq!(
        [wrong, expired, refused],
        [Error::WrongCode, Error::Expired, Error::WrongPassword]
    );
    store.set_tokens(tokens).unwrap();
    store.set_cameras(cameras).unwrap();
    writeln!(shown, "{store:?} {}", store.find("Nowhere").unwrap_err()).unwrap();
    clean(&shown);
    assert!(!shown.contains(service.phone_id.as_str()));

    let tape = TAPE.0.lock().unwrap().clone();
    assert!(tape.contains("DEBUG ureq::run: POST"), "{tape}");
    assert!(
        tape.contains("wyze_cloud::http: POST /user/login: HTTP 400"),
        "{tape}"
    );
    clean(&tape);
}
