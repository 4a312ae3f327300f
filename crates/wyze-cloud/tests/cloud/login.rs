use wyze_cloud::{Account, Error, Login, SecondFactor, Tokens};

use crate::server::Reply;
use crate::service::*;

fn done(login: Login) -> Tokens {
    match login {
        Login::Done(tokens) => tokens,
        Login::SecondFactor(factor) => panic!("{factor:?}"),
    }
}

fn factor(service: &Service) -> SecondFactor {
    match service.client.login(&account()).unwrap() {
        Login::SecondFactor(factor) => factor,
        Login::Done(_) => panic!("no second factor"),
    }
}

fn with(factor: Factor) -> Service {
    Service::start(State {
        factor,
        ..State::default()
    })
}

fn is_generation(tokens: &Tokens, n: u32) {
    assert_eq!(tokens.access().expose(), &format!("access-{n}"));
    assert_eq!(tokens.refresh().expose(), &format!("refresh-{n}"));
}

#[test]
fn the_right_credentials_yield_tokens() {
    for wrapped in [false, true] {
        let service = Service::start(State {
            wrapped,
            ..State::default()
        });
        is_generation(&done(service.client.login(&account()).unwrap()), 1);
        let [request] = &service.server.requests()[..] else {
            panic!("one request");
        };
        assert_eq!(request.header("phone-id"), service.phone_id.as_str());
    }
}

#[test]
fn a_hashed_password_is_sent_as_it_is() {
    let service = with(Factor::None);
    let hashed = Account::new(EMAIL, &format!("md5:{PASSWORD_HASH}"), KEY_ID, API_KEY).unwrap();
    is_generation(&done(service.client.login(&hashed).unwrap()), 1);
}

#[test]
fn each_wrong_credential_has_its_own_error() {
    let service = with(Factor::None);
    for (email, password, id, key, error) in [
        (EMAIL, "wrong", KEY_ID, API_KEY, Error::WrongPassword),
        (
            "other@example.org",
            PASSWORD,
            KEY_ID,
            API_KEY,
            Error::WrongPassword,
        ),
        (EMAIL, PASSWORD, "wrong", API_KEY, Error::WrongKey),
        (EMAIL, PASSWORD, KEY_ID, "wrong", Error::WrongKey),
    ] {
        let account = Account::new(email, password, id, key).unwrap();
        assert_eq!(service.client.login(&account).unwrap_err(), error);
    }
}

#[test]
fn an_app_code_completes_the_login_even_after_a_wrong_one() {
    for as_error in [false, true] {
        let service = with(Factor::Totp);
        service.state.lock().unwrap().factor_as_error = as_error;
        let factor = factor(&service);
        assert!(factor.offers_totp() && !factor.offers_sms());
        let wrong = service.client.login_totp(&factor, "000000");
        assert_eq!(wrong.unwrap_err(), Error::WrongCode);
        is_generation(
            &service.client.login_totp(&factor, " 271 828\n").unwrap(),
            1,
        );
        assert_eq!(
            service.client.send_sms_code(&factor).unwrap_err(),
            Error::NotOffered
        );
        assert_eq!(
            service.server.paths(),
            ["/api/user/login", "/user/login", "/user/login"]
        );
    }
}

#[test]
fn an_sms_code_completes_the_login() {
    let service = with(Factor::Sms);
    let factor = factor(&service);
    assert!(factor.offers_sms() && !factor.offers_totp());
    assert_eq!(
        service.client.login_totp(&factor, CODE).unwrap_err(),
        Error::NotOffered
    );
    let sms = service.client.send_sms_code(&factor).unwrap();
    let wrong = service.client.login_sms(&factor, &sms, "1234");
    assert_eq!(wrong.unwrap_err(), Error::WrongCode);
    is_generation(&service.client.login_sms(&factor, &sms, CODE).unwrap(), 1);
}

#[test]
fn with_both_factors_the_user_chooses() {
    let service = with(Factor::Both);
    let factor = factor(&service);
    assert!(factor.offers_totp() && factor.offers_sms());
    let sms = service.client.send_sms_code(&factor).unwrap();
    is_generation(&service.client.login_sms(&factor, &sms, CODE).unwrap(), 1);
    is_generation(&service.client.login_totp(&factor, CODE).unwrap(), 2);
}

#[test]
fn a_factor_by_e_mail_is_refused_with_the_way_out() {
    let error = with(Factor::Email).client.login(&account()).unwrap_err();
    assert_eq!(error, Error::SecondFactorUnsupported);
    assert!(error.to_string().contains("authenticator app"));
}

#[test]
fn what_cannot_be_a_code_is_not_sent() {
    let service = with(Factor::Totp);
    let factor = factor(&service);
    for code in ["", "  ", "12a456", "１２３"] {
        let error = service.client.login_totp(&factor, code).unwrap_err();
        assert_eq!(error, Error::Input("the verification code"));
    }
    assert_eq!(service.server.paths(), ["/api/user/login"]);
}

#[test]
fn a_bare_400_to_a_code_means_a_wrong_code() {
    let service = with(Factor::Totp);
    let factor = factor(&service);
    for body in [error_code(1000), error_code(1001), serde_json::json!({})] {
        service.state.lock().unwrap().instead = Some(Reply::json(400, &body));
        let error = service.client.login_totp(&factor, CODE).unwrap_err();
        assert_eq!(error, Error::WrongCode, "{body}");
    }
    for (code, expected) in [(3024, Error::Locked), (1004, Error::Restricted)] {
        service.state.lock().unwrap().instead = Some(Reply::json(400, &error_code(code)));
        assert_eq!(
            service.client.login_totp(&factor, CODE).unwrap_err(),
            expected
        );
    }
}

#[test]
fn a_thousand_that_blames_the_credentials_is_a_refusal() {
    let body = serde_json::json!({
        "errorCode": 1000, "description": "Invalid credentials, please check username, password, keyid or apikey",
    });
    let error = Service::always(Reply::json(400, &body))
        .client
        .login(&account());
    assert_eq!(error.unwrap_err(), Error::Refused);
}
