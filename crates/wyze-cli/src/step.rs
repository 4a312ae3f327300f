//! How far a connection has come, for people and for scripts.

use std::fmt;
use std::net::SocketAddr;

use serde_json::{Value, json};
use wyze_std::session::{CameraInfo, CipherSuite, Codec, Framing, Generation, Phase};

use crate::say::note;

/// One phase of a connection, in the order in which they come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Found {
        from: SocketAddr,
        framing: Framing,
    },
    Open,
    Secured {
        suite: CipherSuite,
    },
    /// In place of `Secured`.
    Plain {
        generation: Generation,
    },
    LoggedIn {
        two_way: bool,
    },
    Authenticated(Description),
    FirstFrame {
        codec: &'static str,
        bytes: usize,
    },
}

/// What the camera tells about itself, without what identifies it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Description {
    model: Option<String>,
    firmware: Option<String>,
    wifi: Option<i16>,
}

impl Description {
    pub(crate) fn of(info: &CameraInfo<'_>) -> Self {
        Self {
            model: info.model.map(printable),
            firmware: info.firmware.map(printable),
            wifi: info.wifi,
        }
    }
}

/// Text from the network as it may go to a terminal: no control characters, not too long.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .take(40)
        .collect()
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.model.as_deref().unwrap_or("camera of unknown model"))?;
        if let Some(firmware) = &self.firmware {
            write!(f, ", firmware {firmware}")?;
        }
        if let Some(wifi) = self.wifi {
            write!(f, ", Wi-Fi {wifi}")?;
        }
        Ok(())
    }
}

impl From<Phase> for Step {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Found { from, framing } => Self::Found { from, framing },
            Phase::Secured { suite } => Self::Secured { suite },
            Phase::Plain { generation } => Self::Plain { generation },
            Phase::LoggedIn { two_way } => Self::LoggedIn { two_way },
            _ => Self::Open,
        }
    }
}

/// What `--generation` calls it.
const fn generation_name(generation: Generation) -> &'static str {
    match generation {
        Generation::Dtls => "dtls",
        Generation::Session25 => "25",
        Generation::Session16 => "16",
    }
}

impl Step {
    /// Tells the user, in one line, of a session that everybody on the network can watch.
    pub(crate) fn warn(&self) {
        if matches!(self, Self::Plain { .. }) {
            note!(
                "wyze: warning: this session is not encrypted, and nothing proves that it is your camera; \
                 update the camera's firmware, or forbid such sessions with --dtls-only"
            );
        }
    }

    /// Its name in reports and in `--json`.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Found { .. } => "found",
            Self::Open => "session",
            Self::Secured { .. } => "secured",
            Self::Plain { .. } => "plain",
            Self::LoggedIn { .. } => "logged-in",
            Self::Authenticated(_) => "authenticated",
            Self::FirstFrame { .. } => "first-frame",
        }
    }

    /// What `--json` says beside name and time.
    pub(crate) fn details(&self) -> Value {
        match self {
            Self::Found { from, framing } => {
                json!({ "address": from.to_string(), "framing": framing.to_string() })
            }
            Self::Open => json!({}),
            Self::Secured { suite } => json!({ "suite": suite.to_string() }),
            Self::Plain { generation } => json!({ "generation": generation_name(*generation) }),
            Self::LoggedIn { two_way } => json!({ "two_way": two_way }),
            Self::Authenticated(d) => {
                json!({ "model": d.model, "firmware": d.firmware, "wifi": d.wifi })
            }
            Self::FirstFrame { codec, bytes } => json!({ "codec": codec, "bytes": bytes }),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found { from, framing } => {
                write!(f, "{from} answers with our UID, framing {framing}")
            }
            Self::Open => f.write_str("the camera has a free viewer slot"),
            Self::Secured { suite } => write!(f, "the camera knows the ENR; {suite}"),
            Self::Plain { generation } => write!(
                f,
                "the camera's firmware has no encryption (generation {})",
                generation_name(*generation)
            ),
            Self::LoggedIn { two_way: true } => {
                f.write_str("AV login; the camera can be talked to")
            }
            Self::LoggedIn { two_way: false } => f.write_str("AV login"),
            Self::Authenticated(description) => description.fmt(f),
            Self::FirstFrame { codec, bytes } => write!(f, "{codec}, {bytes} bytes"),
        }
    }
}

/// The usual name of a codec.
pub(crate) fn codec_name(codec: Codec) -> &'static str {
    let code = u16::from(codec);
    wyze_media::VideoCodec::from_frame_info(code)
        .map(wyze_media::VideoCodec::name)
        .or_else(|| wyze_media::AudioCodec::from_frame_info(code).map(wyze_media::AudioCodec::name))
        .unwrap_or("a codec that cannot be stored")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_the_network_cannot_drive_the_terminal() {
        assert_eq!(printable("HL_CAM4\x1b[2J\r\nx"), "HL_CAM4[2Jx");
        assert_eq!(printable(&"a".repeat(100)).len(), 40);
    }

    #[test]
    fn a_description_says_what_is_known() {
        assert_eq!(
            Description::default().to_string(),
            "camera of unknown model"
        );
        let full = Description {
            model: Some("HL_CAM4".into()),
            firmware: Some("4.52.9.4188".into()),
            wifi: Some(80),
        };
        assert_eq!(full.to_string(), "HL_CAM4, firmware 4.52.9.4188, Wi-Fi 80");
    }
}
