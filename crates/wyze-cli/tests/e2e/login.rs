//! `wyze login` against an account service of our own; `wyze-cloud` tests every answer of the service.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::*;

const CODE: &str = "271828";

/// The service's answer to a request.
fn answer(path: &str, body: &Value) -> Value {
    match path {
        "/api/user/login" if body["email"] == "wrong@example.org" => json!({"errorCode": 1001}),
        "/api/user/login" if body["email"] == "locked@example.org" => json!({"errorCode": 3024}),
        "/api/user/login" if body["email"] == "stale@example.org" => {
            json!({"access_token": "access-stale", "refresh_token": "refresh-stale", "user_id": "user-0002"})
        }
        "/app/v2/home_page/get_object_list" if body["access_token"] == "access-stale" => {
            json!({"code": "2001", "msg": "expired"})
        }
        "/app/user/refresh_token" => json!({"code": "2002", "msg": "invalid"}),
        "/api/user/login" if body["email"] == "hasty@example.org" => json!({"errorCode": 1000}),
        "/api/user/login" if body["email"] == "sms@example.org" => json!({
            "access_token": null, "user_id": "user-0008", "mfa_options": ["PrimaryPhone"], "sms_session_id": "offer-0009",
        }),
        "/user/login/sendsmscode?mfaphonetype=primary&sessionid=offer-0009&userid=user-0008" => {
            json!({"session_id": "sent-0010"})
        }
        "/api/user/login" => json!({
            "access_token": null, "user_id": "user-0001", "mfa_options": ["TotpVerificationCode"],
            "mfa_details": {"totp_apps": [{"app_id": "app-0002"}]},
        }),
        "/user/login" if body["verification_code"] == CODE => {
            json!({"access_token": "access-0003", "refresh_token": "refresh-0004"})
        }
        "/user/login" => json!({"errorCode": 3019, "description": "no"}),
        "/app/v2/home_page/get_object_list" => json!({"code": "1", "data": {"device_list": [
            {"product_type": "Camera", "product_model": "HL_CAM4", "nickname": "Front Door", "mac": MAC, "enr": ENR,
             "conn_state": 1, "firmware_ver": "4.52.9", "device_params": {"p2p_id": UID, "ip": "192.0.2.7"}},
        ]}}),
        other => panic!("no such request: {other}"),
    }
}

/// An HTTPS server; its address and the file with its certificate. It ends with the test's process.
fn service(folder: &Path) -> (String, PathBuf) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = folder.join("root.der");
    std::fs::write(&certificate, made.cert.der()).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let (listener, config) = (TcpListener::bind("127.0.0.1:0").unwrap(), Arc::new(config));
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for tcp in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(config.clone()).unwrap();
            serve(StreamOwned::new(connection, tcp));
        }
    });
    (url, certificate)
}

fn serve(mut tls: impl Read + Write) {
    let mut reader = BufReader::new(&mut tls);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_ascii_lowercase()),
        }
    }
    let length = lines.iter().find_map(|l| l.strip_prefix("content-length:"));
    let mut body = vec![0; length.map_or(0, |n| n.trim().parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let path = lines[0].split(' ').nth(1).unwrap();
    let reply = answer(path, &serde_json::from_slice(&body).unwrap());
    let left = match reply["errorCode"] == 1000 {
        true => 0,
        false if reply["data"].is_object() => 3,
        false => 100,
    };
    let reply = reply.to_string();
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\nx-ratelimit-remaining:";
    let len = reply.len();
    write!(tls, "{head} {left}\r\ncontent-length: {len}\r\n\r\n{reply}").unwrap();
    tls.flush().unwrap();
}

/// `wyze` with the service in place of the real one.
fn command(config: &TempDir, service: &(String, PathBuf), args: &[&str]) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_wyze"));
    command
        .args(args)
        .env("WYZE_CONFIG_DIR", config.path())
        .env("WYZE_AUTH_URL", &service.0)
        .env("WYZE_API_URL", &service.0)
        .env("WYZE_ROOT_CERTIFICATE", &service.1)
        .env("WYZE_KEY_ID", "key-id-0005")
        .env("WYZE_API_KEY", "api-key-0006")
        .env("NO_PROXY", "*");
    command
}

/// Runs it at the highest log level.
fn run(config: &TempDir, service: &(String, PathBuf), args: &[&str], answers: &str) -> Output {
    command(config, service, args)
        .env("WYZE_EMAIL", "someone@example.org")
        .env("RUST_LOG", "trace")
        .write_stdin(answers)
        .output()
        .unwrap()
}

/// As [`run`], asked nothing, and without logs.
fn run_as(config: &TempDir, service: &(String, PathBuf), email: &str, args: &[&str]) -> Output {
    command(config, service, args)
        .env("WYZE_EMAIL", email)
        .env("WYZE_PASSWORD", "password-0007")
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

#[test]
fn a_login_that_is_refused_says_why_in_one_line() {
    let config = tempfile::tempdir().unwrap();
    let service = service(config.path());
    for (email, args, code, text) in [
        (
            "wrong@example.org",
            &["login"][..],
            30,
            "wrong e-mail or password",
        ),
        (
            "locked@example.org",
            &["login"],
            31,
            "the account is locked",
        ),
        ("hasty@example.org", &["login"], 31, "too many requests"),
        ("stale@example.org", &["login"], 32, "wyze login"),
        // Its tokens were kept.
        (
            "",
            &["cameras", "--refresh"],
            32,
            "log in again with wyze login",
        ),
    ] {
        let message = assert_fails(&run_as(&config, &service, email, args), code);
        assert!(message.contains(text), "{message}");
    }
}

#[test]
fn a_login_with_a_second_factor_makes_the_cameras_known_by_name() {
    let config = tempfile::tempdir().unwrap();
    let service = service(config.path());
    let wrong = run(&config, &service, &["login"], "password-0007\n000000\n");
    assert_eq!(wrong.status.code(), Some(30));
    let last = stderr(&wrong).lines().last().unwrap().to_owned();
    assert!(
        last.contains("verification code was not accepted"),
        "{last}"
    );
    assert_fails(&wyze_at(config.path(), &["cameras"]), 32);

    let answers = format!("password-0007\n{CODE}\n");
    let login = run(&config, &service, &["login"], &answers);
    assert_succeeds(&login);
    assert!(stdout(&login).contains("Front Door"), "{}", stdout(&login));
    let again = run(&config, &service, &["cameras", "--refresh"], "");
    assert_succeeds(&again);
    let few = "the account service allows 3 more requests";
    assert!(stderr(&again).contains(few), "{}", stderr(&again));

    let offline = wyze_at(config.path(), &["cameras"]);
    assert!(stdout(&offline).contains("Front Door"));
    let urls = wyze_at(config.path(), &["cameras", "--show-urls"]);
    assert!(stdout(&urls).contains(UID));

    for output in [wrong, login, again, offline] {
        let all = stdout(&output) + &stderr(&output);
        for secret in [
            UID,
            ENR,
            MAC,
            CODE,
            "access-0003",
            "refresh-0004",
            "api-key-0006",
            "password-0007",
        ] {
            assert!(!all.contains(secret), "{secret:?} is in {all}");
        }
    }
}

/// The request for the SMS has what identifies user and session in its address.
#[test]
fn a_login_by_sms_shows_no_secret_at_the_highest_log_level() {
    for (filter, args) in [
        (None, &["-vv", "login", "--sms"][..]),
        (Some("trace,ureq::util=trace"), &["login", "--sms"]),
    ] {
        let config = tempfile::tempdir().unwrap();
        let service = service(config.path());
        let mut command = command(&config, &service, args);
        command.env("WYZE_EMAIL", "sms@example.org");
        command.env("WYZE_PASSWORD", "password-0007");
        match filter {
            Some(filter) => command.env("RUST_LOG", filter),
            None => command.env_remove("RUST_LOG"),
        };
        let output = command.write_stdin(format!("{CODE}\n")).output().unwrap();
        assert_succeeds(&output);
        let all = stdout(&output) + &stderr(&output);
        for part in ["ureq::run: POST", "/user/login/sendSmsCode: HTTP 200"] {
            assert!(all.contains(part), "the log is on: {all}");
        }
        for secret in [
            UID,
            ENR,
            MAC,
            CODE,
            "offer-0009",
            "sent-0010",
            "user-0008",
            "sms@example.org",
            "access-0003",
            "refresh-0004",
            "key-id-0005",
            "api-key-0006",
            "password-0007",
        ] {
            assert!(!all.contains(secret), "{secret:?} is in {all}");
        }
    }
}
