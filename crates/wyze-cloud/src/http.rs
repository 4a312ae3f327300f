//! One POST and its answer: bounded, without redirects, and judged.

use std::io;
use std::time::{Duration, SystemTime};

use log::{debug, warn};
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::http::HeaderMap;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use url::Url;
use zeroize::Zeroizing;

use crate::api::Verdict;
use crate::loose::Object;
use crate::{Error, Options, Roots};

/// Longest answer taken, bytes. A device takes about 4 KB of a list.
const ANSWER_MAX: u64 = 8 << 20;
/// Fewer requests left than this are worth a word in the log.
const FEW_LEFT: u64 = 10;
/// Longest wait that is believed.
const WAIT_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// What a request is for: the same code means different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Login,
    SecondFactor,
    Refresh,
    Api,
}

pub(crate) struct Http(Agent);

impl Http {
    pub(crate) fn new(options: &Options) -> Self {
        let roots = match &options.roots {
            Roots::Mozilla => RootCerts::WebPki,
            Roots::Der(list) => list
                .iter()
                .map(|der| Certificate::from_der(der).to_owned())
                .into(),
        };
        let mut config = Agent::config_builder()
            .https_only(true)
            // Credentials go to the service and nowhere else.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_global(Some(options.timeout))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .user_agent(concat!("wyze-cloud/", env!("CARGO_PKG_VERSION")));
        if !options.proxy_from_environment {
            config = config.proxy(None);
        }
        Self(config.build().into())
    }

    pub(crate) fn post(
        &self,
        url: &Url,
        headers: &[(&str, &str)],
        body: &impl Serialize,
    ) -> Result<Answer, Error> {
        let body = Zeroizing::new(
            serde_json::to_vec(body).map_err(|_| Error::Input("the text to be sent"))?,
        );
        let mut request = self
            .0
            .post(url.as_str())
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.send(body.as_slice()).map_err(transport)?;
        let answer = Answer {
            status: response.status().as_u16(),
            limit: Limit::read(response.headers()),
            body: Zeroizing::new(
                response
                    .body_mut()
                    .with_config()
                    .limit(ANSWER_MAX)
                    .read_to_vec()
                    .map_err(transport)?,
            ),
        };
        // Neither query nor body: they hold ids and secrets.
        debug!("POST {}: HTTP {}", url.path(), answer.status);
        Ok(answer)
    }
}

fn transport(error: ureq::Error) -> Error {
    match error {
        ureq::Error::Timeout(_) => Error::Timeout,
        ureq::Error::HostNotFound => Error::HostNotFound,
        ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => Error::TooLong,
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::TlsRequired => Error::Tls,
        ureq::Error::Protocol(_) => Error::Truncated,
        ureq::Error::Io(error) => match error.kind() {
            // This is how the TLS library reports its own errors.
            io::ErrorKind::InvalidData => Error::Tls,
            io::ErrorKind::UnexpectedEof => Error::Truncated,
            io::ErrorKind::TimedOut => Error::Timeout,
            kind => Error::Unreachable(kind),
        },
        _ => Error::Unreachable(io::ErrorKind::Other),
    }
}

/// How many requests are still allowed.
#[derive(Default)]
pub(crate) struct Limit {
    left: Option<u64>,
    until: Option<SystemTime>,
}

impl Limit {
    fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Self::of(
            text("x-ratelimit-remaining"),
            text("x-ratelimit-reset-by"),
            text("retry-after"),
        )
    }

    /// Reads the three headers.
    pub(crate) fn of(left: Option<&str>, reset: Option<&str>, retry: Option<&str>) -> Self {
        Self {
            left: left.and_then(|n| n.trim().parse().ok()),
            until: reset
                .and_then(reset_time)
                .or_else(|| retry.and_then(retry_time)),
        }
    }
}

/// Reads `Tue Sep 01 12:34:56 UTC 2026`, and the usual forms of HTTP.
fn reset_time(text: &str) -> Option<SystemTime> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    match *words.as_slice() {
        [weekday, month, day, time, "UTC" | "GMT", year] => {
            httpdate::parse_http_date(&format!("{weekday} {month} {day:>2} {time} {year}")).ok()
        }
        _ => httpdate::parse_http_date(text.trim()).ok(),
    }
}

fn retry_time(text: &str) -> Option<SystemTime> {
    match text.trim().parse().map(Duration::from_secs) {
        Ok(wait) => SystemTime::now().checked_add(wait.min(WAIT_MAX)),
        Err(_) => httpdate::parse_http_date(text.trim()).ok(),
    }
}

pub(crate) struct Answer {
    status: u16,
    limit: Limit,
    /// Wiped on drop: it may hold tokens.
    body: Zeroizing<Vec<u8>>,
}

impl Answer {
    #[cfg(any(test, feature = "fuzz"))]
    pub(crate) fn new(status: u16, body: &[u8]) -> Self {
        Self {
            status,
            limit: Limit::default(),
            body: Zeroizing::new(body.to_vec()),
        }
    }

    /// What the service granted.
    ///
    /// # Errors
    /// What it refused, and why.
    pub(crate) fn granted<T: DeserializeOwned + Default>(&self, step: Step) -> Result<T, Error> {
        self.judge(step)?;
        self.read()
    }

    /// The answer's fields, whether it grants or refuses something. They are in `data` or not.
    pub(crate) fn read<T: DeserializeOwned + Default>(&self) -> Result<T, Error> {
        #[derive(Deserialize)]
        struct Wrapped<T> {
            data: T,
        }
        serde_json::from_slice(&self.body)
            .map(|wrapped: Wrapped<T>| wrapped.data)
            .or_else(|_| serde_json::from_slice(&self.body).map(|Object(plain)| plain))
            .map_err(|_| Error::NotJson {
                status: self.status,
            })
    }

    fn judge(&self, step: Step) -> Result<(), Error> {
        let status = self.status;
        let limited = Error::RateLimited {
            until: self.limit.until,
        };
        if status == 429 {
            return Err(limited);
        }
        let Ok(Object(verdict)) = serde_json::from_slice::<Object<Verdict>>(&self.body) else {
            return Err(if status >= 500 {
                Error::Service { status }
            } else {
                Error::NotJson { status }
            });
        };
        let told = [&verdict.code, &verdict.error_code]
            .into_iter()
            .find(|code| code.is_present());
        let code = told.and_then(|code| code.number());
        if status < 300 && (told.is_none() || matches!(code, Some(0 | 1))) {
            // Of an answer that refuses, its error is all that is said.
            if let Some(left) = self.limit.left.filter(|left| *left <= FEW_LEFT) {
                warn!("the account service allows {left} more requests for now");
            }
            return Ok(());
        }
        let code = code.and_then(|code| u32::try_from(code).ok());
        debug!("refused: HTTP {status}, code {code:?}");
        if self.limit.left == Some(0) {
            return Err(limited);
        }
        Err(refusal(step, status, code, &verdict))
    }
}

fn refusal(step: Step, status: u16, code: Option<u32>, verdict: &Verdict) -> Error {
    match (step, code) {
        (_, Some(1004)) => Error::Restricted,
        (_, Some(3024)) => Error::Locked,
        (_, Some(2001)) => Error::Expired,
        (Step::Refresh, code) if code == Some(1000) || status >= 500 => Error::Service { status },
        // Nobody has typed a password, tokens are all that was sent: whatever is wrong with them, a login mends it.
        (Step::Refresh, _) | (Step::Api, Some(1001)) => Error::Expired,
        (_, Some(1003)) => Error::WrongKey,
        // The password has just been accepted, so the code is what is wrong; the service says so with a bare 400.
        (Step::SecondFactor, Some(1001 | 3019)) => Error::WrongCode,
        (Step::SecondFactor, _) if status == 400 => Error::WrongCode,
        (_, Some(1001)) => Error::WrongPassword,
        (_, Some(3019)) => Error::SecondFactorUnsupported,
        // 1000 also stands for "invalid credentials" at the login.
        (Step::Login, Some(1000)) if blames_credentials(verdict) => Error::Refused,
        (_, Some(1000)) => Error::Service { status },
        _ if status >= 500 => Error::Service { status },
        _ => Error::Code { code, status },
    }
}

fn blames_credentials(verdict: &Verdict) -> bool {
    [&verdict.description, &verdict.msg]
        .iter()
        .any(|text| text.text().to_ascii_lowercase().contains("credential"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_limit_is_read_in_every_form_it_comes_in() {
        let expected = SystemTime::UNIX_EPOCH + Duration::from_secs(1_788_266_096);
        for text in [
            "Tue Sep 01 12:34:56 UTC 2026",
            "Tue Sep 1 12:34:56 GMT 2026",
            "Tue, 01 Sep 2026 12:34:56 GMT",
        ] {
            assert_eq!(reset_time(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "soon",
            "Tue Sep 01 12:34:56 PDT 2026",
            "Tue Sep 99 12:34:56 UTC 2026",
        ] {
            assert_eq!(reset_time(text), None, "{text}");
        }
    }

    #[test]
    fn an_absurd_wait_is_cut() {
        let latest = SystemTime::now() + WAIT_MAX + Duration::from_secs(60);
        assert!(retry_time(&u64::MAX.to_string()).unwrap() < latest);
        assert!(retry_time("120").unwrap() > SystemTime::now());
        assert_eq!(retry_time("-5"), None);
    }
}
