//! How far a connection has come. Where it stops is the cause.

use std::time::Duration;

use wyze_std::session::Cause;

use crate::failure::{Exit, Failure};
use crate::step::Step;

/// The last step that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reached {
    Nothing,
    Found,
    Session,
    Secured,
    LoggedIn,
    Authenticated,
    FirstFrame,
}

impl From<&Step> for Reached {
    fn from(step: &Step) -> Self {
        match step {
            Step::Found { .. } => Self::Found,
            Step::Open => Self::Session,
            Step::Secured { .. } | Step::Plain { .. } => Self::Secured,
            Step::LoggedIn { .. } => Self::LoggedIn,
            Step::Authenticated(_) => Self::Authenticated,
            Step::FirstFrame { .. } => Self::FirstFrame,
        }
    }
}

impl Reached {
    /// What it means that the user's own deadline passed here, before the session's; `None` once the camera has let us
    /// in.
    pub(crate) fn out_of_time(self, timeout: Duration) -> Option<Failure> {
        let cause = match self {
            Self::Nothing => Cause::NoAnswer,
            Self::Found => Cause::Refused,
            Self::Session => Cause::WrongKey,
            Self::Secured => Cause::LoginTimeout,
            Self::LoggedIn => Cause::AuthTimeout,
            Self::Authenticated | Self::FirstFrame => return None,
        };
        Some(Failure::new(
            Exit::of(cause),
            format!(
                "no success within the {:.1} s of --timeout; {cause}",
                timeout.as_secs_f64()
            ),
        ))
    }
}

/// No socket, or no address for the host.
pub(crate) fn socket_failure(error: &std::io::Error) -> Failure {
    let exit = match error.kind() {
        std::io::ErrorKind::NotFound => Exit::NoAnswer,
        _ => Exit::Internal,
    };
    Failure::new(
        exit,
        format!("cannot reach the network: {error}; check the host in the URL"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_stopped_is_the_cause() {
        let exit = |reached: Reached| reached.out_of_time(Duration::from_secs(1)).map(|f| f.exit);
        assert_eq!(exit(Reached::Nothing), Some(Exit::NoAnswer));
        assert_eq!(exit(Reached::Found), Some(Exit::Refused));
        assert_eq!(exit(Reached::Session), Some(Exit::Credentials));
        assert_eq!(exit(Reached::Secured), Some(Exit::LoginTimeout));
        assert_eq!(exit(Reached::LoggedIn), Some(Exit::LoginTimeout));
        assert_eq!(exit(Reached::Authenticated), None);
    }
}
