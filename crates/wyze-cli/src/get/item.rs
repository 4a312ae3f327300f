//! What can be read from a camera: a setting, or something that nothing sets.

use serde_json::{Map, Value};
use wyze_std::session::kauth::settings::{
    self, READINGS, Reading, Setting, SettingError, Shape, Values, settings_table,
};
use wyze_std::session::kauth::{Code, Model};

use crate::converse::{Query, Reply};
use crate::failure::{Exit, Failure};
use crate::table;

/// A row of either table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Setting(&'static Setting),
    Reading(&'static Reading),
}

impl Item {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let settings = settings_table().iter().map(Self::Setting);
        settings.chain(READINGS.iter().map(Self::Reading))
    }

    /// The item of this name.
    ///
    /// # Errors
    /// There is none; the message lists all.
    pub(super) fn find(name: &str) -> Result<Self, Failure> {
        Self::all()
            .find(|item| item.name() == name)
            .ok_or_else(|| unknown(Self::all().map(|item| item.name())))
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Setting(setting) => setting.name,
            Self::Reading(reading) => reading.name,
        }
    }

    pub(super) const fn help(self) -> &'static str {
        match self {
            Self::Setting(setting) => setting.help,
            Self::Reading(reading) => reading.help,
        }
    }

    /// Whether it is shown only when it is named.
    pub(super) const fn is_private(self) -> bool {
        matches!(self, Self::Reading(reading) if reading.private)
    }

    /// The request that reads it.
    ///
    /// # Errors
    /// Nothing does.
    pub(super) fn query(self) -> Result<Query, SettingError> {
        Ok(Query::Setting(match self {
            Self::Setting(setting) => setting.get_request()?,
            Self::Reading(reading) => reading.request(),
        }))
    }

    /// The command that says whether a camera has it: what reads it, else what sets it.
    pub(super) fn code(self) -> Code {
        match (self.query(), self) {
            (Err(_), Self::Setting(Setting { set: Some(set), .. })) => *set,
            (query, _) => query.map_or(Code::K10020, |query| query.code()),
        }
    }

    /// What a reply says; one that cannot be read counts as none.
    pub(super) fn value(self, reply: &Reply, model: Option<&Model>) -> Option<Value> {
        match self {
            Self::Setting(setting) => {
                let setting = setting.on(model);
                value_in(&setting, reply).map(|value| json_value(&setting, value))
            }
            Self::Reading(reading) => {
                let bytes = reading.read_reply(&reply.message());
                let value = bytes.ok().and_then(|bytes| read(reading, bytes));
                if value.is_none() {
                    log::debug!("the reply does not tell {}", reading.name);
                }
                value
            }
        }
    }
}

/// The setting of this name.
///
/// # Errors
/// There is none, or it is something that nothing sets.
pub(crate) fn setting(name: &str) -> Result<&'static Setting, Failure> {
    match (settings::lookup(name), Item::find(name)) {
        (Some(setting), _) => Ok(setting),
        (None, Ok(_)) => Err(Failure::new(
            Exit::Usage,
            format!("{name}: {}", SettingError::ReadOnly),
        )),
        (None, Err(_)) => Err(unknown(settings_table().iter().map(|s| s.name))),
    }
}

fn unknown(names: impl Iterator<Item = &'static str>) -> Failure {
    let names: Vec<_> = names.collect();
    Failure::new(
        Exit::Usage,
        format!("nothing has this name; there are: {}", names.join(", ")),
    )
}

/// The value of a setting in a reply; one that cannot be read counts as none.
pub(crate) fn value_in(setting: &Setting, reply: &Reply) -> Option<i64> {
    let value = setting.read_reply(&reply.message());
    if let Err(e) = &value {
        log::debug!("the reply does not tell {}: {e}", setting.name);
    }
    value.ok()
}

/// A value as JSON: words as text, numbers as numbers.
pub(crate) fn json_value(setting: &Setting, value: i64) -> Value {
    match setting.values {
        Values::Range(..) => value.into(),
        _ => setting.show(value).to_string().into(),
    }
}

/// A reading as JSON; bytes that no source explains as text in hexadecimal.
fn read(reading: &Reading, bytes: &[u8]) -> Option<Value> {
    match reading.shape {
        Shape::Json => object(bytes).map(|object| renamed(object, reading.keys).into()),
        Shape::Text => {
            let text = String::from_utf8_lossy(bytes);
            let text = text.trim_end_matches('\0').replace(char::is_control, "?");
            Some(text.into())
        }
        _ => Some(object(bytes).map_or_else(|| hex(bytes).into(), Value::Object)),
    }
}

/// Cameras put bytes before JSON.
fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    let at = bytes.iter().position(|&b| b == b'{')?;
    let mut values = serde_json::Deserializer::from_slice(bytes.get(at..)?).into_iter();
    values.next()?.ok()
}

fn renamed(object: Map<String, Value>, keys: &[(&str, &str)]) -> Map<String, Value> {
    let name = |key: String| {
        let known = keys.iter().find(|(k, _)| *k == key);
        known.map_or(key, |(_, name)| (*name).to_owned())
    };
    object.into_iter().map(|(k, v)| (name(k), v)).collect()
}

/// Bytes as text.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
    bytes.join(" ")
}

/// All names, one a line.
pub(super) fn help() -> String {
    let rows: Vec<[String; 2]> = Item::all()
        .map(|item| {
            let note = match item.query() {
                Err(_) => "; can only be set",
                Ok(_) if item.is_private() => " *",
                Ok(_) => "",
            };
            [
                format!("  {}", item.name()),
                format!("{}{note}", item.help()),
            ]
        })
        .collect();
    table::lines(&rows).join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(name: &str, bytes: &[u8]) -> Option<String> {
        let reading = READINGS.iter().find(|r| r.name == name).unwrap();
        read(reading, bytes).map(|value| value.to_string())
    }

    #[test]
    fn readings_are_json_text_or_bytes() {
        assert_eq!(
            reading("battery", br#"{"0":7,"1":"2","9":1}"#).unwrap(),
            r#"{"9":1,"live":"2","since-charge":7}"#
        );
        // Bytes before it, and zeros behind.
        assert_eq!(
            reading("accessories", b"\x01\x00{\"a\":[1]}\0\0").unwrap(),
            r#"{"a":[1]}"#
        );
        assert_eq!(reading("connection", b"none"), None);
        assert_eq!(
            reading("rtsp-url", b"rtsp://192.0.2.1/live\0\x1b").unwrap(),
            r#""rtsp://192.0.2.1/live??""#
        );
        assert_eq!(reading("night", &[1, 0xab]).unwrap(), r#""01 ab""#);
        assert_eq!(
            reading("white-light", br#"{"on":1}"#).unwrap(),
            r#"{"on":1}"#
        );
    }

    #[test]
    fn words_are_text_and_numbers_are_numbers() {
        let shown = |name, value| json_value(setting(name).unwrap(), value).to_string();
        assert_eq!(shown("night-vision", 3), r#""auto""#);
        assert_eq!(shown("fps", 20), "20");
    }

    #[test]
    fn what_nothing_sets_says_so() {
        let failure = setting("battery").unwrap_err();
        assert!(failure.message.contains("only be read"), "{failure}");
        let failure = setting("dusk").unwrap_err();
        assert!(!failure.message.contains("battery"), "{failure}");
    }
}
