//! Body of the fuzz target `url`: what people paste as a camera's URL.
//!
//! It is here and not in `tutk-testkit`, because what was read is private.

use std::str::from_utf8;

use url::Url;
use url::form_urlencoded::Serializer;
use wyze_session::PlainPolicy;

use super::{CameraUrl, UrlError};

/// Any text is read or refused without repeating its secrets, and what was read is written and read again as the same.
pub fn url(data: &[u8]) {
    let Ok(text) = from_utf8(data) else {
        return;
    };
    match text.parse::<CameraUrl>() {
        Ok(url) => {
            let text = written(&url);
            let again: CameraUrl = text.parse().expect("what we write we read");
            assert_eq!(written(&again), text);
            assert!(again.uid == url.uid && again.mac == url.mac);
            assert_eq!(again.enr.as_bytes(), url.enr.as_bytes());
            assert_eq!((&again.host, again.port), (&url.host, url.port));
            assert_eq!(again.model, url.model);
            assert_eq!(again.subtype, url.subtype);
            shows_no_secret(&url);
            let mut strict = url;
            assert_eq!(strict.config().plain, PlainPolicy::Allowed);
            strict.require_dtls();
            assert_eq!(strict.config().plain, PlainPolicy::Refused);
        }
        Err(error) => refuses_without_repeating(text, &error),
    }
}

/// The URL of what was read.
fn written(url: &CameraUrl) -> String {
    let mut query = Serializer::new(String::new());
    let ascii = |bytes| from_utf8(bytes).expect("ASCII");
    query.append_pair("uid", ascii(url.uid.as_bytes()));
    query.append_pair("enr", ascii(url.enr.as_bytes()));
    query.append_pair("mac", url.mac.as_str());
    if let Some((enr, mac)) = &url.parent {
        query.append_pair("parent_enr", ascii(enr.as_bytes()));
        query.append_pair("parent_mac", mac.as_str());
        query.append_pair("parent_dtls", if url.parent_dtls { "1" } else { "0" });
    }
    for (name, value) in [("model", &url.model), ("subtype", &url.subtype)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let host = if url.host.contains(':') {
        format!("[{}]", url.host)
    } else {
        url.host.clone()
    };
    format!("wyze://{host}:{}?{}", url.port, query.finish())
}

fn shows_no_secret(url: &CameraUrl) {
    let shown = format!("{url:?}");
    // The same text may stand in the open as well.
    let open = format!("{:?} {:?} {:?}", url.host, url.model, url.subtype);
    let parent = url.parent.as_ref().map(|(enr, _)| enr.as_bytes());
    let secrets = [
        Some(&url.uid.as_bytes()[..]),
        Some(url.enr.as_bytes()),
        parent,
    ];
    for secret in secrets.into_iter().flatten() {
        let secret = from_utf8(secret).expect("ASCII").escape_debug().to_string();
        assert!(open.contains(&secret) || !shown.contains(&secret));
    }
}

fn refuses_without_repeating(text: &str, error: &UrlError) {
    let shown = format!("{error} {error:?}");
    let Ok(url) = Url::parse(text) else {
        return;
    };
    for (_, value) in url.query_pairs() {
        // Shorter than any ENR, or words: it may stand in the message by chance.
        if value.len() >= 16 && !value.contains([' ', '=', ':']) {
            assert!(!shown.contains(&*value), "{shown}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_body_survives_its_corpus() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/url");
        let mut replayed = 0;
        for file in fs::read_dir(folder).unwrap() {
            let data = fs::read(file.unwrap().path()).unwrap();
            for end in 0..=data.len() {
                super::url(&data[..end]);
                super::url(&data[end..]);
            }
            replayed += 1;
        }
        assert!(replayed >= 8, "{replayed} seeds");
    }
}
