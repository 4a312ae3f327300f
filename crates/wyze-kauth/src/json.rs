//! The little JSON that K-commands need, without a heap: a walk over all scalars of an object, and a writer.
//!
//! Cameras write the same field as a string or as a number depending on firmware. So the walk delivers every scalar as
//! text, and who reads a field parses it; a field of an unexpected kind is then merely absent.

use core::fmt::Write as _;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json_core::de::Deserializer;
use tutk_core::wire::{Malformed, Writer};

/// Objects and arrays inside each other that are followed. The parser recurses, so the peer must not choose the depth.
const MAX_DEPTH: u8 = 8;

/// Receives the name of the enclosing object (empty for the outermost), the key and the value as text.
type Visit<'a, 'p> = &'a mut dyn FnMut(&'p str, &'p str, &'p str);

/// Calls `visit` for each string, number and boolean in objects, in order, from the first `{` of `bytes` on.
///
/// Left out: `null`, values in arrays, and strings with escapes, which could not be borrowed.
///
/// # Errors
/// The JSON is damaged or nested too deeply. `visit` has then been called for what precedes the damage.
pub(crate) fn for_each_scalar<'p>(bytes: &'p [u8], visit: Visit<'_, 'p>) -> Result<(), Malformed> {
    let start = bytes.iter().position(|&b| b == b'{');
    let json = start
        .and_then(|at| bytes.get(at..))
        .ok_or(Malformed::BadMagic)?;
    let mut de = Deserializer::new(json, None);
    let root = Object {
        json,
        name: "",
        inside: MAX_DEPTH - 1,
        visit,
    };
    root.deserialize(&mut de).map_err(|_| Malformed::BadValue)
}

/// The text of the first scalar called `key`, by a mere search, for JSON that is damaged elsewhere.
pub(crate) fn find_scalar<'p>(bytes: &'p [u8], key: &str) -> Option<&'p str> {
    let mut rest = bytes;
    loop {
        let at = rest.windows(key.len()).position(|w| w == key.as_bytes())?;
        let quoted = at.checked_sub(1).and_then(|before| rest.get(before)) == Some(&b'"');
        rest = rest.get(at.checked_add(key.len())?..)?;
        if let Some(value) = value_after_key(rest).filter(|_| quoted) {
            return match value.strip_prefix(b"\"") {
                Some(text) => until(text, |b| b == b'"'),
                None => token(value),
            };
        }
    }
}

/// The value, given what follows the characters of its key: the quote, blanks and a colon.
fn value_after_key(rest: &[u8]) -> Option<&[u8]> {
    let rest = rest.strip_prefix(b"\"")?.trim_ascii_start();
    Some(rest.strip_prefix(b":")?.trim_ascii_start())
}

/// The number or word at the start of `value`.
fn token(value: &[u8]) -> Option<&str> {
    until(value, |b| {
        matches!(b, b',' | b'}' | b']') || b.is_ascii_whitespace()
    })
}

fn until(bytes: &[u8], end: impl Fn(u8) -> bool) -> Option<&str> {
    let len = bytes.iter().position(|&b| end(b))?;
    core::str::from_utf8(bytes.get(..len)?).ok()
}

/// An object that is being read.
struct Object<'a, 'p> {
    /// All of the JSON.
    json: &'p [u8],
    /// The key it stands under.
    name: &'p str,
    /// Levels that may follow inside of it.
    inside: u8,
    visit: Visit<'a, 'p>,
}

impl<'p> Object<'_, 'p> {
    /// The JSON from the value of `key` on; `key` is a part of `self.json`.
    ///
    /// The parser cannot tell which kind of value comes next, so we look there ourselves.
    fn value(&self, key: &str) -> Option<&'p [u8]> {
        let offset = key.as_ptr().addr().checked_sub(self.json.as_ptr().addr())?;
        value_after_key(self.json.get(offset.checked_add(key.len())?..)?)
    }
}

impl<'p> DeserializeSeed<'p> for Object<'_, 'p> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'p>>(self, de: D) -> Result<(), D::Error> {
        de.deserialize_map(self)
    }
}

impl<'p> Visitor<'p> for Object<'_, 'p> {
    type Value = ();

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'p>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<&'p str>()? {
            let value = self.value(key).unwrap_or_default();
            match value.first() {
                Some(b'{') => map.next_value_seed(Object {
                    json: self.json,
                    name: key,
                    inside: one_less(self.inside)?,
                    visit: &mut *self.visit,
                })?,
                Some(b'"') => {
                    let text = map.next_value::<&'p str>()?;
                    if !text.contains('\\') {
                        (self.visit)(self.name, key, text);
                    }
                }
                Some(b'[') => map.next_value_seed(Skip(self.inside))?,
                _ => {
                    map.next_value_seed(Skip(self.inside))?;
                    if let Some(text) = token(value).filter(|&t| t != "null") {
                        (self.visit)(self.name, key, text);
                    }
                }
            }
        }
        Ok(())
    }
}

/// A value that is passed over, with how many levels it may have. Depth is counted where the parser recurses and nowhere
/// else: whoever counts brackets beside it must agree with it, byte for byte, on where strings end.
struct Skip(u8);

fn one_less<E: serde::de::Error>(levels: u8) -> Result<u8, E> {
    levels
        .checked_sub(1)
        .ok_or_else(|| E::custom("nested too deeply"))
}

impl<'p> DeserializeSeed<'p> for Skip {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'p>>(self, de: D) -> Result<(), D::Error> {
        de.deserialize_ignored_any(self)
    }
}

impl<'p> Visitor<'p> for Skip {
    type Value = ();

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'p>>(self, mut seq: A) -> Result<(), A::Error> {
        let inside = one_less(self.0)?;
        while seq.next_element_seed(Skip(inside))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'p>>(self, mut map: A) -> Result<(), A::Error> {
        let inside = one_less(self.0)?;
        while map.next_key::<IgnoredAny>()?.is_some() {
            map.next_value_seed(Skip(inside))?;
        }
        Ok(())
    }
}

/// Writes an object whose members `body` adds.
pub(crate) fn object(w: &mut Writer<'_>, body: impl FnOnce(&mut Members<'_, '_>)) {
    w.u8(b'{');
    body(&mut Members { w, first: true });
    w.u8(b'}');
}

/// The members of an object that is being written.
pub(crate) struct Members<'w, 'b> {
    w: &'w mut Writer<'b>,
    first: bool,
}

impl Members<'_, '_> {
    /// A string.
    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        quote(self.w, value);
    }

    /// A number, as the string that cameras make of it.
    pub(crate) fn number(&mut self, key: &str, value: i64) {
        self.text(key, &decimal(value));
    }

    /// A number or a word, as it stands.
    pub(crate) fn literal(&mut self, key: &str, value: &str) {
        self.key(key);
        self.w.bytes(value.as_bytes());
    }

    /// An object.
    pub(crate) fn object(&mut self, key: &str, body: impl FnOnce(&mut Members<'_, '_>)) {
        self.key(key);
        object(self.w, body);
    }

    fn key(&mut self, key: &str) {
        if !core::mem::take(&mut self.first) {
            self.w.u8(b',');
        }
        quote(self.w, key);
        self.w.u8(b':');
    }
}

/// A number in digits.
pub(crate) fn decimal(value: i64) -> heapless::String<20> {
    let mut text = heapless::String::new();
    // The longest is "-9223372036854775808", twenty characters.
    let _ = write!(text, "{value}");
    text
}

/// A string with quotes. Control characters, which no field of ours has, become blanks.
fn quote(w: &mut Writer<'_>, text: &str) {
    w.u8(b'"');
    for b in text.bytes() {
        match b {
            b'"' | b'\\' => w.bytes(&[b'\\', b]),
            0..=0x1f => w.u8(b' '),
            _ => w.u8(b),
        }
    }
    w.u8(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalars(json: &[u8]) -> (Vec<(&str, &str, &str)>, bool) {
        let mut found = Vec::new();
        let ok = for_each_scalar(json, &mut |p, k, v| found.push((p, k, v))).is_ok();
        (found, ok)
    }

    #[test]
    fn scalars_of_any_kind_come_as_text() {
        let json =
            br#"{"a":"x","b": 12 ,"c":{"d":-1.5e3,"e":true,"f":null},"g":[1,{"h":2}],"i":""}"#;
        let want = [
            ("", "a", "x"),
            ("", "b", "12"),
            ("c", "d", "-1.5e3"),
            ("c", "e", "true"),
            ("", "i", ""),
        ];
        assert_eq!(scalars(json), (want.to_vec(), true));
    }

    #[test]
    fn strings_with_escapes_are_left_out_and_harm_nothing() {
        let json = br#"{"ssid":"a\"b\\","path":"\/x\u00e9","ok":"1"}"#;
        assert_eq!(scalars(json), (vec![("", "ok", "1")], true));
    }

    #[test]
    fn what_precedes_damage_is_delivered() {
        assert_eq!(
            scalars(b"\x01\x02{\"a\":\"1\",\"b\":\"\xff\xfe\",\"c\":\"2\"}"),
            (vec![("", "a", "1")], false)
        );
        assert_eq!(scalars(br#"{"a":"1","b":"#), (vec![("", "a", "1")], false));
        assert_eq!(scalars(b"no object"), (vec![], false));
    }

    #[test]
    fn nesting_cannot_exhaust_the_stack() {
        let deep = [b"{\"a\":".to_vec(), vec![b'['; 60_000]].concat();
        assert_eq!(scalars(&deep), (vec![], false));
        let quoted = br#"{"a":"[[[[[[[[[[[[[[[[\"[[[[[[[[[[[[[","b":1}"#;
        assert_eq!(scalars(quoted), (vec![("", "b", "1")], true));
    }

    /// A reader that ends strings elsewhere than another that counts brackets lets brackets through uncounted.
    #[test]
    fn stray_quotes_do_not_hide_nesting() {
        let walk = || {
            let mut hidden = br#"{"a":x","k":"#.to_vec();
            hidden.extend([b'['; 1000]);
            assert_eq!(scalars(&hidden), (vec![("", "a", "x\"")], false));
            let mut objects = br#"{"a":[x","k":"#.to_vec();
            objects.extend(br#"{"a":"#.repeat(1000));
            assert_eq!(scalars(&objects), (vec![], false));
        };
        let thread = std::thread::Builder::new().stack_size(96 << 10);
        thread.spawn(walk).unwrap().join().unwrap();
    }

    #[test]
    fn eight_levels_are_followed_and_not_nine() {
        let nested = |n: usize| [r#"{"o":"#.repeat(n), "1".into(), "}".repeat(n)].concat();
        assert_eq!(scalars(nested(8).as_bytes()), (vec![("o", "o", "1")], true));
        assert_eq!(scalars(nested(9).as_bytes()), (vec![], false));
        let skipped = |n: usize| [r#"{"a":"#, &"[".repeat(n), &"]".repeat(n), "}"].concat();
        assert!(scalars(skipped(7).as_bytes()).1);
        assert!(!scalars(skipped(8).as_bytes()).1);
    }

    #[test]
    fn a_scalar_is_found_in_damaged_json() {
        let json = b"{\"a\":\"\xff\",\"res\" : \"2\",\"n\":3}";
        assert_eq!(find_scalar(json, "res"), Some("2"));
        assert_eq!(find_scalar(json, "n"), Some("3"));
        assert_eq!(find_scalar(json, "es"), None, "only whole keys count");
        assert_eq!(find_scalar(b"{\"res\":\"2", "res"), None, "it may go on");
        assert_eq!(find_scalar(br#"{"v":"res","res":4}"#, "res"), Some("4"));
    }

    #[test]
    fn what_is_written_is_json() {
        let mut memory = [0u8; 128];
        let mut w = Writer::new(&mut memory);
        object(&mut w, |o| {
            o.text("a\"", "b\\\n");
            o.object("c", |o| o.number("d", i64::MIN));
            o.object("e", |_| ());
        });
        let json: serde_json::Value = serde_json::from_slice(w.finish().unwrap()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"a\"": "b\\ ", "c": {"d": "-9223372036854775808"}, "e": {}})
        );
    }
}
