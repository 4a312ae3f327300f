//! What a session can run over, for tests that must hold over each.

use std::thread;
use std::time::Duration;

use wyze_session::{CameraConfig, Framings, Generation};

/// Framing and generation of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The older framing, and DTLS.
    TransCode,
    /// The newer one, which always has DTLS.
    Cc51,
    /// No DTLS.
    Session25,
    /// No DTLS, and no acknowledgement of media.
    Session16,
}

impl Over {
    const ALL: [Self; 4] = [
        Self::TransCode,
        Self::Cc51,
        Self::Session25,
        Self::Session16,
    ];

    /// Runs a test over each, in a thread that bears its name, so that a failure says where.
    pub(crate) fn each(test: impl Fn(Self) + Sync) {
        thread::scope(|scope| {
            for over in Self::ALL {
                let test = &test;
                thread::Builder::new()
                    .name(format!("{over:?}"))
                    .spawn_scoped(scope, move || test(over))
                    .unwrap();
            }
        });
    }

    pub(crate) fn generation(self) -> Generation {
        match self {
            Self::TransCode | Self::Cc51 => Generation::Dtls,
            Self::Session25 => Generation::Session25,
            Self::Session16 => Generation::Session16,
        }
    }

    /// The generation of a camera without DTLS.
    pub(crate) fn plain(self) -> Option<Generation> {
        Some(self.generation()).filter(|g| g.is_plain())
    }

    /// What is looked for beside DTLS: a viewer tries that alone for so long (`docs/decisions/0022`).
    pub(crate) fn patience(self) -> Duration {
        match self {
            Self::Session25 => Duration::from_millis(1500),
            _ => Duration::ZERO,
        }
    }

    /// How long media may be lost where a side has got another address: until it sends something, which the other knows it
    /// by. That is an ACK ten times a second, and in Session16 an alive every two seconds.
    pub(crate) fn until_heard(self) -> Duration {
        match self {
            Self::Session16 => Duration::from_secs(3),
            _ => Duration::from_secs(1),
        }
    }

    /// How long an outage may be: ten seconds of silence end a session, and in Session16 a viewer that is content says
    /// something every two seconds only.
    pub(crate) fn survives(self) -> Duration {
        match self {
            Self::Session16 => Duration::from_millis(7_500),
            _ => Duration::from_millis(9_500),
        }
    }

    pub(crate) fn apply(self, camera: &mut CameraConfig<'_>) {
        camera.generation = self.generation();
        camera.framings = match self {
            Self::Cc51 => Framings::CC51,
            _ => Framings::TRANSCODE,
        };
    }
}
