//! The requests.
//!
//! ```text
//! login ──► Done(tokens)
//!       └─► SecondFactor ── login_totp(code) ────────────────────────► tokens
//!                        └─ send_sms_code ──► login_sms(session, code) ► tokens
//! list_cameras(tokens) ── expired? ── refresh ── list again ──► cameras
//! ```

use std::fmt;
use std::time::{Duration, SystemTime};

use url::Url;

use crate::account::{Account, Login, SecondFactor, SmsSession, Tokens};
use crate::api::{
    self, APP_API_KEY, APP_USER_AGENT, ListReply, LoginBody, LoginReply, SecondFactorBody,
    SmsReply, Standard,
};
use crate::camera::Camera;
use crate::http::{Answer, Http, Step};
use crate::{Error, PhoneId};
use tutk_core::Secret;

/// Where the service is.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// `https://HOST[:PORT]`, for logins.
    auth: String,
    /// The same, for everything else.
    api: String,
}

impl Default for Endpoints {
    /// The vendor's.
    fn default() -> Self {
        Self {
            auth: "https://auth-prod.api.wyze.com".to_owned(),
            api: "https://api.wyzecam.com".to_owned(),
        }
    }
}

impl Endpoints {
    /// Other addresses than the vendor's, for tests: `auth` for logins, `api` for everything else.
    ///
    /// # Errors
    /// [`Error::Endpoint`] for anything but `https://HOST[:PORT]`.
    pub fn new(auth: &str, api: &str) -> Result<Self, Error> {
        let base = |text: &str| {
            let url = Url::parse(text).map_err(|_| Error::Endpoint)?;
            let origin = url.origin().ascii_serialization();
            // Nothing but the origin, so no path, query or user.
            let bare = url.as_str().strip_suffix('/') == Some(origin.as_str());
            (bare && url.scheme() == "https")
                .then_some(origin)
                .ok_or(Error::Endpoint)
        };
        Ok(Self {
            auth: base(auth)?,
            api: base(api)?,
        })
    }
}

/// Which certificates are trusted.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Roots {
    /// Mozilla's list, as of this crate's build.
    #[default]
    Mozilla,
    /// These alone, X.509 in DER.
    Der(Vec<Vec<u8>>),
}

/// How requests are made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// For one whole request, from the name's resolution to the answer's last byte. 30 s by default.
    pub timeout: Duration,
    /// Which certificates are trusted.
    pub roots: Roots,
    /// Whether `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` count, as they do by default.
    pub proxy_from_environment: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            roots: Roots::default(),
            proxy_from_environment: true,
        }
    }
}

/// A client of the account service. Its calls block, each for at most [`Options::timeout`], or three times that when
/// tokens are renewed on the way.
pub struct Client {
    http: Http,
    endpoints: Endpoints,
    phone_id: PhoneId,
}

impl Client {
    /// A client that calls itself `phone_id`, which should stay the same: [`Store::phone_id`](crate::Store::phone_id).
    pub fn new(endpoints: &Endpoints, phone_id: &PhoneId, options: &Options) -> Self {
        Self {
            http: Http::new(options),
            endpoints: endpoints.clone(),
            phone_id: phone_id.clone(),
        }
    }

    /// Logs in, or gets as far as the second factor.
    ///
    /// # Errors
    /// All but [`Error::WrongCode`] and [`Error::Expired`].
    pub fn login(&self, account: &Account) -> Result<Login, Error> {
        let headers = [
            ("apikey", account.api_key.expose().as_str()),
            ("keyid", account.key_id.expose().as_str()),
            ("phone-id", self.phone_id.as_str()),
        ];
        let body = LoginBody {
            email: &account.email,
            password: account.password.expose(),
            second: None,
        };
        login(
            account,
            &self.http.post(&self.auth(api::LOGIN)?, &headers, &body)?,
        )
    }

    /// Completes a login with the code of an authenticator app; of several apps, the first counts.
    ///
    /// # Errors
    /// [`Error::WrongCode`], after which it can be tried again; [`Error::NotOffered`]; any of [`login`](Self::login).
    pub fn login_totp(&self, factor: &SecondFactor, code: &str) -> Result<Tokens, Error> {
        let app = factor.totp_app.as_ref().ok_or(Error::NotOffered)?;
        self.second_factor(factor, "TotpVerificationCode", app, code)
    }

    /// Has a code sent to the account's telephone.
    ///
    /// # Errors
    /// [`Error::NotOffered`]; any of [`login`](Self::login).
    pub fn send_sms_code(&self, factor: &SecondFactor) -> Result<SmsSession, Error> {
        let session = factor.sms_session.as_ref().ok_or(Error::NotOffered)?;
        let mut url = self.auth(api::SEND_SMS_CODE)?;
        url.query_pairs_mut()
            .append_pair("mfaPhoneType", "Primary")
            .append_pair("sessionId", session.expose())
            .append_pair("userId", factor.user_id.expose());
        #[derive(serde::Serialize)]
        struct Empty {}
        sms_session(&self.http.post(&url, &self.app_headers(), &Empty {})?)
    }

    /// Completes a login with the code from the SMS.
    ///
    /// # Errors
    /// As [`login_totp`](Self::login_totp).
    pub fn login_sms(
        &self,
        factor: &SecondFactor,
        session: &SmsSession,
        code: &str,
    ) -> Result<Tokens, Error> {
        self.second_factor(factor, "PrimaryPhone", &session.0, code)
    }

    /// Renews the tokens.
    ///
    /// # Errors
    /// [`Error::Expired`] when only a login helps; whatever the service or the network do.
    pub fn refresh(&self, tokens: &Tokens) -> Result<Tokens, Error> {
        let refresh = tokens.refresh().expose();
        let body = self.standard(tokens, Some(refresh));
        let answer = self.http.post(&self.api(api::REFRESH)?, &[], &body)?;
        self::tokens(&answer, Step::Refresh, Some(refresh))
    }

    /// All cameras and doorbells of the account, also those that cannot be watched: [`Camera::unsupported`].
    ///
    /// Tokens that have expired are renewed, once. Store `tokens` afterwards, **whatever the result**: the old ones may
    /// be void.
    ///
    /// # Errors
    /// [`Error::Expired`] when only a login helps; whatever the service or the network do.
    pub fn list_cameras(&self, tokens: &mut Tokens) -> Result<Vec<Camera>, Error> {
        match self.list(tokens) {
            Err(Error::Expired) => {
                *tokens = self.refresh(tokens)?;
                self.list(tokens)
            }
            result => result,
        }
    }

    fn list(&self, tokens: &Tokens) -> Result<Vec<Camera>, Error> {
        let body = self.standard(tokens, None);
        cameras(&self.http.post(&self.api(api::LIST)?, &[], &body)?)
    }

    fn second_factor(
        &self,
        factor: &SecondFactor,
        mfa_type: &str,
        id: &Secret<String>,
        code: &str,
    ) -> Result<Tokens, Error> {
        // People type codes the way they are shown: "123 456".
        let code: String = code.split_whitespace().collect();
        if code.is_empty() || !code.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Error::Input("the verification code"));
        }
        let body = LoginBody {
            email: &factor.account.email,
            password: factor.account.password.expose(),
            second: Some(SecondFactorBody {
                mfa_type,
                verification_id: id.expose(),
                verification_code: &code,
            }),
        };
        let url = self.auth(api::LOGIN_SECOND_FACTOR)?;
        let answer = self.http.post(&url, &self.app_headers(), &body)?;
        tokens(&answer, Step::SecondFactor, None)
    }

    fn app_headers(&self) -> [(&str, &str); 3] {
        [
            ("x-api-key", APP_API_KEY),
            ("phone-id", self.phone_id.as_str()),
            ("user-agent", APP_USER_AGENT),
        ]
    }

    fn standard<'a>(&'a self, tokens: &'a Tokens, refresh: Option<&'a str>) -> Standard<'a> {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let ts = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        Standard::new(
            tokens.access().expose(),
            self.phone_id.as_str(),
            ts,
            refresh,
        )
    }

    fn auth(&self, path: &str) -> Result<Url, Error> {
        at(&self.endpoints.auth, path)
    }

    fn api(&self, path: &str) -> Result<Url, Error> {
        at(&self.endpoints.api, path)
    }
}

fn at(base: &str, path: &str) -> Result<Url, Error> {
    Url::parse(&format!("{base}/{path}")).map_err(|_| Error::Endpoint)
}

/// What a login's answer grants. The wish for a second factor may come as an error (3019) that holds what the factor needs.
pub(crate) fn login(account: &Account, answer: &Answer) -> Result<Login, Error> {
    let offer = answer
        .read()
        .ok()
        .filter(|reply: &LoginReply| !reply.access_token.is_present());
    if let Some(factor) = offer.and_then(|reply| SecondFactor::offered(account, &reply)) {
        return factor.map(Login::SecondFactor);
    }
    tokens(answer, Step::Login, None).map(Login::Done)
}

/// The SMS that an answer announces.
pub(crate) fn sms_session(answer: &Answer) -> Result<SmsSession, Error> {
    let reply: SmsReply = answer.granted(Step::Login)?;
    match reply.session_id.text() {
        "" => Err(Error::Field("session_id")),
        id => Ok(SmsSession(Secret::new(id.to_owned()))),
    }
}

/// The cameras and doorbells in an answer.
pub(crate) fn cameras(answer: &Answer) -> Result<Vec<Camera>, Error> {
    let reply: ListReply = answer.granted(Step::Api)?;
    let devices = reply.device_list.ok_or(Error::Field("device_list"))?;
    Ok(devices
        .0
        .iter()
        .filter_map(|device| Camera::listed(&device.0))
        .collect())
}

/// The tokens of an answer; the refresh token may stay as it was.
pub(crate) fn tokens(answer: &Answer, step: Step, refresh: Option<&str>) -> Result<Tokens, Error> {
    let reply: LoginReply = answer.granted(step)?;
    if !reply.access_token.is_present() {
        return Err(Error::Field("access_token"));
    }
    let refresh = match (reply.refresh_token.text(), refresh) {
        ("", None) => return Err(Error::Field("refresh_token")),
        ("", Some(old)) => old,
        (new, _) => new,
    };
    Ok(Tokens::new(reply.access_token.text(), refresh))
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}
