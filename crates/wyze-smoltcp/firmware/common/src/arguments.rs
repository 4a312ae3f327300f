//! What the host tells the firmware. A board would have it in its flash.

use wyze_smoltcp::session::{Enr, Framings, Mac, Uid};

use crate::Failure;

/// Who the camera is, and where.
#[derive(Debug)]
pub struct Arguments<'a> {
    /// Where the camera is, on the host.
    #[cfg(not(feature = "camera"))]
    pub(crate) port: u16,
    pub(crate) framings: Framings,
    pub(crate) uid: Uid,
    pub(crate) enr: Enr,
    pub(crate) mac: Mac,
    /// Randomness, because QEMU's boards have no generator: 64 hexadecimal digits.
    pub(crate) seed: [u8; 32],
    pub(crate) name: &'a str,
}

impl<'a> Arguments<'a> {
    /// Program, port, framing, UID, ENR, MAC, seed.
    ///
    /// # Errors
    /// Which one is missing or malformed.
    pub fn parse(mut words: impl Iterator<Item = &'a str>) -> Result<Self, Failure> {
        let mut next = |name| words.next().ok_or(Failure::Argument(name));
        let name = next("program")?;
        let port = next("port")?;
        #[cfg(feature = "camera")]
        let _ = port;
        Ok(Self {
            #[cfg(not(feature = "camera"))]
            port: port.parse().map_err(|_| Failure::Argument("port"))?,
            framings: match next("framing")? {
                "transcode" => Framings::TRANSCODE,
                "cc51" => Framings::CC51,
                _ => return Err(Failure::Argument("framing")),
            },
            uid: next("uid")?.parse().map_err(|_| Failure::Argument("uid"))?,
            enr: Enr::new(next("enr")?).map_err(|_| Failure::Argument("enr"))?,
            mac: Mac::new(next("mac")?).map_err(|_| Failure::Argument("mac"))?,
            seed: seed(next("seed")?).ok_or(Failure::Argument("seed"))?,
            name,
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
