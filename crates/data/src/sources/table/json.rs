//! The two values of a JSON object that make a record. All others are skipped, not built.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

/// What a row holds of what was asked for.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) text: Option<Value>,
    pub(super) label: Option<Value>,
    /// A key that was asked for and is there twice.
    pub(super) twice: Option<&'a str>,
}

impl<'a> Row<'a> {
    /// Reads the values of two keys.
    pub(super) fn parse(
        row: &str,
        text_key: &'a str,
        label_key: &'a str,
    ) -> serde_json::Result<Self> {
        let mut json = serde_json::Deserializer::from_str(row);
        let row = Keys {
            text_key,
            label_key,
        }
        .deserialize(&mut json)?;
        json.end().map(|()| row)
    }
}

/// A value of any kind.
#[derive(Debug, PartialEq)]
pub(super) enum Value {
    /// A string.
    Text(String),
    /// A number or a truth value, as JSON writes it.
    Scalar(String),
    /// What anything else is.
    Other(&'static str),
}

/// The keys of an object, sorted, for a message.
pub(super) fn keys(row: &str) -> Vec<String> {
    let keys: BTreeMap<String, IgnoredAny> = serde_json::from_str(row).unwrap_or_default();
    keys.into_keys().collect()
}

struct Keys<'a> {
    text_key: &'a str,
    label_key: &'a str,
}

impl<'a, 'de> DeserializeSeed<'de> for Keys<'a> {
    type Value = Row<'a>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Row<'a>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a, 'de> Visitor<'de> for Keys<'a> {
    type Value = Row<'a>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Row<'a>, M::Error> {
        let (mut text, mut label, mut twice) = (None, None, None);
        while let Some(key) = map.next_key::<String>()? {
            let (place, key) = if key == self.text_key {
                (&mut text, self.text_key)
            } else if key == self.label_key {
                (&mut label, self.label_key)
            } else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if place.replace(map.next_value()?).is_some() {
                twice = Some(key);
            }
        }
        Ok(Row { text, label, twice })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        // As JSON writes it: 1.0 is not 1.
        Ok(Value::Scalar(format!("{value:?}")))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Other("null"))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Value, S::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other("an array"))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Value, M::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Other("an object"))
    }
}
