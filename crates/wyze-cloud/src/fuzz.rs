//! Body of the fuzz target `cloud_json`: what the account service may answer, and what the store's file may hold.
//!
//! It is here and not in `tutk-testkit`, whose users would all have to build a TLS library.

use std::path::Path;

use url::Url;

use crate::api::LoginReply;
use crate::camera::{Camera, CameraRecord};
use crate::client::{cameras, login, sms_session, tokens};
use crate::http::{Answer, Limit, Step};
use crate::{Account, Login, store};

/// First byte: status and what was asked for. The rest is the answer, or the store's file.
///
/// Any bytes are read or refused; names obey no terminal, a URL says what the answer said, and what is stored is read again.
pub fn cloud_json(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else {
        return;
    };
    let status = match choice / 8 % 4 {
        0 => 200,
        1 => 400,
        2 => 429,
        _ => 500,
    };
    let answer = Answer::new(status, body);
    match choice % 8 {
        0 => {
            for camera in cameras(&answer).into_iter().flatten() {
                check(&camera);
            }
        }
        1 => {
            let Ok(account) = Account::new("a@b", "p", "id", "key") else {
                return;
            };
            if let Ok(Login::SecondFactor(factor)) = login(&account, &answer) {
                assert!(factor.offers_totp() || factor.offers_sms());
            }
        }
        2 => drop(tokens(&answer, Step::SecondFactor, None)),
        3 => {
            if let Ok(renewed) = tokens(&answer, Step::Refresh, Some("old")) {
                assert!(!renewed.access().expose().is_empty());
                assert!(!renewed.refresh().expose().is_empty());
            }
        }
        4 => drop(sms_session(&answer)),
        5 => drop(answer.read::<LoginReply>()),
        6 => drop(store::read(Path::new("account.json"), body)),
        _ => {
            if let Ok(text) = std::str::from_utf8(body) {
                Limit::of(Some(text), Some(text), Some(text));
            }
        }
    }
}

fn check(camera: &Camera) {
    for text in [camera.name(), camera.model(), camera.firmware()] {
        assert!(!text.contains(char::is_control));
    }
    let shown = format!("{camera:?}");
    for secret in [camera.enr(), camera.mac(), camera.uid()] {
        let secret = secret.expose();
        // A short text may stand in a name by chance.
        let elsewhere = format!("{}{}{}", camera.name(), camera.model(), camera.firmware());
        assert!(secret.len() < 12 || elsewhere.contains(secret) || !shown.contains(secret));
    }
    if let Ok(url) = camera.url() {
        let parsed = Url::parse(url.expose()).map(|url| {
            let uid = url.query_pairs().find(|(name, _)| name == "uid");
            uid.map(|(_, value)| value.into_owned())
        });
        assert_eq!(parsed, Ok(Some(camera.uid().expose().clone())));
    }
    let written = serde_json::to_vec(&camera.0).map_err(drop);
    let read =
        written.and_then(|bytes| serde_json::from_slice::<CameraRecord>(&bytes).map_err(drop));
    let again = read.and_then(|record| serde_json::to_vec(&record).map_err(drop));
    assert_eq!(again, serde_json::to_vec(&camera.0).map_err(drop));
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_body_survives_its_corpus() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/cloud_json");
        let mut replayed = 0;
        for file in fs::read_dir(folder).unwrap() {
            let data = fs::read(file.unwrap().path()).unwrap();
            for end in 0..=data.len() {
                super::cloud_json(&data[..end]);
            }
            replayed += 1;
        }
        assert!(replayed >= 8, "{replayed} seeds");
    }
}
