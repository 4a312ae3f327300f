//! The service's behaviour, as far as `docs/protocol.md` §4 documents it, with an account that exists only here.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use wyze_cloud::{Account, Client, Endpoints, Options, PhoneId, Roots};

use crate::server::{Reply, Request, Server};

pub(crate) const EMAIL: &str = "someone@example.org";
pub(crate) const PASSWORD: &str = "password";
/// MD5 of it, three times over: made with md5sum.
pub(crate) const PASSWORD_HASH: &str = "5a22e6c339c96c9c0513a46e44c39683";
pub(crate) const KEY_ID: &str = "key-id-of-the-user";
pub(crate) const API_KEY: &str = "api-key-of-the-user";
pub(crate) const APP_KEY: &str = "WMXHYf79Nr5gIlt3r0r7p9Tcw5bvs6BB4U8O8nGJ";
pub(crate) const USER_ID: &str = "user-id-0001";
pub(crate) const TOTP_APP: &str = "totp-app-0002";
pub(crate) const SMS_OFFER: &str = "sms-offer-0003";
pub(crate) const SMS_SENT: &str = "sms+sent/0004";
pub(crate) const CODE: &str = "271828";
pub(crate) const ENR: &str = "enr+secret/front";
pub(crate) const UID: &str = "SIMCAMSIMCAMSIMCAM11";
pub(crate) const MAC: &str = "80482CAABBCC";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Factor {
    #[default]
    None,
    Totp,
    Sms,
    Both,
    Email,
}

/// What the account is like at the moment. Tokens are `access-N` and `refresh-N`, and only those of the last
/// [`generation`](Self::generation) are good.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) factor: Factor,
    pub(crate) generation: u32,
    pub(crate) refresh_is_void: bool,
    /// Offers the second factor as an error, 3019.
    pub(crate) factor_as_error: bool,
    /// Puts answers to logins into `data`.
    pub(crate) wrapped: bool,
    /// What every request is answered with.
    pub(crate) instead: Option<Reply>,
}

pub(crate) struct Service {
    pub(crate) server: Server,
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) client: Client,
    pub(crate) phone_id: PhoneId,
}

impl Service {
    pub(crate) fn start(state: State) -> Self {
        let state = Arc::new(Mutex::new(state));
        let server = Server::start({
            let state = state.clone();
            move |request| answer(&mut state.lock().unwrap(), request)
        });
        let phone_id = PhoneId::random().unwrap();
        let client = client(
            &server.url(),
            &server.root,
            &phone_id,
            Duration::from_secs(5),
        );
        Self {
            server,
            state,
            client,
            phone_id,
        }
    }

    pub(crate) fn always(reply: Reply) -> Self {
        Self::start(State {
            instead: Some(reply),
            ..State::default()
        })
    }
}

pub(crate) fn client(url: &str, root: &[u8], phone_id: &PhoneId, timeout: Duration) -> Client {
    let mut options = Options::default();
    options.timeout = timeout;
    options.roots = Roots::Der(vec![root.to_vec()]);
    options.proxy_from_environment = false;
    Client::new(&Endpoints::new(url, url).unwrap(), phone_id, &options)
}

pub(crate) fn account() -> Account {
    Account::new(EMAIL, PASSWORD, KEY_ID, API_KEY).unwrap()
}

/// The two spellings of errors.
pub(crate) fn code_and_msg(code: u32) -> Value {
    json!({"code": code.to_string(), "msg": format!("server text with {EMAIL}"), "data": null})
}

pub(crate) fn error_code(code: u32) -> Value {
    json!({"errorCode": code, "description": format!("server text with {EMAIL}"), "requestId": "r"})
}

fn answer(state: &mut State, request: &Request) -> Reply {
    assert_eq!(request.header("content-type"), "application/json");
    if let Some(reply) = &state.instead {
        return reply.clone();
    }
    match request.path() {
        "/api/user/login" => login(state, request),
        "/user/login/sendSmsCode" => send_sms(request),
        "/user/login" => second_factor(state, request),
        "/app/user/refresh_token" => refresh(state, request),
        "/app/v2/home_page/get_object_list" => list(state, request),
        other => panic!("no such request: {other}"),
    }
}

fn login(state: &mut State, request: &Request) -> Reply {
    assert!(!request.header("phone-id").is_empty());
    assert_eq!(
        request.body.as_object().unwrap().len(),
        2,
        "e-mail and password"
    );
    if request.header("apikey") != API_KEY || request.header("keyid") != KEY_ID {
        return Reply::json(400, &error_code(1003));
    }
    if request.text("email") != EMAIL || request.text("password") != PASSWORD_HASH {
        return Reply::json(400, &error_code(1001));
    }
    let options = match state.factor {
        Factor::None => return grant(state),
        Factor::Totp => json!(["TotpVerificationCode"]),
        Factor::Sms => json!(["PrimaryPhone"]),
        Factor::Both => json!(["PrimaryPhone", "TotpVerificationCode"]),
        Factor::Email => json!(["Email"]),
    };
    let mut offer = json!({
        "access_token": null, "refresh_token": null, "user_id": USER_ID,
        "mfa_options": options, "mfa_details": {"totp_apps": [{"app_id": TOTP_APP}]},
        "sms_session_id": SMS_OFFER, "email_session_id": "email-session",
    });
    if state.factor_as_error {
        offer["errorCode"] = json!(3019);
    }
    Reply::json(200, &offer)
}

fn of_the_app(request: &Request) {
    assert_eq!(request.header("x-api-key"), APP_KEY);
    assert!(request.header("user-agent").starts_with("wyze_ios_"));
    assert!(!request.header("phone-id").is_empty());
    assert_eq!(request.header("apikey"), "");
}

fn send_sms(request: &Request) -> Reply {
    of_the_app(request);
    let query = request.target.split_once('?').unwrap().1;
    assert_eq!(
        query,
        format!("mfaPhoneType=Primary&sessionId={SMS_OFFER}&userId={USER_ID}")
    );
    assert_eq!(request.body, json!({}));
    Reply::json(200, &json!({"session_id": SMS_SENT}))
}

fn second_factor(state: &mut State, request: &Request) -> Reply {
    of_the_app(request);
    assert_eq!(request.text("email"), EMAIL);
    assert_eq!(request.text("password"), PASSWORD_HASH);
    let id = match request.text("mfa_type") {
        "TotpVerificationCode" => TOTP_APP,
        "PrimaryPhone" => SMS_SENT,
        other => panic!("no such factor: {other}"),
    };
    assert_eq!(request.text("verification_id"), id);
    if request.text("verification_code") != CODE {
        return Reply::json(400, &error_code(3019));
    }
    grant(state)
}

fn grant(state: &mut State) -> Reply {
    state.generation += 1;
    let n = state.generation;
    let tokens = json!({
        "access_token": format!("access-{n}"), "refresh_token": format!("refresh-{n}"), "user_id": USER_ID,
        "mfa_options": null, "mfa_details": null, "sms_session_id": null, "email_session_id": null,
    });
    let wrapped = json!({"code": "1", "msg": "", "data": tokens});
    Reply::json(200, if state.wrapped { &wrapped } else { &tokens })
}

/// The payload that all requests to the second host have.
fn standard(request: &Request) {
    for (name, value) in [
        ("app_name", json!("com.hualai.WyzeCam")),
        ("app_ver", json!("com.hualai.WyzeCam___3.6.5.5")),
        ("app_version", json!("3.6.5.5")),
        ("phone_system_type", json!(1)),
        ("sv", json!("e1fe392906d54888a9b99b88de4162d7")),
        ("sc", json!("9f275790cab94a72bd206c8876429f3c")),
    ] {
        assert_eq!(request.body[name], value, "{name}");
    }
    assert!(!request.text("phone_id").is_empty());
    let ts = Duration::from_millis(request.body["ts"].as_u64().unwrap());
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    assert!(
        now.abs_diff(ts) < Duration::from_secs(60),
        "ts is in milliseconds"
    );
}

fn refresh(state: &mut State, request: &Request) -> Reply {
    standard(request);
    if state.refresh_is_void
        || request.text("refresh_token") != format!("refresh-{}", state.generation)
    {
        return Reply::json(200, &code_and_msg(2001));
    }
    state.generation += 1;
    let n = state.generation;
    let tokens =
        json!({"access_token": format!("access-{n}"), "refresh_token": format!("refresh-{n}")});
    Reply::json(
        200,
        &json!({"code": "1", "msg": "SUCCESS", "data": tokens, "ts": 1}),
    )
}

fn list(state: &State, request: &Request) -> Reply {
    standard(request);
    assert_eq!(request.body.get("refresh_token"), None);
    if request.text("access_token") != format!("access-{}", state.generation) {
        return Reply::json(200, &code_and_msg(2001));
    }
    let devices = json!([
        {"product_type": "Camera", "product_model": "HL_CAM4", "nickname": "Front Door", "mac": MAC, "enr": ENR,
         "firmware_ver": "4.52.9.5332", "conn_state": 1, "parent_device_enr": "", "parent_device_mac": "",
         "device_params": {"p2p_id": UID, "p2p_type": 4, "ip": "192.0.2.7", "dtls": 1, "main_device_dtls": 0}},
        {"product_type": "Plug", "product_model": "WLPP1", "nickname": "Lamp", "device_params": {"switch_state": 1}},
        {"product_type": "Doorbell", "product_model": "WYZEDB3", "nickname": "Bell", "mac": "7C78B2000001",
         "enr": "enr-of-the-bell-", "firmware_ver": "4.25.1.333", "conn_state": 0,
         "device_params": {"p2p_id": "SIMCAMSIMCAMSIMCAM22", "p2p_type": 4, "ip": "", "dtls": "1"}},
        {"product_type": "Camera", "product_model": "GW_GC1", "nickname": "Garage", "mac": "GW_GC1_7C78B2000002",
         "enr": "enr-of-the-og---", "conn_state": 1, "device_params": {"ip": ""}},
        {"product_type": "Camera", "product_model": "WVOD1", "nickname": "Garden", "mac": "7C78B2000003",
         "enr": "enr-of-the-outdr", "conn_state": 1,
         "parent_device_enr": "enr-of-the-base-", "parent_device_mac": "7C78B2000004",
         "device_params": {"p2p_id": "SIMCAMSIMCAMSIMCAM33", "ip": "192.0.2.9", "dtls": 0, "main_device_dtls": 1}},
        {"product_type": "Mesh", "device_params": null},
        null,
    ]);
    Reply::json(
        200,
        &json!({"code": "1", "msg": "SUCCESS", "data": {"device_list": devices, "device_group_list": []}}),
    )
}
