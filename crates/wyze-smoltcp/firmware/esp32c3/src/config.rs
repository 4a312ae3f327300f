//! What is built in: the environment of the build says who the camera is. The secrets lie in flash, for whoever holds the
//! board to read.

use core::net::{Ipv4Addr, SocketAddr};

use embassy_net::Ipv4Cidr;
use wyze_edge_nal::session::kauth::settings::{self, Setting};
use wyze_edge_nal::session::{ClientConfig, Enr, LAN_PORT, Mac, PlainPolicy, Uid};

/// The wireless network.
pub const SSID: &str = env!(
    "WIFI_SSID",
    "set WIFI_SSID to the name of the wireless network"
);
/// Its password.
pub const PASSWORD: &str = env!("WIFI_PASSWORD", "set WIFI_PASSWORD to its password");

const UID: &str = env!(
    "CAMERA_UID",
    "set CAMERA_UID to the camera's UID (`wyze cameras --show-urls`)"
);
const ENR: &str = env!(
    "CAMERA_ENR",
    "set CAMERA_ENR to the camera's ENR (`wyze cameras --show-urls`)"
);
const MAC: &str = env!(
    "CAMERA_MAC",
    "set CAMERA_MAC to the camera's MAC (`wyze cameras --show-urls`)"
);
/// Where the camera was last seen, for networks that let no broadcast through.
const ADDRESS: Option<&str> = option_env!("CAMERA_ADDRESS");
/// What the button switches: `night-vision`, `siren`, or any other setting with the values `on` and `off`.
const BUTTON: &str = match option_env!("PANEL_BUTTON") {
    Some(name) => name,
    None => "night-vision",
};

/// The camera.
pub struct Camera {
    uid: Uid,
    enr: Enr,
    mac: Mac,
    address: Option<Ipv4Addr>,
    /// What the button switches.
    pub switch: &'static Setting,
}

impl Camera {
    /// The one that is built in, or what is wrong with it.
    pub fn built_in() -> Result<Self, &'static str> {
        let address = ADDRESS.map(str::parse).transpose();
        Ok(Self {
            uid: UID.parse().map_err(|_| "CAMERA_UID is no UID")?,
            enr: Enr::new(ENR).map_err(|_| "CAMERA_ENR is no ENR")?,
            mac: Mac::new(MAC).map_err(|_| "CAMERA_MAC is no MAC")?,
            address: address.map_err(|_| "CAMERA_ADDRESS is no IPv4 address")?,
            switch: settings::lookup(BUTTON)
                .filter(|s| s.parse("on").is_ok() && s.parse("off").is_ok())
                .ok_or("PANEL_BUTTON names nothing that can be switched")?,
        })
    }

    /// Where to search from a network: at the address that was given or else everywhere, not both. A neighbour that does not
    /// answer keeps embassy-net from sending what comes behind.
    pub fn targets(&self, network: Ipv4Cidr) -> [SocketAddr; 1] {
        let everywhere = || network.broadcast().unwrap_or(Ipv4Addr::BROADCAST);
        let ip = self.address.unwrap_or_else(everywhere);
        [SocketAddr::from((ip, LAN_PORT))]
    }

    /// A session for its sound alone, and never without encryption: there is a microphone in this room.
    pub fn session<'a>(&'a self, targets: &'a [SocketAddr]) -> ClientConfig<'a> {
        ClientConfig {
            video: false,
            plain: PlainPolicy::Refused,
            ..ClientConfig::new(self.uid, &self.enr, &self.mac, targets)
        }
    }
}
