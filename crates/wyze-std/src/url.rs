//! `wyze://` URLs as go2rtc writes them, so that people paste theirs unchanged.

#[cfg(any(test, feature = "fuzz"))]
#[cfg_attr(not(feature = "fuzz"), allow(unreachable_pub))]
mod fuzz;

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use url::Url;
use wyze_session::{ClientConfig, Enr, Hello, LAN_PORT, Mac, PlainPolicy, Uid, kauth::models};

#[cfg(feature = "fuzz")]
pub use fuzz::url;

/// `wyze://HOST[:PORT]?uid=…&enr=…&mac=…[&model=…][&subtype=…][&dtls=…]`.
///
/// | part | meaning |
/// |---|---|
/// | `HOST` | last known address or name; the camera is searched there and by broadcast |
/// | `PORT` | 32761 when absent |
/// | `uid` | 20 characters; the camera's identity |
/// | `enr` | the camera's secret |
/// | `mac` | MAC address, with or without colons |
/// | `model` | such as `HL_CAM4`; decides how a resolution is asked for |
/// | `subtype` | quality: `hd`, `sd`, `360p`, `720p`, `2k` |
/// | `parent_enr`, `parent_mac` | secret and MAC of the base station, for outdoor cameras behind one |
/// | `parent_dtls` | `false`: the base station's secret only continues the camera's own in the challenge, and does not make its keys |
/// | `dtls` | accepted and ignored: the camera's answers decide |
///
/// `Debug` shows no secret.
#[derive(Clone)]
pub struct CameraUrl {
    host: String,
    port: u16,
    uid: Uid,
    enr: Enr,
    mac: Mac,
    parent: Option<(Enr, Mac)>,
    parent_dtls: bool,
    model: Option<String>,
    subtype: Option<String>,
    plain: PlainPolicy,
}

/// What is wrong with a URL. Never repeats its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// It is no URL at all.
    Syntax(String),
    /// It does not begin with `wyze://`.
    Scheme,
    /// There is no host.
    NoHost,
    /// A parameter that is needed is absent.
    Missing(&'static str),
    /// Of `parent_enr` and `parent_mac`, this one is absent.
    MissingParent(&'static str),
    /// A parameter holds what it can't.
    Invalid {
        /// Its name.
        parameter: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(why) => write!(f, "not a URL: {why}"),
            Self::Scheme => f.write_str("a camera URL begins with wyze://"),
            Self::NoHost => f.write_str("the URL has no host: wyze://HOST?uid=…"),
            Self::Missing(name) => write!(
                f,
                "the URL lacks {name}=; needed are uid, enr and mac (quote the URL: & is special to shells)"
            ),
            Self::MissingParent(name) => write!(
                f,
                "the URL lacks {name}=; a camera behind a base station takes both parent_enr and parent_mac, any other one \
                 neither"
            ),
            Self::Invalid {
                parameter,
                expected,
            } => write!(f, "{parameter}= in the URL must be {expected}"),
        }
    }
}

impl std::error::Error for UrlError {}

impl FromStr for CameraUrl {
    type Err = UrlError;

    fn from_str(s: &str) -> Result<Self, UrlError> {
        let url = Url::parse(s).map_err(|e| UrlError::Syntax(e.to_string()))?;
        if url.scheme() != "wyze" {
            return Err(UrlError::Scheme);
        }
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or(UrlError::NoHost)?;
        let get = |name: &str| {
            url.query_pairs()
                .find(|(key, value)| key == name && !value.is_empty())
                .map(|(_, value)| value.into_owned())
        };
        let need = |name: &'static str| get(name).ok_or(UrlError::Missing(name));
        let invalid = |parameter, expected| UrlError::Invalid {
            parameter,
            expected,
        };
        let mac = |name, value: &str| {
            Mac::new(&value.replace([':', '-'], ""))
                .map_err(|_| invalid(name, "as in the device list, such as AABBCCDDEEFF"))
        };
        let enr = |name, value: &str| {
            Enr::new(value)
                .map_err(|_| invalid(name, "an ENR as in the device list, at least 16 characters"))
        };
        let parent = match (get("parent_enr"), get("parent_mac")) {
            (Some(parent_enr), Some(parent_mac)) => Some((
                enr("parent_enr", &parent_enr)?,
                mac("parent_mac", &parent_mac)?,
            )),
            (None, None) => None,
            (Some(_), None) => return Err(UrlError::MissingParent("parent_mac")),
            (None, Some(_)) => return Err(UrlError::MissingParent("parent_enr")),
        };
        let parent_dtls = match get("parent_dtls").as_deref() {
            None | Some("true" | "1") => true,
            Some("false" | "0") => false,
            Some(_) => return Err(invalid("parent_dtls", "true or false")),
        };
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(LAN_PORT),
            uid: need("uid")?
                .parse()
                .map_err(|_| invalid("uid", "20 letters and digits"))?,
            enr: enr("enr", &need("enr")?)?,
            mac: mac("mac", &need("mac")?)?,
            parent,
            parent_dtls,
            model: get("model"),
            subtype: get("subtype"),
            plain: PlainPolicy::Allowed,
        })
    }
}

impl CameraUrl {
    /// What a session must know, with everything that the URL does not say as most cameras want it. It has no targets
    /// yet: [`Connection::open`](crate::Connection::open) fills them in.
    pub fn config(&self) -> ClientConfig<'_> {
        let mut config = ClientConfig::new(self.uid, &self.enr, &self.mac, &[]);
        config.plain = self.plain;
        config.parent = self.parent.as_ref().map(|(enr, mac)| (enr, mac));
        config.parent_dtls = self.parent_dtls;
        if let Some(model) = self.model.as_deref().and_then(models::lookup) {
            config.resend = model.resend;
            if model.wants_wake_up() {
                config.hello = Hello::WakeUp;
            }
        }
        config
    }

    /// From now on [`config`](Self::config) refuses a camera that speaks no DTLS. What the URL itself says about DTLS is
    /// ignored: what the camera answers decides.
    pub fn require_dtls(&mut self) {
        self.plain = PlainPolicy::Refused;
    }

    /// The camera's model code, if the URL says it.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The quality asked for, if the URL says it.
    pub fn subtype(&self) -> Option<&str> {
        self.subtype.as_deref()
    }

    /// The address the URL names.
    ///
    /// # Errors
    /// The name has no address.
    pub fn resolve(&self) -> io::Result<SocketAddr> {
        let mut addresses: Vec<SocketAddr> =
            (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        addresses.sort_by_key(SocketAddr::is_ipv6); // cameras speak IPv4
        addresses
            .first()
            .copied()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host name has no address"))
    }
}

impl fmt::Debug for CameraUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CameraUrl")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("model", &self.model)
            .field("subtype", &self.subtype)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "wyze://127.0.0.1:32763?uid=HSBJYB5HSETGCDWD111A&enr=roTRg3tiuL3TjXhmz9bQ4wVf7sKc2NpA\
                        &mac=AA:BB:CC:DD:EE:FF&model=HL_CAM4&subtype=hd&dtls=true";

    #[test]
    fn a_go2rtc_url_is_read_unchanged() {
        let url: CameraUrl = GOOD.parse().unwrap();
        assert_eq!(url.resolve().unwrap(), "127.0.0.1:32763".parse().unwrap());
        assert_eq!(url.model(), Some("HL_CAM4"));
        assert_eq!(url.subtype(), Some("hd"));
    }

    #[test]
    fn the_port_defaults_to_the_lan_port() {
        let url: CameraUrl = GOOD.replace(":32763", "").parse().unwrap();
        assert_eq!(url.resolve().unwrap().port(), 32761);
    }

    #[test]
    fn debug_shows_no_secret() {
        let url: CameraUrl = GOOD.parse().unwrap();
        let debug = format!("{url:?}");
        for secret in ["HSBJY", "roTRg", "AABB", "AA:BB"] {
            assert!(!debug.contains(secret), "{debug}");
        }
    }

    #[test]
    fn each_mistake_has_its_own_error() {
        let parse = |s: &str| s.parse::<CameraUrl>().unwrap_err();
        assert!(matches!(parse("nonsense"), UrlError::Syntax(_)));
        assert_eq!(parse("http://h/?uid=1"), UrlError::Scheme);
        assert_eq!(parse(&GOOD.replace("uid=", "u=")), UrlError::Missing("uid"));
        assert_eq!(parse(&GOOD.replace("enr=", "e=")), UrlError::Missing("enr"));
        assert!(matches!(
            parse(&GOOD.replace("HSBJY", "")),
            UrlError::Invalid {
                parameter: "uid",
                ..
            }
        ));
        assert!(matches!(
            parse(&GOOD.replace("AA:BB", "!!")),
            UrlError::Invalid {
                parameter: "mac",
                ..
            }
        ));
    }

    const BASE: &str = "&parent_enr=base%2Benr-16byte!&parent_mac=00:aa:11:bb:22:dd";

    #[test]
    fn a_base_stations_credentials_make_the_keys_unless_the_url_says_otherwise() {
        let url = |more: &str| -> CameraUrl { format!("{GOOD}{more}").parse().unwrap() };
        let plain = url("");
        assert!(plain.config().parent.is_none());
        assert_eq!(plain.config().credentials().1.as_str(), "AABBCCDDEEFF");
        for (more, own) in [
            ("", false),
            ("&parent_dtls=true", false),
            ("&parent_dtls=1", false),
            ("&parent_dtls=false", true),
            ("&parent_dtls=0", true),
        ] {
            let url = url(&format!("{BASE}{more}"));
            let config = url.config();
            let (enr, mac) = config.parent.unwrap();
            assert_eq!(enr.as_bytes(), b"base+enr-16byte!");
            assert_eq!(mac.as_str(), "00AA11BB22DD");
            let keys = config.credentials().1.as_str();
            assert_eq!(keys == "AABBCCDDEEFF", own, "{more}");
            let debug = format!("{url:?}");
            assert!(
                !debug.contains("base") && !debug.contains("00AA"),
                "{debug}"
            );
        }
    }

    #[test]
    fn what_is_wrong_with_a_base_stations_credentials_is_named() {
        let shown = |more: &str| {
            let error = format!("{GOOD}{more}").parse::<CameraUrl>().unwrap_err();
            (error.to_string(), error)
        };
        let (enr, mac) = BASE.split_at(BASE.rfind('&').unwrap());
        for (given, lacks) in [(enr, "parent_mac"), (mac, "parent_enr")] {
            let (text, error) = shown(given);
            assert_eq!(error, UrlError::MissingParent(lacks));
            assert!(
                text.starts_with(&format!("the URL lacks {lacks}=")),
                "{text}"
            );
            assert!(!text.contains("uid"), "{text}");
        }
        for (bad, parameter) in [
            (BASE.replace("-16byte", ""), "parent_enr"),
            (BASE.replace("00:aa", "!!"), "parent_mac"),
            (format!("{BASE}&parent_dtls=2"), "parent_dtls"),
        ] {
            let (text, error) = shown(&bad);
            assert!(
                matches!(error, UrlError::Invalid { parameter: p, .. } if p == parameter),
                "{error:?}"
            );
            assert!(
                text.starts_with(&format!("{parameter}= in the URL must be ")),
                "{text}"
            );
        }
    }
}
