//! Takes identities out of the JSON that cameras describe themselves with.

/// Values that may stay: what a camera is and how it is set, nothing that tells whose it is or where.
const HARMLESS: &[&str] = &[
    "audio",
    "audioEncoderList",
    "bitRate",
    "capacity",
    "connectionRes",
    "detail",
    "encFlag",
    "firmware",
    "fps",
    "free",
    "hardware",
    "horizontalFlip",
    "logo",
    "model",
    "resolving",
    "status",
    "time",
    "type",
    "verticalFlip",
    "video",
    "wakeupFlag",
    "wifidb",
];
/// A number of so few digits identifies nobody.
const SHORT: usize = 4;

/// Overwrites with `*` (numbers: with `0`) every value that might be an identity: all but those under keys that are known to
/// be [`HARMLESS`] and numbers of up to four digits. The length stays. Damaged JSON loses rather more than less.
pub(crate) fn json(text: &mut [u8]) {
    let mut key: Vec<u8> = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at).copied() {
        match byte {
            b'"' => {
                let start = at + 1;
                let end = string_end(text, start);
                let is_key = text
                    .get(end + 1..)
                    .unwrap_or_default()
                    .iter()
                    .find(|b| !b.is_ascii_whitespace())
                    == Some(&b':');
                let content = text.get(start..end).unwrap_or_default();
                if is_key {
                    key = content.to_vec();
                } else if !is_harmless(&key) && !is_short(content) {
                    fill(text, start, end, b'*');
                }
                at = end + 1;
            }
            b'-' | b'0'..=b'9' => {
                let digits = text.get(at..).unwrap_or_default();
                let n = digits
                    .iter()
                    .take_while(|b| matches!(b, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
                    .count();
                if n > SHORT && !is_harmless(&key) {
                    fill(text, at, at + n, b'0');
                }
                at += n;
            }
            b'{' | b'}' | b'[' | b']' | b':' | b',' => at += 1,
            _ if byte.is_ascii_whitespace() => at += 1,
            // true, false, null; or bytes in front of the JSON.
            _ => {
                if !byte.is_ascii_lowercase() {
                    fill(text, at, at + 1, b'*');
                }
                at += 1;
            }
        }
    }
}

fn fill(text: &mut [u8], from: usize, to: usize, with: u8) {
    let end = to.min(text.len());
    if let Some(bytes) = text.get_mut(from..end) {
        bytes.fill(with);
    }
}

/// Where the string that begins at `start` ends: at its quote, or at the end of all.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

fn is_harmless(key: &[u8]) -> bool {
    HARMLESS.iter().any(|known| known.as_bytes() == key)
}

fn is_short(value: &[u8]) -> bool {
    value.len() <= SHORT && value.iter().all(|b| b.is_ascii_digit() || *b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubbed(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        json(&mut bytes);
        assert_eq!(bytes.len(), text.len());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_a_camera_is_stays_and_whose_it_is_goes() {
        assert_eq!(
            scrubbed(
                r#"{"basicInfo":{"firmware":"4.52.9.1","mac":"AABBCCDDEEFF","model":"HL_CAM4","x":"12"}}"#
            ),
            r#"{"basicInfo":{"firmware":"4.52.9.1","mac":"************","model":"HL_CAM4","x":"12"}}"#
        );
        assert_eq!(
            scrubbed(r#"{"phone":5551234,"21":1}"#),
            r#"{"phone":0000000,"21":1}"#
        );
        assert_eq!(
            scrubbed(r#"{"a":["ssid","of me"]}"#),
            r#"{"a":["****","*****"]}"#
        );
    }

    #[test]
    fn damaged_json_loses_more_rather_than_less() {
        assert_eq!(scrubbed(r#"{"mac":"AABB"#), r#"{"mac":"****"#);
        assert_eq!(
            scrubbed(r#"{"mac":"AA\"BB","fps":"15"}"#),
            r#"{"mac":"******","fps":"15"}"#
        );
        assert_eq!(scrubbed(r#"{"mac":AABB}"#), r#"{"mac":****}"#);
        scrubbed("\"\\");
    }
}
