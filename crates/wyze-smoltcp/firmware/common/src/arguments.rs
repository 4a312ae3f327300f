//! What the host tells the firmware. A board would have it in its flash.

#[cfg(not(feature = "camera"))]
use core::net::SocketAddrV4;

use smoltcp::wire::Ipv4Cidr;
use wyze_smoltcp::session::{Enr, Framings, Mac, Uid};

use crate::Failure;

/// Where the board's address comes from.
#[derive(Debug)]
pub enum Address {
    /// Ask for one.
    Dhcp,
    /// This one.
    Static(Ipv4Cidr),
}

/// Who the board is, and who the camera.
#[derive(Debug)]
pub struct Arguments<'a> {
    /// The program's name.
    pub name: &'a str,
    /// Of the board.
    pub address: Address,
    /// What to speak.
    pub framings: Framings,
    /// Who the camera is.
    pub uid: Uid,
    /// Its ENR.
    pub enr: Enr,
    /// Its MAC address.
    pub mac: Mac,
    /// Randomness, because QEMU's boards have no generator: 64 hexadecimal digits.
    pub seed: [u8; 32],
    /// Where the camera is; `None`: somewhere on our network.
    #[cfg(not(feature = "camera"))]
    pub camera: Option<SocketAddrV4>,
    /// How many frames of the tone to say.
    #[cfg(not(feature = "camera"))]
    pub tone: u32,
}

impl<'a> Arguments<'a> {
    /// Program, `dhcp` or the board's address, framing, UID, ENR, MAC, seed; for a viewer also `broadcast` or the camera's
    /// address, and the length of the tone in frames.
    ///
    /// # Errors
    /// Which one is missing or malformed.
    pub fn parse(mut words: impl Iterator<Item = &'a str>) -> Result<Self, Failure> {
        let mut next = |name| words.next().ok_or(Failure::Argument(name));
        Ok(Self {
            name: next("program")?,
            address: match next("address")? {
                "dhcp" => Address::Dhcp,
                text => Address::Static(text.parse().map_err(|()| Failure::Argument("address"))?),
            },
            framings: match next("framing")? {
                "transcode" => Framings::TRANSCODE,
                "cc51" => Framings::CC51,
                _ => return Err(Failure::Argument("framing")),
            },
            uid: next("uid")?.parse().map_err(|_| Failure::Argument("uid"))?,
            enr: Enr::new(next("enr")?).map_err(|_| Failure::Argument("enr"))?,
            mac: Mac::new(next("mac")?).map_err(|_| Failure::Argument("mac"))?,
            seed: seed(next("seed")?).ok_or(Failure::Argument("seed"))?,
            #[cfg(not(feature = "camera"))]
            camera: match next("camera")? {
                "broadcast" => None,
                text => Some(text.parse().map_err(|_| Failure::Argument("camera"))?),
            },
            #[cfg(not(feature = "camera"))]
            tone: next("tone")?
                .parse()
                .map_err(|_| Failure::Argument("tone"))?,
        })
    }
}

fn seed(text: &str) -> Option<[u8; 32]> {
    let mut seed = [0; 32];
    for (byte, digits) in seed.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    (text.len() == 64).then_some(seed)
}
