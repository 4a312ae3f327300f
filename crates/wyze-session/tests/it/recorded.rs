//! Who the camera of the two recorded sessions is (`testdata/sessions/README.md`), and what it drew.

use std::convert::Infallible;

use serde_json::Value;
use tutk_core::rand_core::{TryCryptoRng, TryRng};
use tutk_testkit::data;
use wyze_session::{CameraConfig, Enr, Framings, Mac, Status};

use crate::common::{enr, mac_of};

pub(crate) const ENR: &str = "roTRg3tiuL3TjXhmz9bQ4wVf7sKc2NpA";
const MAC: &str = "AABBCCDDEEFF";
const UID: &str = "HSBJYB5HSETGCDWD111A";

/// The recordings by name, with the framing of each.
pub(crate) const SESSIONS: [(&str, Framings); 2] =
    [("iotc", Framings::TRANSCODE), ("cc51", Framings::CC51)];

pub(crate) fn keys() -> (Enr, Mac) {
    (enr(ENR), mac_of(MAC))
}

/// A camera as the recorded one, with [`keys`].
pub(crate) fn config<'a>(framings: Framings, enr: &'a Enr, mac: &'a Mac) -> CameraConfig<'a> {
    CameraConfig {
        framings,
        status: Status::Enr32,
        ..CameraConfig::new(UID.parse().unwrap(), enr, mac)
    }
}

/// The datagrams of the app, each with what the recording calls it.
pub(crate) fn by_app(name: &str) -> impl Iterator<Item = (String, Vec<u8>)> {
    wire(name).into_iter().filter_map(|line| {
        let name = line["name"].as_str()?.to_owned();
        (line["dir"] == "c2s").then(|| (name, data::bytes(&line, "raw")))
    })
}

/// Draws the ticket that the recorded camera drew, which the recorded client goes on with.
pub(crate) fn ticket(name: &str) -> impl TryCryptoRng<Error = Infallible> {
    let answer = wire(name).into_iter().find(|l| l["name"] == "cc51_disco_1");
    Fixed(answer.map_or([0, 0], |line| {
        data::bytes(&line, "raw")[14..16].try_into().unwrap()
    }))
}

fn wire(name: &str) -> Vec<Value> {
    data::session(&format!("sessions/{name}.wire.jsonl"))
}

struct Fixed([u8; 2]);

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u16::from_le_bytes(self.0).into())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.try_next_u32().map(u64::from)
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for (i, byte) in dst.iter_mut().enumerate() {
            *byte = self.0[i % 2];
        }
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}
