//! Everything that can go wrong, each with its own one-line error.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;
use wyze_cloud::{Client, Endpoints, Error, Options, PhoneId, Tokens};

use crate::server::{Reply, Server};
use crate::service::*;

/// What a login and a list of cameras end with when everything is answered with `reply`.
fn errors(reply: &Reply) -> [Error; 2] {
    let service = Service::always(reply.clone());
    let mut tokens = Tokens::new("access", "refresh");
    let errors = [
        service.client.login(&account()).unwrap_err(),
        service.client.list_cameras(&mut tokens).unwrap_err(),
    ];
    for error in errors {
        let line = error.to_string();
        assert!(
            !line.contains('\n') && line.len() > 20 && !line.contains(EMAIL),
            "{line}"
        );
    }
    errors
}

/// What a refresh ends with that is answered with `reply`.
fn renewal(reply: &Reply) -> Error {
    let service = Service::always(reply.clone());
    let tokens = Tokens::new("access", "refresh");
    service.client.refresh(&tokens).unwrap_err()
}

#[test]
fn codes_have_their_meaning_in_both_spellings_and_whatever_the_status() {
    for (code, at_login, at_list) in [
        (1000, None, None),
        (1001, Some(Error::WrongPassword), Some(Error::Expired)),
        (1003, Some(Error::WrongKey), Some(Error::WrongKey)),
        (1004, Some(Error::Restricted), Some(Error::Restricted)),
        (2001, Some(Error::Expired), Some(Error::Expired)),
        (
            3019,
            Some(Error::SecondFactorUnsupported),
            Some(Error::SecondFactorUnsupported),
        ),
        (3024, Some(Error::Locked), Some(Error::Locked)),
    ] {
        for status in [200, 400, 403] {
            let service = Error::Service { status };
            let expected = [at_login.unwrap_or(service), at_list.unwrap_or(service)];
            for body in [code_and_msg(code), error_code(code)] {
                assert_eq!(
                    errors(&Reply::json(status, &body)),
                    expected,
                    "{status} {body}"
                );
            }
        }
    }
}

#[test]
fn a_refresh_that_is_refused_asks_for_a_login_whatever_the_code() {
    for (code, expected) in [
        (1000, None),
        (1001, Some(Error::Expired)),
        (1003, Some(Error::Expired)),
        (1004, Some(Error::Restricted)),
        (2001, Some(Error::Expired)),
        (2002, Some(Error::Expired)),
        (3019, Some(Error::Expired)),
        (3024, Some(Error::Locked)),
    ] {
        for status in [200, 400, 401] {
            let expected = expected.unwrap_or(Error::Service { status });
            for body in [code_and_msg(code), error_code(code)] {
                assert_eq!(renewal(&Reply::json(status, &body)), expected, "{body}");
            }
        }
    }
    assert_eq!(renewal(&Reply::json(401, &json!({}))), Error::Expired);
    for body in [json!({}), error_code(1001), error_code(2002)] {
        let down = Error::Service { status: 503 };
        assert_eq!(renewal(&Reply::json(503, &body)), down, "{body}");
    }
    let spent = Reply::json(400, &error_code(2002)).header("X-RateLimit-Remaining", "0");
    for limited in [Reply::new(429, ""), spent] {
        assert_eq!(renewal(&limited), Error::RateLimited { until: None });
    }
    let portal = Reply::new(200, "<html>log in to this hotel");
    assert_eq!(renewal(&portal), Error::NotJson { status: 200 });
}

#[test]
fn unknown_codes_are_named() {
    let body = error_code(4711);
    let error = Error::Code {
        code: Some(4711),
        status: 400,
    };
    assert_eq!(errors(&Reply::json(400, &body)), [error; 2]);
    assert!(error.to_string().contains("4711"));
    for body in [json!({"code": "weird"}), json!({"errorCode": 1u64 << 40})] {
        let error = Error::Code {
            code: None,
            status: 200,
        };
        assert_eq!(errors(&Reply::json(200, &body)), [error; 2], "{body}");
    }
    let bare = Error::Code {
        code: None,
        status: 401,
    };
    assert_eq!(errors(&Reply::json(401, &json!({}))), [bare; 2]);
}

#[test]
fn a_rate_limit_tells_when_it_ends() {
    let until = SystemTime::UNIX_EPOCH + Duration::from_secs(1_788_266_096);
    let limited = Error::RateLimited { until: Some(until) };
    let reply = Reply::new(429, "Too Many Requests")
        .header("X-RateLimit-Remaining", "0")
        .header("X-RateLimit-Reset-By", "Tue Sep 01 12:34:56 UTC 2026");
    assert_eq!(errors(&reply), [limited; 2]);
    assert!(
        limited
            .to_string()
            .contains("Tue, 01 Sep 2026 12:34:56 GMT"),
        "{limited}"
    );

    // The same, told by the headers of an ordinary error.
    let reply = Reply {
        status: 400,
        ..reply.clone()
    };
    let reply = Reply {
        body: error_code(1000).to_string().into(),
        ..reply
    };
    assert_eq!(errors(&reply), [limited; 2]);

    let [error, _] = errors(&Reply::new(429, "").header("Retry-After", "120"));
    let Error::RateLimited { until: Some(until) } = error else {
        panic!("{error:?}");
    };
    let wait = until.duration_since(SystemTime::now()).unwrap();
    assert!(wait > Duration::from_secs(100) && wait <= Duration::from_secs(120));

    assert_eq!(
        errors(&Reply::new(429, "")),
        [Error::RateLimited { until: None }; 2]
    );
}

#[test]
fn the_last_request_that_is_allowed_still_counts() {
    let body = json!({"code": "1", "data": {"device_list": []}});
    let reply = Reply::json(200, &body).header("X-RateLimit-Remaining", "0");
    let service = Service::always(reply);
    assert!(
        service
            .client
            .list_cameras(&mut Tokens::new("a", "r"))
            .is_ok()
    );
}

#[test]
fn garbage_is_told_from_a_service_that_is_down() {
    for status in [500, 502, 503] {
        let html = Reply::new(status, "<html>Bad Gateway</html>");
        assert_eq!(errors(&html), [Error::Service { status }; 2]);
        assert_eq!(
            errors(&Reply::json(status, &json!({}))),
            [Error::Service { status }; 2]
        );
    }
    let bodies: [&[u8]; 5] = [
        b"<html>log in to this hotel",
        b"",
        b"{\"code\":\"1\",",
        b"\xff\xfe\x00",
        b"[[[[[[",
    ];
    for body in bodies {
        assert_eq!(
            errors(&Reply::new(200, body)),
            [Error::NotJson { status: 200 }; 2]
        );
    }
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = Server::start(|_| panic!("credentials went elsewhere"));
    let reply = Reply::new(302, "").header("location", &elsewhere.url());
    assert_eq!(errors(&reply), [Error::NotJson { status: 302 }; 2]);
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn answers_that_lack_something_name_it() {
    for body in [
        "{}",
        "null",
        "[]",
        "7",
        "{\"code\":\"1\"}",
        "{\"code\":1,\"data\":[]}",
    ] {
        assert_eq!(
            errors(&Reply::new(200, body)),
            [Error::Field("access_token"), Error::Field("device_list")],
            "{body}"
        );
    }
    let [error, _] = errors(&Reply::json(200, &json!({"access_token": "a"})));
    assert_eq!(error, Error::Field("refresh_token"));
}

#[test]
fn nesting_without_end_is_refused() {
    let body = format!("{{\"data\":{}", "[".repeat(1 << 20));
    assert_eq!(
        errors(&Reply::new(200, body)),
        [Error::NotJson { status: 200 }; 2]
    );
}

#[test]
fn an_answer_without_end_is_refused() {
    let body = vec![b' '; (8 << 20) + 1];
    let error = Service::always(Reply::new(200, body))
        .client
        .login(&account());
    assert_eq!(error.unwrap_err(), Error::TooLong);
}

#[test]
fn a_truncated_answer_is_told_from_garbage() {
    let reply = Reply {
        missing: 100,
        ..Reply::json(200, &json!({"code": "1"}))
    };
    assert_eq!(errors(&reply), [Error::Truncated; 2]);
}

#[test]
fn a_slow_service_is_not_waited_for() {
    let server = Server::start(|_| Reply {
        delay: Duration::from_secs(2),
        ..Reply::new(200, "{}")
    });
    let phone_id = PhoneId::random().unwrap();
    let client = client(
        &server.url(),
        &server.root,
        &phone_id,
        Duration::from_millis(500),
    );
    let begin = Instant::now();
    assert_eq!(client.login(&account()).unwrap_err(), Error::Timeout);
    assert!(begin.elapsed() < Duration::from_millis(1900));
}

#[test]
fn a_stranger_certificate_is_not_trusted() {
    let server = Server::start(|_| panic!("a request over an untrusted connection"));
    let stranger = Server::start(|_| panic!("nobody asks this one"));
    let phone_id = PhoneId::random().unwrap();
    let client = client(
        &server.url(),
        &stranger.root,
        &phone_id,
        Duration::from_secs(5),
    );
    assert_eq!(client.login(&account()).unwrap_err(), Error::Tls);
    assert!(server.requests().is_empty());
}

#[test]
fn a_certificate_for_another_name_is_not_trusted() {
    let server = Server::start(|_| panic!("a request over an untrusted connection"));
    let url = server.url().replace("127.0.0.1", "localhost");
    let phone_id = PhoneId::random().unwrap();
    let client = client(&url, &server.root, &phone_id, Duration::from_secs(5));
    assert_eq!(client.login(&account()).unwrap_err(), Error::Tls);
}

#[test]
fn a_service_without_tls_is_not_spoken_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let plain = thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        let mut hello = [0; 1024];
        let n = tcp.read(&mut hello).unwrap();
        tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            .unwrap();
        String::from_utf8_lossy(&hello[..n]).into_owned()
    });
    let client = client(
        &url,
        b"no certificate",
        &PhoneId::random().unwrap(),
        Duration::from_secs(5),
    );
    assert_eq!(client.login(&account()).unwrap_err(), Error::Tls);
    assert!(!plain.join().unwrap().contains(EMAIL));
}

#[test]
fn a_port_where_nobody_listens_is_unreachable() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let phone_id = PhoneId::random().unwrap();
    let to = |url: &str| client(url, &[], &phone_id, Duration::from_secs(5));
    let error = to(&format!("https://{closed}"))
        .login(&account())
        .unwrap_err();
    assert_eq!(
        error,
        Error::Unreachable(std::io::ErrorKind::ConnectionRefused)
    );
}

#[test]
fn only_a_bare_https_origin_is_an_endpoint() {
    let good = "https://127.0.0.1:8443";
    for bad in [
        "http://127.0.0.1",
        "127.0.0.1",
        "",
        "https://",
        "https://a@b",
        "https://h/path",
        "https://h/?q",
        "file:///x",
    ] {
        assert_eq!(
            Endpoints::new(bad, good).unwrap_err(),
            Error::Endpoint,
            "{bad}"
        );
        assert_eq!(
            Endpoints::new(good, bad).unwrap_err(),
            Error::Endpoint,
            "{bad}"
        );
    }
    assert!(Endpoints::new("https://h", "https://h:1/").is_ok());
    let vendor = Client::new(
        &Endpoints::default(),
        &PhoneId::random().unwrap(),
        &Options::default(),
    );
    let shown = format!("{vendor:?}");
    assert!(
        shown.contains("https://auth-prod.api.wyze.com")
            && shown.contains("https://api.wyzecam.com")
    );
}
