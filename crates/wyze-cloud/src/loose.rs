//! JSON whose types are not to be relied upon: numbers come as strings, objects as `null` or `""`.
//!
//! The service's answers differ between devices and years. One odd field of one device must not hide all others.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// A text or a number, or something else that counts as absent.
#[derive(Default)]
pub(crate) enum Scalar {
    #[default]
    Absent,
    /// Wiped on drop, as it may be a token.
    Text(Zeroizing<String>),
    Number(u64),
}

impl Scalar {
    /// The text, trimmed; empty when there is none.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text.trim(),
            _ => "",
        }
    }

    /// The number, also when it is written as a text.
    pub(crate) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(n) => Some(*n),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Absent => None,
        }
    }

    /// Whether it is neither absent nor an empty text.
    pub(crate) fn is_present(&self) -> bool {
        !matches!(self, Self::Absent) && !matches!(self, Self::Text(t) if t.trim().is_empty())
    }
}

/// An object of which everything but its fields' names is uncertain; something else counts as an empty one.
#[derive(Default)]
pub(crate) struct Object<T>(pub(crate) T);

/// A list; something else counts as an empty one.
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Takes every kind of JSON value; each `visit_` below that is not overridden yields `otherwise`.
macro_rules! visit_others {
    ($($visit:ident: $type:ty),*) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("JSON")
        }
        $(fn $visit<E>(self, _: $type) -> Result<Self::Value, E> { Ok(Self::Value::default()) })*
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
    };
}

fn skip_map<'de, A: MapAccess<'de>, T: Default>(mut map: A) -> Result<T, A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(T::default())
}

fn skip_seq<'de, A: SeqAccess<'de>, T: Default>(mut seq: A) -> Result<T, A::Error> {
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(T::default())
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar;
            visit_others!(visit_i64: i64, visit_f64: f64);

            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Number(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar::Number(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(Zeroizing::new(value.to_owned())))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Scalar, A::Error> {
                skip_map(map)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Scalar, A::Error> {
                skip_seq(seq)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Any<T> {
            type Value = Object<T>;
            visit_others!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Object<T>, A::Error> {
                skip_seq(seq)
            }
        }
        deserializer.deserialize_any(Any(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Any<T> {
            type Value = List<T>;
            visit_others!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<List<T>, A::Error> {
                skip_map(map)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = seq.next_element()? {
                    list.push(element);
                }
                Ok(List(list))
            }
        }
        deserializer.deserialize_any(Any(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Probe {
        n: Scalar,
        o: Object<Inner>,
        l: List<Object<Inner>>,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Inner {
        a: Scalar,
    }

    fn probe(json: &str) -> Probe {
        serde_json::from_str::<Object<Probe>>(json).unwrap().0
    }

    #[test]
    fn numbers_are_read_from_texts_and_truth_values_too() {
        for (json, number) in [
            (r#"{"n":7}"#, Some(7)),
            (r#"{"n":" 7 "}"#, Some(7)),
            (r#"{"n":true}"#, Some(1)),
            (r#"{"n":"x"}"#, None),
            (r#"{"n":-1}"#, None),
            (r#"{"n":null}"#, None),
            (r#"{"n":{"n":7}}"#, None),
            (r#"{"n":[7]}"#, None),
            ("{}", None),
        ] {
            assert_eq!(probe(json).n.number(), number, "{json}");
        }
    }

    #[test]
    fn a_value_of_another_kind_counts_as_absent_and_hides_nothing_else() {
        for odd in ["null", "\"\"", "5", "-5", "0.5", "false", "[]", "[1,{}]"] {
            let json = format!(r#"{{"o":{odd},"n":7}}"#);
            let probe = probe(&json);
            assert!(
                !probe.o.0.a.is_present() && probe.n.number() == Some(7),
                "{json}"
            );
        }
        for odd in ["null", "\"\"", "5", "{\"a\":[1]}", "false"] {
            let probe = probe(&format!(r#"{{"l":{odd},"n":7}}"#));
            assert!(probe.l.0.is_empty() && probe.n.number() == Some(7), "{odd}");
        }
        let list = probe(r#"{"l":[1,{"a":"x"},null]}"#).l.0;
        assert_eq!(
            list.iter().map(|o| o.0.a.text()).collect::<Vec<_>>(),
            ["", "x", ""]
        );
    }
}
