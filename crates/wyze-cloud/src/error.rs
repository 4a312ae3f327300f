//! Why a request to the account service failed, and what the user can do about it.

use std::fmt;
use std::io;
use std::time::SystemTime;

/// Why a request to the account service failed. Each prints as one line that names the remedy and holds no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    // what the user gave
    /// A text that cannot be what its name says: it is empty or holds impossible characters. Nothing was sent.
    Input(&'static str),
    /// Code 1001 at a login: wrong e-mail or password.
    WrongPassword,
    /// Code 1003: wrong API key or key id.
    WrongKey,
    /// The service refuses the login and does not say which of the four credentials is wrong.
    Refused,
    /// Code 1004: the service restricts this account, place or device.
    Restricted,
    /// Code 3024: the account is locked.
    Locked,
    /// The account wants a second factor of a kind that this crate does not know.
    SecondFactorUnsupported,
    /// API misuse: the account does not offer the factor that was used.
    NotOffered,
    /// The code of the second factor was not accepted.
    WrongCode,
    /// The tokens have expired (codes 2001 and 1001), and the service refuses to renew them, with whatever code.
    Expired,

    // what the service said
    /// Too many requests; with the time at which they are welcome again, if the service said so.
    RateLimited {
        /// When to try again.
        until: Option<SystemTime>,
    },
    /// Code 1000 or an HTTP status of 500 and more: the service has a problem of its own.
    Service {
        /// HTTP status.
        status: u16,
    },
    /// A code that is not known.
    Code {
        /// The code; `None` when it is no number or absent.
        code: Option<u32>,
        /// HTTP status.
        status: u16,
    },
    /// The answer is no JSON, so probably not from the service.
    NotJson {
        /// HTTP status.
        status: u16,
    },
    /// The answer lacks this field.
    Field(&'static str),
    /// The answer is longer than any that makes sense.
    TooLong,

    // the way there
    /// A base URL that is not `https://HOST[:PORT]`.
    Endpoint,
    /// The service's name has no address.
    HostNotFound,
    /// No connection, or it broke.
    Unreachable(io::ErrorKind),
    /// The answer ended before it was complete, or is no HTTP at all.
    Truncated,
    /// No complete answer in time.
    Timeout,
    /// No trustworthy TLS connection.
    Tls,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input(what) => {
                return write!(f, "{what} is empty or holds an impossible character: enter it again");
            }
            Self::WrongPassword => "wrong e-mail or password: enter them again; mind that too many attempts lock the account",
            Self::WrongKey => {
                "wrong API key or key id: copy both again from the Wyze developer console, or make a new pair there"
            }
            Self::Refused => {
                "the account service refuses the login: check e-mail, password, key id and API key (it does not say which is wrong)"
            }
            Self::Restricted => {
                "the account service restricts this login (code 1004): confirm the sign-in in the Wyze app, or try without VPN"
            }
            Self::Locked => "the account is locked: unlock it in the Wyze app, or wait, then log in again",
            Self::SecondFactorUnsupported => {
                "the account wants a second factor that is not supported: switch on an authenticator app or SMS in the Wyze app"
            }
            Self::NotOffered => "the account does not offer this second factor: use another one",
            Self::WrongCode => "the verification code was not accepted: enter a fresh one (and check the clock of the phone)",
            Self::Expired => "the login has expired and could not be renewed: log in again",
            Self::RateLimited { until: None } => {
                "too many requests to the account service: wait an hour, then try again"
            }
            Self::RateLimited { until: Some(time) } => {
                return write!(
                    f,
                    "too many requests to the account service: try again after {}",
                    httpdate::HttpDate::from(*time)
                );
            }
            Self::Service { status } => {
                return write!(
                    f,
                    "the account service has a problem of its own (HTTP {status}): try again later"
                );
            }
            Self::Code { code: Some(code), status } => {
                return write!(
                    f,
                    "the account service answered with the unknown code {code} (HTTP {status}): try again, or report this"
                );
            }
            Self::Code { code: None, status } => {
                return write!(
                    f,
                    "the account service refused without a reason (HTTP {status}): try again, or report this"
                );
            }
            Self::NotJson { status } => {
                return write!(
                    f,
                    "the answer is not from the account service (HTTP {status}): is there a login page or a proxy in between?"
                );
            }
            Self::Field(name) => {
                return write!(
                    f,
                    "the account service's answer lacks {name}: it may have changed; look for a newer version of this program"
                );
            }
            Self::TooLong => "the answer is too long to be from the account service: is there a proxy in between?",
            Self::Endpoint => "the address of the account service must be https://HOST",
            Self::HostNotFound => "the account service's name was not found: is this computer online?",
            Self::Unreachable(kind) => {
                return write!(
                    f,
                    "no connection to the account service ({kind}): is this computer online?"
                );
            }
            Self::Truncated => "the account service's answer broke off or is no HTTP: try again",
            Self::Timeout => "the account service did not answer in time: try again",
            Self::Tls => {
                "no trustworthy connection to the account service: check this computer's clock, and whether a proxy opens its connections"
            }
        })
    }
}

impl std::error::Error for Error {}
