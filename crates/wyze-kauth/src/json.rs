//! The little JSON that K-commands need, without a heap: a walk over all scalars of an object, and a writer.
//!
//! Cameras write the same field as a string or as a number depending on firmware. So the walk delivers every scalar as
//! text, and who reads a field parses it; a field of an unexpected kind is then merely absent.

use core::fmt::Write as _;

use tutk_core::wire::{Malformed, Writer};

/// Objects and arrays inside each other that are followed.
const MAX_DEPTH: usize = 8;

/// Receives the name of the enclosing object (empty for the outermost), the key and the value as text.
type Visit<'a, 'p> = &'a mut dyn FnMut(&'p str, &'p str, &'p str);

/// Calls `visit` for each string, number and boolean in objects, in order, from the first `{` of `bytes` on to its `}`.
///
/// Left out: `null`, values in arrays, and strings with escapes, which could not be borrowed. What is neither a string nor
/// a bracket counts as a number or word up to the next comma, bracket or blank.
///
/// # Errors
/// The JSON is damaged or nested too deeply. `visit` has then been called for what precedes the damage.
pub(crate) fn for_each_scalar<'p>(bytes: &'p [u8], visit: Visit<'_, 'p>) -> Result<(), Malformed> {
    let start = bytes.iter().position(|&b| b == b'{');
    let json = start.and_then(|at| bytes.get(at..)).unwrap_or_default();
    let mut cursor = Cursor(json);
    let mut open = Open::default();
    cursor.one(b'{')?;
    open.push("", b'}')?;
    // Each turn reads a bracket that closes, or one member and the comma before it.
    let mut first = true;
    while let Some((name, closing)) = open.innermost() {
        if cursor.peek() == closing {
            cursor.one(closing)?;
            open.pop();
            first = false;
            continue;
        }
        if !core::mem::take(&mut first) {
            cursor.one(b',')?;
        }
        let mut key = "";
        if closing == b'}' {
            key = cursor.string()?;
            cursor.one(b':')?;
        }
        let opening = cursor.peek();
        if matches!(opening, b'{' | b'[') {
            cursor.one(opening)?;
            // The two brackets of a pair lie two apart in ASCII.
            open.push(key, opening + 2)?;
            first = true;
            continue;
        }
        let text = if opening == b'"' {
            cursor.string()?
        } else {
            cursor.word()?
        };
        let told = if opening == b'"' {
            !text.as_bytes().contains(&b'\\')
        } else {
            text != "null"
        };
        if told && !open.within_array() {
            visit(name, key, text);
        }
    }
    Ok(())
}

/// The objects and arrays that have been opened and not closed.
#[derive(Default)]
struct Open<'p> {
    /// The key that each stands under, and the bracket that closes it.
    levels: [(&'p str, u8); MAX_DEPTH],
    depth: usize,
}

impl<'p> Open<'p> {
    fn push(&mut self, key: &'p str, closing: u8) -> Result<(), Malformed> {
        *self
            .levels
            .get_mut(self.depth)
            .ok_or(Malformed::BadLength)? = (key, closing);
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn innermost(&self) -> Option<(&'p str, u8)> {
        self.levels.get(self.depth.checked_sub(1)?).copied()
    }

    fn within_array(&self) -> bool {
        self.levels
            .iter()
            .take(self.depth)
            .any(|&(_, closing)| closing == b']')
    }
}

/// What has not been read yet.
struct Cursor<'p>(&'p [u8]);

impl<'p> Cursor<'p> {
    /// The next byte that is no blank; 0 at the end.
    #[inline(never)]
    fn peek(&mut self) -> u8 {
        while let Some((b' ' | b'\n' | b'\t' | b'\r', rest)) = self.0.split_first() {
            self.0 = rest;
        }
        self.0.first().copied().unwrap_or(0)
    }

    /// Takes `byte`, and the blanks before it.
    #[inline(never)]
    fn one(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.peek() != byte {
            return Err(Malformed::BadValue);
        }
        self.0 = self.0.get(1..).ok_or(Malformed::Truncated)?;
        Ok(())
    }

    /// Takes a string with its quotes; escapes stay as they are.
    #[inline(never)]
    fn string(&mut self) -> Result<&'p str, Malformed> {
        self.one(b'"')?;
        let mut escaped = false;
        let text = self.until(|&b| {
            let ends = b == b'"' && !escaped;
            escaped = b == b'\\' && !escaped;
            ends
        })?;
        self.one(b'"')?;
        Ok(text)
    }

    /// Takes a number or word, which is not empty.
    fn word(&mut self) -> Result<&'p str, Malformed> {
        let word = self.until(ends_word)?;
        if word.is_empty() {
            return Err(Malformed::BadValue);
        }
        Ok(word)
    }

    /// Takes what precedes the first byte that `ends` it.
    fn until(&mut self, ends: impl FnMut(&u8) -> bool) -> Result<&'p str, Malformed> {
        let len = self.0.iter().position(ends).ok_or(Malformed::Truncated)?;
        let (text, rest) = self.0.split_at_checked(len).ok_or(Malformed::Truncated)?;
        self.0 = rest;
        core::str::from_utf8(text).map_err(|_| Malformed::BadValue)
    }
}

fn ends_word(b: &u8) -> bool {
    matches!(b, b',' | b'}' | b']') || b.is_ascii_whitespace()
}

/// The text of the first scalar called `key`, by a mere search, for JSON that is damaged elsewhere.
pub(crate) fn find_scalar<'p>(bytes: &'p [u8], key: &str) -> Option<&'p str> {
    let mut rest = bytes;
    loop {
        let at = rest.windows(key.len()).position(|w| w == key.as_bytes())?;
        let quoted = at.checked_sub(1).and_then(|before| rest.get(before)) == Some(&b'"');
        rest = rest.get(at.checked_add(key.len())?..)?;
        let mut cursor = Cursor(rest);
        if quoted
            && rest.first() == Some(&b'"')
            && cursor.one(b'"').and_then(|()| cursor.one(b':')).is_ok()
        {
            return match cursor.peek() {
                b'"' => cursor.one(b'"').and_then(|()| cursor.until(|&b| b == b'"')),
                _ => cursor.until(ends_word),
            }
            .ok();
        }
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
    use proptest::prelude::*;

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

    /// What `serde_json` finds where we look: scalars in objects that are in no array. Keys must be unique and without
    /// escapes.
    fn oracle(name: &str, object: &serde_json::Value, found: &mut Vec<(String, String, String)>) {
        for (key, value) in object.as_object().unwrap() {
            let text = match value {
                serde_json::Value::Object(_) => {
                    oracle(key, value, found);
                    continue;
                }
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Null | serde_json::Value::Array(_) => continue,
                number_or_bool => number_or_bool.to_string(),
            };
            if !serde_json::to_string(&text).unwrap().contains('\\') {
                found.push((name.to_owned(), key.clone(), text));
            }
        }
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            "[a-z0-9 ,:{}\\[\\]\"\\\\\u{e9}\n]{0,8}".prop_map(Into::into),
        ];
        leaf.prop_recursive(6, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                members(inner),
            ]
        })
    }

    fn members(
        value: impl Strategy<Value = serde_json::Value>,
    ) -> impl Strategy<Value = serde_json::Value> {
        proptest::collection::btree_map("[a-z,:{}\\[\\] ]{0,6}", value, 0..5).prop_map(|members| {
            members
                .into_iter()
                .collect::<serde_json::Map<_, _>>()
                .into()
        })
    }

    proptest! {
        #[test]
        fn serde_json_finds_the_same(object in members(value()), pretty in any::<bool>(), behind in "[}\\]x ]{0,3}") {
            let text = match pretty {
                true => serde_json::to_string_pretty(&object).unwrap(),
                false => object.to_string(),
            };
            let mut want = Vec::new();
            oracle("", &object, &mut want);
            let json = [&b"\x01 "[..], text.as_bytes(), behind.as_bytes()].concat();
            let (found, whole) = scalars(&json);
            let found: Vec<_> = found.into_iter().map(|(p, k, v)| (p.to_owned(), k.to_owned(), v.to_owned())).collect();
            prop_assert!(whole, "{text}");
            prop_assert_eq!(found, want);
        }

        #[test]
        fn whatever_serde_json_reads_we_read(
            object in members(value()),
            at in any::<proptest::sample::Index>(),
            to in prop_oneof![any::<u8>(), proptest::sample::select(br#"{}[],:"\ 0n"#.to_vec())],
        ) {
            let mut json = object.to_string().into_bytes();
            let at = at.index(json.len());
            json[at] = to;
            let start = json.iter().position(|&b| b == b'{').unwrap_or(json.len());
            let theirs = serde_json::from_slice::<serde_json::Value>(&json[start..]);
            let (found, whole) = scalars(&json);
            prop_assert!(whole || theirs.is_err(), "{}", String::from_utf8_lossy(&json));
            for (_, _, text) in found {
                prop_assert!(json.windows(text.len().max(1)).any(|w| w.starts_with(text.as_bytes())));
            }
        }

        #[test]
        fn any_bytes_end_the_walk(bytes in proptest::collection::vec(proptest::sample::select(br#"{}[],:"\ 0n"#.to_vec()), 0..80)) {
            let (found, _) = scalars(&bytes);
            prop_assert!(found.len() <= bytes.len());
            let _ = find_scalar(&bytes, "n");
        }
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
