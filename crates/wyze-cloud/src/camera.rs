//! A camera of the account.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};
use tutk_core::Secret;
use url::Url;
use wyze_kauth::{CredentialError, Enr, Mac, Model, lookup};

use crate::api::Device;

/// Length of a UID, characters.
const UID_LEN: usize = 20;
/// Prefixes of the MACs of devices that do not speak TUTK, whatever model they are.
const OTHER_PROTOCOL_MACS: [&str; 2] = ["GW_", "LD_"];

/// A camera or doorbell of the account. `Debug` shows neither UID nor ENR nor MAC.
#[derive(Clone)]
pub struct Camera(pub(crate) CameraRecord);

/// What the store's file holds of a camera. A text that the service did not give is empty.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct CameraRecord {
    name: String,
    model: String,
    firmware: String,
    online: Option<bool>,
    ip: Option<IpAddr>,
    #[serde(with = "crate::record::secret")]
    uid: Secret<String>,
    #[serde(with = "crate::record::secret")]
    enr: Secret<String>,
    #[serde(with = "crate::record::secret")]
    mac: Secret<String>,
    #[serde(with = "crate::record::secret")]
    parent_enr: Secret<String>,
    #[serde(with = "crate::record::secret")]
    parent_mac: Secret<String>,
    dtls: Option<bool>,
    parent_dtls: Option<bool>,
}

/// Why a camera has no `wyze://` URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoUrl {
    /// It does not speak TUTK; with the reason, for the user.
    Unsupported(&'static str),
    /// The account service did not give its UID.
    NoUid,
    /// The account service gave a UID that cannot be one.
    BadUid,
    /// The account service gave no ENR or MAC, or one that cannot be one.
    Credential(CredentialError),
}

impl fmt::Display for NoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(reason) => f.write_str(reason),
            Self::NoUid => f.write_str(
                "the account service gave no UID for this camera: is it set up? fetch the list of cameras again",
            ),
            Self::BadUid => f.write_str(
                "the account service gave something else than 20 letters and digits as UID: fetch the list of cameras again",
            ),
            Self::Credential(why) => {
                write!(f, "the account service gave unusable credentials for this camera: {why}")
            }
        }
    }
}

impl std::error::Error for NoUrl {}

impl Camera {
    /// Reads one entry of the device list; `None` for other things than cameras and doorbells.
    pub(crate) fn listed(device: &Device) -> Option<Self> {
        if !matches!(device.product_type.text(), "Camera" | "Doorbell") {
            return None;
        }
        let params = &device.device_params.0;
        let secret = |text: &str| Secret::new(text.to_owned());
        let flag = |number: Option<u64>| number.map(|n| n != 0);
        let model = printable(device.product_model.text());
        let name = match printable(device.nickname.text()) {
            name if name.is_empty() => model.clone(),
            name => name,
        };
        Some(Self(CameraRecord {
            name,
            firmware: printable(device.firmware_ver.text()),
            online: device.conn_state.number().map(|state| state == 1),
            ip: params
                .ip
                .text()
                .parse()
                .ok()
                .filter(|ip: &IpAddr| !ip.is_unspecified()),
            uid: secret(params.p2p_id.text()),
            enr: secret(device.enr.text()),
            mac: mac(device.mac.text()),
            parent_enr: secret(device.parent_device_enr.text()),
            parent_mac: mac(device.parent_device_mac.text()),
            dtls: flag(params.dtls.number()),
            parent_dtls: flag(params.main_device_dtls.number()),
            model,
        }))
    }

    /// The name its owner gave it; the model if none. Holds no control characters.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The model's code, such as `HL_CAM4`.
    pub fn model(&self) -> &str {
        &self.0.model
    }

    /// What is known about its model.
    pub fn model_info(&self) -> Option<&'static Model> {
        lookup(&self.0.model)
    }

    /// The version of its firmware.
    pub fn firmware(&self) -> &str {
        &self.0.firmware
    }

    /// Whether the service was in touch with it when the list was fetched.
    pub fn online(&self) -> Option<bool> {
        self.0.online
    }

    /// The address the service saw last. Goes stale.
    pub fn ip(&self) -> Option<IpAddr> {
        self.0.ip
    }

    /// Whether the service believes that it uses DTLS. Some that need it are announced without.
    pub fn dtls(&self) -> Option<bool> {
        self.0.dtls
    }

    /// Whether its base station uses DTLS, and so makes its keys with its own credentials.
    pub fn parent_dtls(&self) -> Option<bool> {
        self.0.parent_dtls
    }

    /// Its UID (`p2p_id`), 20 characters; empty when the service did not give it. It identifies a household's device.
    pub fn uid(&self) -> &Secret<String> {
        &self.0.uid
    }

    /// Its ENR; empty when the service did not give it. Secret.
    pub fn enr(&self) -> &Secret<String> {
        &self.0.enr
    }

    /// Its MAC in upper case, without colons. It identifies a household's device.
    pub fn mac(&self) -> &Secret<String> {
        &self.0.mac
    }

    /// The ENR of its base station; empty when it has none. Secret.
    pub fn parent_enr(&self) -> &Secret<String> {
        &self.0.parent_enr
    }

    /// The MAC of its base station; empty when it has none.
    pub fn parent_mac(&self) -> &Secret<String> {
        &self.0.parent_mac
    }

    /// Why it cannot be watched over TUTK, for the user; `None` when it can, as far as is known.
    pub fn unsupported(&self) -> Option<&'static str> {
        let mac = self.0.mac.expose();
        self.model_info().and_then(Model::unsupported).or_else(|| {
            OTHER_PROTOCOL_MACS
                .iter()
                .any(|prefix| mac.starts_with(prefix))
                .then_some("this device does not speak TUTK (its MAC says so), so it cannot be watched directly")
        })
    }

    /// Its `wyze://` URL, which holds its secrets, in the form that go2rtc and `wyze-std` read.
    ///
    /// Without a known address the host is 255.255.255.255, the local network's broadcast address. The credentials of a
    /// base station are in `parent_enr` and `parent_mac`; `parent_dtls=false` says that it does not make the keys.
    ///
    /// # Errors
    /// The camera does not speak TUTK, or something indispensable is missing.
    pub fn url(&self) -> Result<Secret<String>, NoUrl> {
        if let Some(reason) = self.unsupported() {
            return Err(NoUrl::Unsupported(reason));
        }
        let camera = &self.0;
        let uid = camera.uid.expose();
        if uid.is_empty() {
            return Err(NoUrl::NoUid);
        }
        if uid.len() != UID_LEN || !uid.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(NoUrl::BadUid);
        }
        check(&camera.enr, &camera.mac)?;
        let mut url = match camera.ip.unwrap_or(Ipv4Addr::BROADCAST.into()) {
            IpAddr::V4(ip) => Url::parse(&format!("wyze://{ip}")),
            IpAddr::V6(ip) => Url::parse(&format!("wyze://[{ip}]")),
        }
        .map_err(|_| NoUrl::BadUid)?;
        let mut query = url.query_pairs_mut();
        query
            .append_pair("uid", uid)
            .append_pair("enr", camera.enr.expose())
            .append_pair("mac", camera.mac.expose());
        if !camera.model.is_empty() {
            query.append_pair("model", &camera.model);
        }
        if let Some(dtls) = camera.dtls {
            query.append_pair("dtls", if dtls { "true" } else { "false" });
        }
        if check(&camera.parent_enr, &camera.parent_mac).is_ok() {
            query
                .append_pair("parent_enr", camera.parent_enr.expose())
                .append_pair("parent_mac", camera.parent_mac.expose());
            // Its ENR continues the camera's own in the challenge all the same.
            if camera.parent_dtls != Some(true) {
                query.append_pair("parent_dtls", "false");
            }
        }
        drop(query);
        Ok(Secret::new(url.into()))
    }
}

fn check(enr: &Secret<String>, mac: &Secret<String>) -> Result<(), NoUrl> {
    Enr::new(enr.expose()).map_err(NoUrl::Credential)?;
    Mac::new(mac.expose()).map_err(NoUrl::Credential)?;
    Ok(())
}

/// The AuthKey wants it as delivered, in upper case; colons would be someone's change.
fn mac(text: &str) -> Secret<String> {
    let mac = text.chars().filter(|c| !matches!(c, ':' | '-'));
    Secret::new(mac.collect::<String>().to_ascii_uppercase())
}

/// Names come from people and reach a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>()
        .trim()
        .to_owned()
}

impl fmt::Debug for Camera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Camera")
            .field("name", &self.0.name)
            .field("model", &self.0.model)
            .field("firmware", &self.0.firmware)
            .field("online", &self.0.online)
            .field("ip", &self.0.ip)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loose::Object;
    use serde_json::{Value, json};

    fn camera(changes: Value) -> Option<Camera> {
        let mut device = json!({
            "product_type": "Camera", "product_model": "HL_CAM4", "nickname": "Front Door",
            "mac": "80:48:2c:aa:bb:cc", "enr": "enr+/secret=0123", "firmware_ver": "4.52.9.5332", "conn_state": 1,
            "device_params": {"p2p_id": "SIMCAMSIMCAMSIMCAM11", "ip": "192.0.2.7", "dtls": 1},
        });
        for (name, value) in changes.as_object().unwrap() {
            device.pointer_mut("").unwrap()[name] = value.clone();
        }
        let Object(device) = serde_json::from_value(device).unwrap();
        Camera::listed(&device)
    }

    #[test]
    fn the_url_has_all_that_a_session_needs() {
        let url = camera(json!({})).unwrap().url().unwrap();
        assert_eq!(
            url.expose(),
            "wyze://192.0.2.7?uid=SIMCAMSIMCAMSIMCAM11&enr=enr%2B%2Fsecret%3D0123&mac=80482CAABBCC&model=HL_CAM4&dtls=true"
        );
    }

    #[test]
    fn a_camera_without_an_address_is_searched_by_broadcast() {
        for ip in [json!(""), json!(null), json!("0.0.0.0"), json!("nonsense")] {
            let params = json!({"p2p_id": "SIMCAMSIMCAMSIMCAM11", "ip": ip});
            let url = camera(json!({"device_params": params}))
                .unwrap()
                .url()
                .unwrap();
            assert!(
                url.expose().starts_with("wyze://255.255.255.255?uid="),
                "{ip}"
            );
        }
    }

    #[test]
    fn an_outdoor_camera_takes_its_base_stations_credentials_along() {
        let outdoor = |dtls: Value| {
            let params = json!({"p2p_id": "SIMCAMSIMCAMSIMCAM11", "main_device_dtls": dtls});
            let camera = camera(json!({
                "product_model": "WVOD1", "parent_device_enr": "parent-enr-16byt", "parent_device_mac": "aabbccddeeff",
                "device_params": params,
            }));
            camera.unwrap().url().unwrap().expose().clone()
        };
        let parent = "&parent_enr=parent-enr-16byt&parent_mac=AABBCCDDEEFF";
        assert!(outdoor(json!(1)).ends_with(parent));
        // It does not make the keys, but the challenge may take its ENR.
        for not in [json!(0), json!(null)] {
            assert!(outdoor(not).ends_with(&format!("{parent}&parent_dtls=false")));
        }
    }

    #[test]
    fn doorbells_are_cameras_and_plugs_are_not() {
        assert!(camera(json!({"product_type": "Doorbell"})).is_some());
        for other in [json!("Plug"), json!(""), json!(null), json!(7)] {
            assert!(camera(json!({"product_type": other})).is_none(), "{other}");
        }
    }

    #[test]
    fn devices_that_do_not_speak_tutk_are_kept_with_the_reason() {
        for change in [
            json!({"product_model": "GW_GC1"}),
            json!({"product_model": "NEW", "mac": "GW_BE1_7C"}),
        ] {
            let camera = camera(change).unwrap();
            let reason = camera.unsupported().unwrap();
            assert_eq!(camera.url().unwrap_err(), NoUrl::Unsupported(reason));
            assert!(reason.contains("TUTK"));
        }
        assert_eq!(
            camera(json!({"product_model": "NEW"}))
                .unwrap()
                .unsupported(),
            None
        );
    }

    #[test]
    fn what_a_url_lacks_is_named() {
        let why = |change| camera(change).unwrap().url().unwrap_err();
        assert_eq!(why(json!({"device_params": null})), NoUrl::NoUid);
        assert_eq!(
            why(json!({"device_params": {"p2p_id": "short"}})),
            NoUrl::BadUid
        );
        assert_eq!(
            why(json!({"enr": null})),
            NoUrl::Credential(CredentialError::EnrLength)
        );
        assert_eq!(
            why(json!({"mac": ""})),
            NoUrl::Credential(CredentialError::MacLength)
        );
    }

    #[test]
    fn a_name_cannot_move_the_cursor() {
        let named = camera(json!({"nickname": "\u{1b}[2JFront\n"})).unwrap();
        assert_eq!(named.name(), "[2JFront");
        assert_eq!(camera(json!({"nickname": "\t"})).unwrap().name(), "HL_CAM4");
    }

    #[test]
    fn odd_fields_do_not_hide_a_camera() {
        let odd = camera(
            json!({"conn_state": "1", "firmware_ver": 7, "enr": [], "device_params": "none"}),
        )
        .unwrap();
        assert_eq!(
            (odd.online(), odd.firmware(), odd.ip()),
            (Some(true), "", None)
        );
        assert_eq!(camera(json!({"conn_state": null})).unwrap().online(), None);
        assert_eq!(
            camera(json!({"conn_state": 2})).unwrap().online(),
            Some(false)
        );
    }
}
