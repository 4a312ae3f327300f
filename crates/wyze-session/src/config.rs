//! What a session must know beforehand.

use core::net::SocketAddr;
use core::time::Duration;

#[cfg(feature = "client")]
use tutk_av::LoginConfig;
use tutk_dtls::Suites;
#[cfg(feature = "client")]
use tutk_iotc::AuthKey;
use tutk_iotc::{Framings, Uid};
#[cfg(feature = "client")]
use wyze_kauth::AuthenticatorConfig;
use wyze_kauth::{Enr, Hello, Mac, OpenUserId, ResponseCommand};

#[cfg(doc)]
use crate::Cause;

/// What to do with a camera that does not answer the DTLS handshake, as firmware from before about 2021 does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PlainPolicy {
    /// Speak to it without encryption, in the generation that it answers in. Whoever can forge its packets can then
    /// pretend to be such a camera (`docs/security.md`).
    #[default]
    Allowed,
    /// Give up: for owners who know that their camera speaks DTLS. [`Cause::Unencrypted`] when the camera says that it is
    /// too old for that.
    Refused,
}

/// How long media that are wanted may not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StallConfig {
    /// After this long they are asked for once more.
    pub ask: Duration,
    /// After this long the session ends.
    pub limit: Duration,
}

impl StallConfig {
    /// 3 s and 8 s (`docs/protocol.md` §2.14).
    pub const DEFAULT: Self = Self {
        ask: Duration::from_secs(3),
        limit: Duration::from_secs(8),
    };
}

impl Default for StallConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What a [`Client`](crate::Client) must know about its camera.
#[derive(Debug, Clone, Copy)]
pub struct ClientConfig<'a> {
    /// The camera's identity. Whoever answers with it is the camera, whatever its address.
    pub uid: Uid,
    /// The camera's secret, 16 or 32 characters.
    pub enr: &'a Enr,
    /// The camera's MAC address.
    pub mac: &'a Mac,
    /// ENR and MAC of the base station, for outdoor cameras behind one. Its ENR continues the camera's own in the
    /// challenge; with `parent_dtls`, both make the keys (`docs/protocol.md` §3.1).
    pub parent: Option<(&'a Enr, &'a Mac)>,
    /// Whether the base station's credentials, instead of the camera's own, make AuthKey, PSK and the password of the AV
    /// login: what the account service calls `main_device_dtls`.
    pub parent_dtls: bool,
    /// Where to search: the last known address and broadcast addresses, usually with port
    /// [`LAN_PORT`](tutk_iotc::LAN_PORT).
    pub targets: &'a [SocketAddr],
    /// Framings to search with.
    pub framings: Framings,
    /// Cipher suites to offer.
    pub suites: Suites,
    /// Whether video starts with the session.
    pub video: bool,
    /// Whether audio starts with the session.
    pub audio: bool,
    /// What K10000 says.
    pub hello: Hello,
    /// Which K-command answers the challenge.
    pub command: ResponseCommand,
    /// The account's user id, which K10006 and K10008 carry; `None` leaves it empty.
    pub open_user_id: Option<&'a OpenUserId>,
    /// How long a complete frame waits for an earlier one that is still incomplete, without lossless mode.
    pub reorder: Duration,
    /// When media that do not come are asked for again, and given up; `None`: whoever calls watches over them.
    pub stall: Option<StallConfig>,
    /// Whether to ask for lossless mode: the camera sends again what was lost, and a frame waits up to 600 ms for that.
    /// It takes [`Storage::repair`](crate::Storage::repair) and whole frames, not chunks; without them it is not asked
    /// for. Outdoor cameras behind a base station refuse it.
    pub resend: bool,
    /// What to do without DTLS. Over CC51 there is always DTLS.
    pub plain: PlainPolicy,
}

impl<'a> ClientConfig<'a> {
    /// Searches for a camera at `targets` with everything else as most cameras want it: both framings, both suites,
    /// video and audio on, 200 ms for reordering, lossless mode where there is memory for it.
    pub fn new(uid: Uid, enr: &'a Enr, mac: &'a Mac, targets: &'a [SocketAddr]) -> Self {
        Self {
            uid,
            enr,
            mac,
            parent: None,
            parent_dtls: true,
            targets,
            framings: Framings::BOTH,
            suites: Suites::ALL,
            video: true,
            audio: true,
            hello: Hello::AudioCodecs,
            command: ResponseCommand::K10002,
            open_user_id: None,
            reorder: Duration::from_millis(200),
            stall: Some(StallConfig::DEFAULT),
            resend: true,
            plain: PlainPolicy::Allowed,
        }
    }

    /// ENR and MAC that make AuthKey, PSK and the password of the AV login: the camera's own, or its base station's.
    pub fn credentials(&self) -> (&'a Enr, &'a Mac) {
        self.parent
            .filter(|_| self.parent_dtls)
            .unwrap_or((self.enr, self.mac))
    }
}

#[cfg(feature = "client")]
impl<'a> ClientConfig<'a> {
    /// What the IOTC layer must know.
    pub(crate) fn iotc(&self) -> tutk_iotc::ClientConfig<'a> {
        let (enr, mac) = self.credentials();
        tutk_iotc::ClientConfig {
            framings: self.framings,
            ..tutk_iotc::ClientConfig::new(
                self.uid,
                AuthKey::new(wyze_kauth::auth_key(enr, mac)),
                self.targets,
            )
        }
    }

    /// What the AV login must know. `resend`: there is memory for lossless mode.
    pub(crate) fn login(&self, resend: bool) -> LoginConfig<'a> {
        LoginConfig {
            user: b"admin",
            password: self.credentials().0.as_bytes(),
            resend,
        }
    }

    /// What the K-command challenge must know.
    pub(crate) fn auth(&self) -> AuthenticatorConfig<'a> {
        AuthenticatorConfig {
            enr: self.enr,
            parent_enr: self.parent.map(|(enr, _)| enr),
            mac: self.mac,
            video: self.video,
            audio: self.audio,
            hello: self.hello,
            command: self.command,
            open_user_id: self.open_user_id,
        }
    }
}

#[cfg(all(test, feature = "client"))]
mod tests {
    use super::*;

    #[test]
    fn a_base_station_that_lends_its_keys_makes_all_of_them_and_the_challenge_takes_both_enrs() {
        let enr = |text| Enr::new(text).unwrap();
        let mac = |text| Mac::new(text).unwrap();
        let (own, own_mac) = (enr("sim-enr-16byte!!"), mac("00AA11BB22CC"));
        let (base, base_mac) = (enr("base-enr-16byte!"), mac("00AA11BB22DD"));
        let uid = "SIMCAMSIMCAMSIMCAM11".parse().unwrap();
        let config = ClientConfig::new(uid, &own, &own_mac, &[]);
        let parent = Some((&base, &base_mac));
        for (parent, parent_dtls, lent) in [
            (None, true, false),
            (parent, true, true),
            (parent, false, false),
        ] {
            let config = ClientConfig {
                parent,
                parent_dtls,
                ..config
            };
            let (enr, mac) = if lent {
                (&base, &base_mac)
            } else {
                (&own, &own_mac)
            };
            assert_eq!(config.credentials().0.as_bytes(), enr.as_bytes());
            assert_eq!(config.credentials().1, mac);
            assert_eq!(config.login(true).password, enr.as_bytes());
            assert_eq!(config.auth().enr.as_bytes(), own.as_bytes());
            assert_eq!(config.auth().mac, &own_mac);
            let continued = config.auth().parent_enr.map(Enr::as_bytes);
            assert_eq!(continued, parent.map(|(enr, _)| enr.as_bytes()));
        }
    }
}
