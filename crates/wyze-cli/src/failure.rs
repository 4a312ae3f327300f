//! Why the program fails: one line for the user, one exit code for scripts (`docs/exit-codes.md`).

use std::fmt;

use wyze_cloud::{Error as CloudError, FindError, NoUrl, StoreError};
use wyze_media::{AudioInputError, ClipError, SinkError};
use wyze_std::UrlError;
use wyze_std::session::Cause;
use wyze_std::session::kauth::settings::{ActionError, PtzError};
use wyze_std::session::kauth::{AuthError, CredentialError};

/// Exit codes by cause. The numbers are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Internal = 1,
    Usage = 2,
    NoAnswer = 10,
    OtherDevice = 11,
    Refused = 12,
    SecureChannel = 13,
    Credentials = 14,
    Unavailable = 15,
    Lost = 16,
    LoginTimeout = 17,
    NoMedia = 18,
    Input = 20,
    Output = 21,
    Url = 22,
    Model = 23,
    Unsupported = 24,
    NoReply = 25,
    NotDone = 26,
    NoTalk = 27,
    Login = 30,
    Blocked = 31,
    LoggedOut = 32,
    Service = 33,
    Store = 34,
    NoCamera = 35,
    Interrupted = 130,
}

impl Exit {
    /// The number the process ends with.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    /// The name in `docs/exit-codes.md` and in `--json`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Usage => "usage",
            Self::NoAnswer => "no-answer",
            Self::OtherDevice => "other-device",
            Self::Refused => "refused",
            Self::SecureChannel => "secure-channel",
            Self::Credentials => "credentials",
            Self::Unavailable => "unavailable",
            Self::Lost => "lost",
            Self::LoginTimeout => "login-timeout",
            Self::NoMedia => "no-media",
            Self::Input => "input",
            Self::Output => "output",
            Self::Url => "url",
            Self::Model => "model",
            Self::Unsupported => "unsupported",
            Self::NoReply => "no-reply",
            Self::NotDone => "not-done",
            Self::NoTalk => "no-talk",
            Self::Login => "login",
            Self::Blocked => "blocked",
            Self::LoggedOut => "logged-out",
            Self::Service => "service",
            Self::Store => "store",
            Self::NoCamera => "no-camera",
            Self::Interrupted => "interrupted",
        }
    }

    /// What a session's end means to a script.
    pub(crate) const fn of(cause: Cause) -> Self {
        use tutk_dtls::Error as Secure;
        match cause {
            Cause::Local => Self::Interrupted,
            Cause::Peer | Cause::Lost | Cause::Stalled | Cause::Exhausted => Self::Lost,
            Cause::NoAnswer => Self::NoAnswer,
            Cause::OtherDevice => Self::OtherDevice,
            Cause::Refused => Self::Refused,
            // With PSK-AES128-CBC-SHA256 a wrong key shows as bad_record_mac or decrypt_error.
            Cause::WrongKey | Cause::Secure(Secure::PeerAlert(20 | 51)) => Self::Credentials,
            Cause::Secure(Secure::BufferTooSmall) | Cause::BufferTooSmall => Self::Internal,
            Cause::Secure(Secure::SequenceExhausted) => Self::Lost,
            Cause::Secure(_) | Cause::Unencrypted => Self::SecureChannel,
            Cause::LoginTimeout | Cause::AuthTimeout => Self::LoginTimeout,
            Cause::Auth(
                AuthError::CameraUpdating | AuthError::CheckingEnr | AuthError::CameraOff,
            ) => Self::Unavailable,
            Cause::Auth(_) => Self::Credentials,
            _ => Self::Internal,
        }
    }

    /// What the account service's refusal means to a script.
    pub(crate) const fn of_account(error: CloudError) -> Self {
        match error {
            CloudError::Input(_)
            | CloudError::WrongPassword
            | CloudError::WrongKey
            | CloudError::Refused
            | CloudError::WrongCode
            | CloudError::NotOffered
            | CloudError::SecondFactorUnsupported => Self::Login,
            CloudError::Restricted | CloudError::Locked | CloudError::RateLimited { .. } => {
                Self::Blocked
            }
            CloudError::Expired => Self::LoggedOut,
            _ => Self::Service,
        }
    }
}

/// Why the program fails. Displays as `cause; remedy`, without any secret.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self::new(Exit::of(cause), cause.to_string())
    }
}

impl From<UrlError> for Failure {
    fn from(error: UrlError) -> Self {
        let remedy = match error {
            // It names its own.
            UrlError::MissingParent(_) => "",
            _ => "; write wyze://HOST[:PORT]?uid=UID&enr=ENR&mac=MAC&model=MODEL in quotes",
        };
        Self::new(Exit::Url, format!("{error}{remedy}"))
    }
}

impl From<CredentialError> for Failure {
    fn from(error: CredentialError) -> Self {
        Self::new(Exit::Url, error.to_string())
    }
}

impl From<PtzError> for Failure {
    fn from(error: PtzError) -> Self {
        Self::new(Exit::Usage, error.to_string())
    }
}

impl From<ActionError> for Failure {
    fn from(error: ActionError) -> Self {
        Self::new(Exit::Usage, error.to_string())
    }
}

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Self {
        Self::new(Exit::of_account(error), error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(Exit::Store, error.to_string())
    }
}

impl From<FindError> for Failure {
    fn from(error: FindError) -> Self {
        let remedy = match &error {
            FindError::NoCameras => {
                "; wyze login does both, and a camera's wyze:// URL needs neither"
            }
            FindError::Unknown { .. } => "; wyze cameras --refresh fetches the list again",
            _ => "",
        };
        Self::new(Exit::NoCamera, format!("{error}{remedy}"))
    }
}

impl From<NoUrl> for Failure {
    fn from(error: NoUrl) -> Self {
        let exit = match error {
            NoUrl::Unsupported(_) => Exit::Model,
            _ => Exit::NoCamera,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<ClipError> for Failure {
    fn from(error: ClipError) -> Self {
        Self::new(Exit::Input, error.to_string())
    }
}

impl From<AudioInputError> for Failure {
    fn from(error: AudioInputError) -> Self {
        Self::new(Exit::Input, error.to_string())
    }
}

impl From<SinkError> for Failure {
    fn from(error: SinkError) -> Self {
        let exit = match &error {
            SinkError::UnknownFormat { .. } => Exit::Usage,
            SinkError::NothingWritten => Exit::NoMedia,
            _ => Exit::Output,
        };
        let message = if error.is_broken_pipe() {
            "the program that reads the output has ended; nothing more can be written".to_owned()
        } else {
            error.to_string()
        };
        Self::new(exit, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tutk_dtls::Error as Secure;
    use wyze_media::AudioInput;

    /// `docs/exit-codes.md`, second table.
    #[test]
    fn every_cause_has_its_exit_code() {
        for (cause, exit) in [
            (Cause::Local, 130),
            (Cause::NoAnswer, 10),
            (Cause::OtherDevice, 11),
            (Cause::Refused, 12),
            (Cause::WrongKey, 14),
            (Cause::Secure(Secure::NoCommonSuite), 13),
            (Cause::Secure(Secure::Version), 13),
            (Cause::Secure(Secure::Extension), 13),
            (Cause::Secure(Secure::Group), 13),
            (Cause::Secure(Secure::LowOrderPoint), 13),
            (Cause::Secure(Secure::BadFinished), 13),
            (Cause::Secure(Secure::UnknownIdentity), 13),
            (Cause::Secure(Secure::PeerAlert(40)), 13),
            (Cause::Secure(Secure::PeerAlert(20)), 14),
            (Cause::Secure(Secure::PeerAlert(51)), 14),
            (Cause::Secure(Secure::SequenceExhausted), 16),
            (Cause::Secure(Secure::BufferTooSmall), 1),
            (Cause::Exhausted, 16),
            (Cause::LoginTimeout, 17),
            (Cause::AuthTimeout, 17),
            (Cause::Auth(AuthError::CameraUpdating), 15),
            (Cause::Auth(AuthError::CheckingEnr), 15),
            (Cause::Auth(AuthError::CameraOff), 15),
            (Cause::Auth(AuthError::UnknownStatus(9)), 14),
            (Cause::Auth(AuthError::EnrTooShort), 14),
            (Cause::Auth(AuthError::EnrRejected), 14),
            (Cause::Auth(AuthError::Rejected), 14),
            (Cause::Auth(AuthError::UnreadableReply), 14),
            (Cause::Peer, 16),
            (Cause::Lost, 16),
            (Cause::Stalled, 16),
            (Cause::BufferTooSmall, 1),
        ] {
            assert_eq!(Exit::of(cause).code(), exit, "{cause:?}");
        }
    }

    /// `docs/exit-codes.md`, third table.
    #[test]
    fn every_refusal_of_the_account_has_its_exit_code() {
        for (error, exit) in ACCOUNT {
            assert_eq!(Exit::of_account(error).code(), exit, "{error:?}");
        }
    }

    const ACCOUNT: [(CloudError, u8); 24] = [
        (CloudError::Input("the password"), 30),
        (CloudError::WrongPassword, 30),
        (CloudError::WrongKey, 30),
        (CloudError::Refused, 30),
        (CloudError::WrongCode, 30),
        (CloudError::NotOffered, 30),
        (CloudError::SecondFactorUnsupported, 30),
        (CloudError::Restricted, 31),
        (CloudError::Locked, 31),
        (CloudError::RateLimited { until: None }, 31),
        (CloudError::Expired, 32),
        (CloudError::Service { status: 500 }, 33),
        (CloudError::HostNotFound, 33),
        (CloudError::Timeout, 33),
        (CloudError::Tls, 33),
        (
            CloudError::Code {
                code: Some(7),
                status: 200,
            },
            33,
        ),
        (
            CloudError::Code {
                code: None,
                status: 400,
            },
            33,
        ),
        (CloudError::NotJson { status: 200 }, 33),
        (CloudError::Field("x"), 33),
        (CloudError::TooLong, 33),
        (CloudError::Endpoint, 33),
        (
            CloudError::Unreachable(std::io::ErrorKind::ConnectionRefused),
            33,
        ),
        (CloudError::Truncated, 33),
        (
            CloudError::RateLimited {
                until: Some(std::time::UNIX_EPOCH),
            },
            31,
        ),
    ];

    #[test]
    fn a_failure_is_one_line() {
        for failure in [
            Failure::from(Cause::NoAnswer),
            Failure::from(UrlError::Scheme),
            Failure::from(CredentialError::EnrLength),
            Failure::from(ClipError::UnknownFormat),
            Failure::from(SinkError::NothingWritten),
            Failure::from(PtzError::UnknownVerb),
            Failure::from(CloudError::Locked),
            Failure::from(StoreError::NoHome),
            Failure::from(FindError::NoCameras),
            Failure::from(NoUrl::NoUid),
            Failure::from(AudioInput::open("no\nfile.wav", None).unwrap_err()),
        ]
        .into_iter()
        .chain(ACCOUNT.map(|(error, _)| error.into()))
        {
            assert_eq!(failure.to_string().lines().count(), 1, "{failure}");
        }
    }

    #[test]
    fn the_codes_are_those_of_the_documentation() {
        let documented = include_str!("../../../docs/exit-codes.md");
        for exit in [
            Exit::Internal,
            Exit::Usage,
            Exit::NoAnswer,
            Exit::OtherDevice,
            Exit::Refused,
            Exit::SecureChannel,
            Exit::Credentials,
            Exit::Unavailable,
            Exit::Lost,
            Exit::LoginTimeout,
            Exit::NoMedia,
            Exit::Input,
            Exit::Output,
            Exit::Url,
            Exit::Model,
            Exit::Unsupported,
            Exit::NoReply,
            Exit::NotDone,
            Exit::NoTalk,
            Exit::Login,
            Exit::Blocked,
            Exit::LoggedOut,
            Exit::Service,
            Exit::Store,
            Exit::NoCamera,
            Exit::Interrupted,
        ] {
            let row = format!("| {} | `{}` |", exit.code(), exit.name());
            assert!(documented.contains(&row), "docs/exit-codes.md lacks {row}");
        }
    }
}
