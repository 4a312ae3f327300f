//! `wyze info`: what a camera tells about itself.

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};
use wyze_std::session::kauth::settings::{self, Setting, settings_table};
use wyze_std::session::kauth::{Code, Model, Support};
use wyze_std::session::{CameraInfo, CipherSuite};

use crate::converse::{Conversation, Query, converse};
use crate::failure::Failure;
use crate::get::{json_value, value_in};
use crate::options::seconds;
use crate::say::say;
use crate::step::printable;
use crate::table::text;
use crate::{interrupt, table, target};

const EXAMPLES: &str = "\
Examples:
  wyze info 'Front Door'
  wyze info URL --json

Three sources: the description with which the camera lets us in (K10003), the parameters that it has by number (K10020), and
what is known of its model, whatever it says.
The MAC address is left out.";

/// Show what a camera tells about itself, and what is known of its model
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InfoArgs {
    #[arg(value_name = "CAMERA", help = target::HELP)]
    camera: String,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Give up when the camera has not let us in after this long
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    timeout: Duration,
}

/// What K10003 says, without what identifies the camera.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) model: Option<String>,
    /// All of it, in order.
    rows: Vec<(&'static str, Value)>,
}

impl Facts {
    /// What is said, and safe to print. What is not said is left out.
    pub(crate) fn of(info: &CameraInfo<'_>, known: Option<&Model>) -> Self {
        let model = info.model.map(printable);
        let shown = |name: &str, value: i64| {
            settings::lookup(name).map_or_else(|| value.into(), |s| json_value(&s.on(known), value))
        };
        let text = |text: Option<&str>| text.map(printable).map(Value::from);
        let (video, card) = (&info.video_settings, &info.sd_card);
        let setting = |name: &str, value: Option<u8>| value.map(|v| shown(name, v.into()));
        let all = [
            ("model", model.clone().map(Value::from)),
            ("firmware", text(info.firmware)),
            ("hardware", text(info.hardware)),
            ("kind", text(info.kind)),
            ("wifi", info.wifi.map(Value::from)),
            ("video-granted", info.video.map(Value::from)),
            ("audio-granted", info.audio.map(Value::from)),
            ("bit-rate", video.bit_rate.map(Value::from)),
            ("fps", video.fps.map(Value::from)),
            ("resolution", setting("resolution", video.resolving)),
            (
                "horizontal-flip",
                setting("horizontal-flip", video.horizontal_flip),
            ),
            (
                "vertical-flip",
                setting("vertical-flip", video.vertical_flip),
            ),
            ("osd-logo", setting("osd-logo", video.logo)),
            ("osd-time", setting("osd-time", video.time)),
            ("sd-status", card.status.map(Value::from)),
            ("sd-capacity", card.capacity.map(Value::from)),
            ("sd-free", card.free.map(Value::from)),
            ("recording", info.recording.map(Value::from)),
            ("motion-zone", info.motion_zone.map(Value::from)),
        ];
        let rows = all
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        Self { model, rows }
    }
}

/// Connects, asks, prints.
pub(crate) fn run(args: &InfoArgs) -> Result<(), Failure> {
    let stop = interrupt::install()?;
    let url = target::camera(&args.camera)?;
    let (facts, parameters, known) = converse(&url, args.timeout, stop, |conversation| {
        let parameters = parameters(conversation)?;
        let mut facts = std::mem::take(&mut conversation.facts);
        if let Some(model) = conversation.model {
            facts.rows.insert(0, ("name", model.name.into()));
        }
        facts.rows.push(("protocol", conversation.protocol.into()));
        Ok((facts, parameters, known(conversation.model)))
    })?;
    if args.json {
        let object = |rows: Vec<(&'static str, Value)>| -> Map<String, Value> {
            rows.into_iter().map(|(n, v)| (n.to_owned(), v)).collect()
        };
        say!(
            "{}",
            json!({
                "camera": object(facts.rows),
                "parameters": object(parameters),
                "known": object(known),
            })
        );
        return Ok(());
    }
    let says = |source: &'static str| {
        move |(name, value): (&'static str, Value)| {
            [name.to_owned(), text(&value), source.to_owned()]
        }
    };
    let rows: Vec<_> = facts
        .rows
        .into_iter()
        .map(says(""))
        .chain(parameters.into_iter().map(says("parameter")))
        .chain(known.into_iter().map(says("known of the model")))
        .collect();
    table::print(&rows);
    Ok(())
}

/// What is known of a model, where it differs from the usual.
fn known(model: Option<&Model>) -> Vec<(&'static str, Value)> {
    let Some(model) = model else {
        return Vec::new();
    };
    let best = model.best_pixels.map(|(w, h)| format!("{w}×{h}"));
    let suite = model
        .only_suite_00ae
        .then(|| CipherSuite::PskAes128CbcSha256.to_string());
    let all = [
        ("best-picture", best.map(Value::from)),
        ("audio", model.audio.map(Value::from)),
        ("pan-tilt", model.pan_tilt.then(|| true.into())),
        ("built-in-floodlight", model.floodlight.then(|| true.into())),
        ("only-suite", suite.map(Value::from)),
        ("only-cc51-from", model.cc51_only_from.map(Value::from)),
        ("frame-info-bytes", model.frame_info_len.map(Value::from)),
    ];
    all.into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// The settings that the camera has by number. One that does not answer has none.
fn parameters(
    conversation: &mut Conversation<'_, '_>,
) -> Result<Vec<(&'static str, Value)>, Failure> {
    if matches!(conversation.support(Code::K10020), Support::No { .. }) {
        return Ok(Vec::new());
    }
    let ids = settings_table().iter().filter_map(|s| s.parameter);
    let Some(reply) = conversation.ask(&Query::Parameters(ids.collect()))? else {
        log::warn!("the camera did not answer the request for its parameters (K10020)");
        return Ok(Vec::new());
    };
    let row = |setting: &'static Setting| {
        let setting = setting.on(conversation.model);
        let value = value_in(&setting, &reply)?;
        Some((setting.name, json_value(&setting, value)))
    };
    Ok(settings_table()
        .iter()
        .filter(|s| s.parameter.is_some())
        .filter_map(row)
        .collect())
}
