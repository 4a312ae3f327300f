//! The service's requests and answers as JSON, and its constants (`docs/protocol.md` §4).

use serde::{Deserialize, Serialize};

use crate::loose::{List, Object, Scalar};

/// The app that the requests are written like.
const APP_NAME: &str = "com.hualai.WyzeCam";
const APP_VERSION: &str = "3.6.5.5";
const APP_NAME_AND_VERSION: &str = "com.hualai.WyzeCam___3.6.5.5";
/// What the second factor's requests must come from.
pub(crate) const APP_USER_AGENT: &str = "wyze_ios_3.6.5.5";
/// The key of the vendor's app, the same in every copy of it; the second factor is not accepted without.
pub(crate) const APP_API_KEY: &str = "WMXHYf79Nr5gIlt3r0r7p9Tcw5bvs6BB4U8O8nGJ";
/// Constants of the app that belong to the requests with a [`Standard`] payload.
const SC: &str = "9f275790cab94a72bd206c8876429f3c";
const SV: &str = "e1fe392906d54888a9b99b88de4162d7";

pub(crate) const LOGIN: &str = "api/user/login";
pub(crate) const LOGIN_SECOND_FACTOR: &str = "user/login";
pub(crate) const SEND_SMS_CODE: &str = "user/login/sendSmsCode";
pub(crate) const REFRESH: &str = "app/user/refresh_token";
pub(crate) const LIST: &str = "app/v2/home_page/get_object_list";

/// Body of a login; with the last three fields, of the second factor.
#[derive(Serialize)]
pub(crate) struct LoginBody<'a> {
    pub(crate) email: &'a str,
    pub(crate) password: &'a str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) second: Option<SecondFactorBody<'a>>,
}

#[derive(Serialize)]
pub(crate) struct SecondFactorBody<'a> {
    /// `TotpVerificationCode` or `PrimaryPhone`.
    pub(crate) mfa_type: &'a str,
    /// Id of the authenticator app, or of the SMS session.
    pub(crate) verification_id: &'a str,
    pub(crate) verification_code: &'a str,
}

/// Body of all requests after the login.
#[derive(Serialize)]
pub(crate) struct Standard<'a> {
    access_token: &'a str,
    phone_id: &'a str,
    app_name: &'a str,
    app_ver: &'a str,
    app_version: &'a str,
    phone_system_type: u8,
    sc: &'a str,
    sv: &'a str,
    /// Milliseconds since 1970.
    ts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
}

impl<'a> Standard<'a> {
    pub(crate) fn new(
        access_token: &'a str,
        phone_id: &'a str,
        ts: u64,
        refresh_token: Option<&'a str>,
    ) -> Self {
        Self {
            access_token,
            phone_id,
            app_name: APP_NAME,
            app_ver: APP_NAME_AND_VERSION,
            app_version: APP_VERSION,
            phone_system_type: 1,
            sc: SC,
            sv: SV,
            ts,
            refresh_token,
        }
    }
}

/// What every answer says about its success, in either of the two spellings.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Verdict {
    pub(crate) code: Scalar,
    #[serde(rename = "errorCode")]
    pub(crate) error_code: Scalar,
    pub(crate) msg: Scalar,
    pub(crate) description: Scalar,
}

/// Answer to a login, a second factor and a refresh.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct LoginReply {
    pub(crate) access_token: Scalar,
    pub(crate) refresh_token: Scalar,
    pub(crate) user_id: Scalar,
    pub(crate) mfa_options: List<Scalar>,
    pub(crate) mfa_details: Object<MfaDetails>,
    pub(crate) sms_session_id: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct MfaDetails {
    pub(crate) totp_apps: List<Object<TotpApp>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct TotpApp {
    pub(crate) app_id: Scalar,
}

/// Answer to the request for an SMS.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct SmsReply {
    pub(crate) session_id: Scalar,
}

/// Answer to the request for all devices.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ListReply {
    /// Without it the answer is no list; an account may well have no device.
    pub(crate) device_list: Option<List<Object<Device>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Device {
    pub(crate) product_type: Scalar,
    pub(crate) product_model: Scalar,
    pub(crate) nickname: Scalar,
    pub(crate) mac: Scalar,
    pub(crate) enr: Scalar,
    pub(crate) firmware_ver: Scalar,
    pub(crate) conn_state: Scalar,
    pub(crate) parent_device_enr: Scalar,
    pub(crate) parent_device_mac: Scalar,
    pub(crate) device_params: Object<DeviceParams>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct DeviceParams {
    pub(crate) p2p_id: Scalar,
    pub(crate) ip: Scalar,
    pub(crate) dtls: Scalar,
    pub(crate) main_device_dtls: Scalar,
}
