//! What a virtual camera is and shows: the options that `camera` and `demo` share.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use wyze_media::{Clip, Track};
use wyze_std::session::kauth::{CameraDescription, Enr, Mac, Status};
use wyze_std::session::{CameraConfig, Codec, Framings, Generation, Stream, Suites, Uid};
use wyze_std::{Sample, Source};

use crate::failure::{Exit, Failure};

const UID: &str = "SIMCAMSIMCAMSIMCAM11";
const MAC: &str = "00AA11BB22CC";
/// For status 6, whose challenge takes 32 characters; the first half alone does for all others.
const ENR: &str = "SimEnrSimEnrSim1SimEnrSimEnrSim2";
const FIRMWARE: &str = "4.58.0.0";

/// Who the virtual camera is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Virtual camera")]
pub(crate) struct CameraOptions {
    /// Its identity: 20 letters and digits
    #[arg(long, default_value = UID, hide_default_value = true)]
    uid: String,
    /// Its secret: 16 or 32 characters [default: a test value]
    #[arg(long)]
    enr: Option<String>,
    /// Its MAC address, without colons
    #[arg(long, default_value = MAC, hide_default_value = true)]
    mac: String,
    /// An outdoor camera: the ENR of the base station that it is behind, which then makes the keys, together with its MAC
    #[arg(long, value_name = "ENR", requires = "parent_mac")]
    parent_enr: Option<String>,
    /// The MAC address of that base station, without colons
    #[arg(long, value_name = "MAC", requires = "parent_enr")]
    parent_mac: Option<String>,
    /// The model that it claims to be
    #[arg(long, default_value = "HL_CAM3P")]
    model: String,
    /// The protocol version of its firmware, by which clients tell what it takes; it answers all it knows nevertheless
    #[arg(long, value_name = "N", default_value_t = 36, value_parser = clap::value_parser!(u8).range(1..))]
    protocol: u8,
    /// Packets on the wire: `transcode` as older firmware, `cc51` as Cam v4 from 4.52.9.5332 on
    #[arg(long, value_enum, default_value_t = FramingOption::Transcode)]
    framing: FramingOption,
    /// What its firmware speaks: `dtls`, or without encryption `25` or `16` (TransCode framing only)
    #[arg(long, value_enum, default_value_t = GenerationOption::Dtls)]
    generation: GenerationOption,
    /// Which key its challenge takes: 1 none, 3 half of the ENR, 6 all of it; with 2 (updating), 4 (checking) and 5
    /// (off) it lets nobody in [default: 3, or 6 when the ENR, continued by the base station's, has 32 characters]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=6))]
    status: Option<u8>,
    /// Cipher suites that it accepts; viewers talk to it over 0x00AE, with `chacha` over 0xCCAC
    #[arg(long, value_enum, default_value_t = SuiteOption::Both)]
    suite: SuiteOption,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FramingOption {
    Transcode,
    Cc51,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum GenerationOption {
    Dtls,
    /// From before about 2021
    #[value(name = "25")]
    Session25,
    /// Older still
    #[value(name = "16")]
    Session16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SuiteOption {
    /// ECDHE-PSK-CHACHA20-POLY1305, 0xCCAC
    #[value(alias = "ccac")]
    Chacha,
    /// PSK-AES128-CBC-SHA256, 0x00AE
    #[value(alias = "00ae")]
    Cbc,
    Both,
}

/// A virtual camera whose options make sense.
pub(crate) struct VirtualCamera {
    uid: Uid,
    uid_text: String,
    enr: Enr,
    enr_text: String,
    mac: Mac,
    parent: Option<(Enr, Mac)>,
    parent_enr_text: String,
    model: String,
    protocol: u8,
    generation: Generation,
    framings: Framings,
    suites: Suites,
    status: Status,
    /// Whoever runs it chose none of UID, ENRs and MACs.
    pub(crate) is_default: bool,
}

impl CameraOptions {
    /// # Errors
    /// UID, ENR or MAC are malformed, or the status does not go with the ENR.
    pub(crate) fn build(&self) -> Result<VirtualCamera, Failure> {
        let enr_text = match (&self.enr, self.status) {
            (Some(enr), _) => enr.as_str(),
            (None, Some(6)) if self.parent_enr.is_none() => ENR,
            (None, _) => ENR.split_at(16).0,
        };
        let uid = self
            .uid
            .parse()
            .map_err(|e| Failure::new(Exit::Url, format!("--uid: {e}; give another one")))?;
        let enr = Enr::new(enr_text)?;
        let parent = self.parent()?;
        let long = Status::Enr32
            .check(&enr, parent.as_ref().map(|(enr, _)| enr))
            .is_ok();
        let default_status = if long { 6 } else { 3 };
        let status = Status::from_wire(self.status.unwrap_or(default_status));
        if status == Status::Enr32 && !long {
            return Err(Failure::new(
                Exit::Url,
                "--status 6 takes an ENR of 32 characters; give a longer --enr, or --status 3",
            ));
        }
        let generation = match self.generation {
            GenerationOption::Dtls => Generation::Dtls,
            GenerationOption::Session25 => Generation::Session25,
            GenerationOption::Session16 => Generation::Session16,
        };
        if generation.is_plain() && self.framing == FramingOption::Cc51 {
            return Err(Failure::new(
                Exit::Usage,
                "firmware with --framing cc51 always encrypts; leave --generation or --framing out",
            ));
        }
        Ok(VirtualCamera {
            uid,
            uid_text: self.uid.clone(),
            enr,
            enr_text: enr_text.to_owned(),
            mac: Mac::new(&self.mac)?,
            is_default: self.uid == UID
                && self.enr.is_none()
                && self.mac == MAC
                && parent.is_none(),
            parent,
            parent_enr_text: self.parent_enr.clone().unwrap_or_default(),
            model: self.model.clone(),
            protocol: self.protocol,
            generation,
            framings: match self.framing {
                FramingOption::Transcode => Framings::TRANSCODE,
                FramingOption::Cc51 => Framings::CC51,
            },
            suites: match self.suite {
                SuiteOption::Chacha => Suites::CHACHA,
                SuiteOption::Cbc => Suites::CBC,
                SuiteOption::Both => Suites::ALL,
            },
            status,
        })
    }

    /// ENR and MAC of its base station.
    fn parent(&self) -> Result<Option<(Enr, Mac)>, Failure> {
        let (Some(enr), Some(mac)) = (&self.parent_enr, &self.parent_mac) else {
            return Ok(None);
        };
        let named = |option, e| Failure::new(Exit::Url, format!("{option}: {e}"));
        Ok(Some((
            Enr::new(enr).map_err(|e| named("--parent-enr", e))?,
            Mac::new(mac).map_err(|e| named("--parent-mac", e))?,
        )))
    }
}

impl VirtualCamera {
    pub(crate) fn config(&self) -> CameraConfig<'_> {
        CameraConfig {
            generation: self.generation,
            framings: self.framings,
            suites: self.suites,
            status: self.status,
            parent: self.parent.as_ref().map(|(enr, mac)| (enr, mac)),
            info: CameraDescription {
                protocol: self.protocol,
                ..CameraDescription::new(&self.model, FIRMWARE, &self.mac)
            },
            ..CameraConfig::new(self.uid, &self.enr, &self.mac)
        }
    }

    /// The URL under which it is watched at `address`.
    pub(crate) fn url(&self, address: SocketAddr) -> String {
        let mut url = format!(
            "wyze://{address}?uid={}&enr={}&mac={}&model={}&dtls={}",
            self.uid_text,
            percent_encode(&self.enr_text),
            self.mac.as_str(),
            percent_encode(&self.model),
            self.generation == Generation::Dtls,
        );
        if let Some((_, mac)) = &self.parent {
            url += &format!(
                "&parent_enr={}&parent_mac={}",
                percent_encode(&self.parent_enr_text),
                mac.as_str(),
            );
        }
        url
    }
}

/// `text` as it may stand in a query (RFC 3986 §2.3).
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            // Writing into a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A clip, as a camera shows it.
pub(crate) struct ClipSource {
    clip: Clip,
    codec: Codec,
    fps: u8,
}

impl ClipSource {
    /// # Errors
    /// The clip has no video.
    pub(crate) fn new(clip: Clip) -> Result<Self, Failure> {
        let Some(video) = clip.video() else {
            return Err(Failure::new(
                Exit::Input,
                "the clip has no video in H.264 or H.265; choose another one",
            ));
        };
        let codec = Codec::from(video.codec.frame_info());
        let fps = video.fps.round().clamp(1.0, 255.0) as u8;
        Ok(Self { clip, codec, fps })
    }

    /// What it shows, in words.
    pub(crate) fn describe(&self) -> String {
        let mut text = String::new();
        if let Some(video) = self.clip.video() {
            text += &format!(
                "{} {}×{}, {} fps",
                video.codec.name(),
                video.width,
                video.height,
                self.fps
            );
        }
        match self.clip.audio() {
            Some(audio) => text += &format!(", {} {} Hz", audio.codec.name(), audio.sample_rate),
            None => text += ", no audio",
        }
        text + &format!(", {:.1} s", self.clip.duration().as_secs_f64())
    }

    /// What is in the file but not shown.
    pub(crate) fn left_out(&self) -> &[String] {
        self.clip.left_out()
    }
}

impl Source for ClipSource {
    fn sample(&self, index: usize) -> Option<Sample<'_>> {
        let sample = self.clip.samples().get(index)?;
        let audio = self.clip.audio();
        Some(match sample.track {
            Track::Video => Sample {
                stream: Stream::Video,
                key: sample.key,
                codec: self.codec,
                at: sample.time,
                data: &sample.data,
                fps: self.fps,
                sample_rate: 0,
                channels: 0,
            },
            Track::Audio => Sample {
                stream: Stream::Audio,
                key: true,
                codec: audio.map_or(Codec::AacWyze, |a| Codec::from(a.codec.frame_info())),
                at: sample.time,
                data: &sample.data,
                fps: 0,
                sample_rate: audio.map_or(0, |a| a.sample_rate),
                channels: audio.map_or(0, |a| a.channels),
            },
        })
    }

    fn duration(&self) -> Duration {
        self.clip.duration()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use wyze_std::CameraUrl;

    #[derive(Parser)]
    struct Wrapper {
        #[command(flatten)]
        camera: CameraOptions,
    }

    fn build(args: &[&str]) -> Result<VirtualCamera, Failure> {
        let args = ["x"].iter().chain(args);
        Wrapper::try_parse_from(args).unwrap().camera.build()
    }

    #[test]
    fn the_url_of_a_virtual_camera_is_one_that_clients_read() {
        let camera = build(&["--enr", "a+b/c=d&e%f#0123"]).unwrap();
        let url = camera.url("127.0.0.1:1".parse().unwrap());
        let url: CameraUrl = url.parse().unwrap();
        assert_eq!(url.config().enr.as_bytes(), b"a+b/c=d&e%f#0123");
        assert_eq!(url.model(), Some("HL_CAM3P"));
    }

    #[test]
    fn the_status_follows_the_enr() {
        assert_eq!(build(&[]).unwrap().status, Status::Enr16);
        assert_eq!(build(&["--enr", ENR]).unwrap().status, Status::Enr32);
        assert_eq!(build(&["--status", "6"]).unwrap().enr_text, ENR);
        assert_eq!(build(&["--status", "1"]).unwrap().status, Status::Default);
        let refused = build(&["--enr", "0123456789abcdef", "--status", "6"])
            .err()
            .unwrap();
        assert_eq!(refused.exit, Exit::Url);
    }

    #[test]
    fn an_outdoor_camera_says_whose_base_station_it_is_behind() {
        let parent = ["--parent-enr", "base+enr-16byte!", "--parent-mac"];
        let camera = build(&[&parent[..], &["00AA11BB22DD"]].concat()).unwrap();
        assert_eq!(camera.status, Status::Enr32, "both ENRs are long enough");
        assert!(!camera.is_default);
        let url: CameraUrl = camera.url("127.0.0.1:1".parse().unwrap()).parse().unwrap();
        let (enr, mac) = url.config().credentials();
        assert_eq!(enr.as_bytes(), b"base+enr-16byte!");
        assert_eq!(mac.as_str(), "00AA11BB22DD");
        for (enr, mac, named) in [
            ("short", "00AA11BB22DD", "--parent-enr: "),
            ("base+enr-16byte!", "AA:BB", "--parent-mac: "),
        ] {
            let failure = build(&["--parent-enr", enr, "--parent-mac", mac]);
            let failure = failure.err().unwrap();
            assert_eq!(failure.exit, Exit::Url);
            assert!(failure.message.starts_with(named), "{failure}");
        }
        let alone = Wrapper::try_parse_from([&["x"][..], &parent[..2]].concat());
        assert!(alone.is_err());
    }

    #[test]
    fn credentials_of_ones_own_are_not_the_default() {
        assert!(build(&[]).unwrap().is_default);
        assert!(!build(&["--enr", "0123456789abcdef"]).unwrap().is_default);
        assert!(!build(&["--mac", "000000000000"]).unwrap().is_default);
    }

    #[test]
    fn malformed_credentials_name_the_part_and_not_its_value() {
        for (option, value) in [("--uid", "short"), ("--enr", "short"), ("--mac", "AA:BB")] {
            let failure = build(&[option, value]).err().unwrap();
            assert_eq!(failure.exit, Exit::Url);
            assert!(!failure.message.contains(value), "{failure}");
        }
    }
}
