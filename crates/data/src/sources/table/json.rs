//! The values of a JSON object that are asked for. All others are skipped, not built.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::Cell;

/// Values of an array at most.
const MOST_ITEMS: usize = 1 << 20;

/// What was asked for of a row.
#[derive(Debug)]
pub(super) struct Values {
    /// In the order of the keys; none where a key is missing.
    pub(super) cells: Vec<Option<Cell>>,
    /// The place of a key that is there twice.
    pub(super) twice: Option<usize>,
}

impl Values {
    /// Reads the values of some keys, which differ.
    pub(super) fn parse(row: &str, keys: &[&str]) -> serde_json::Result<Self> {
        let mut json = serde_json::Deserializer::from_str(row);
        let row = Wanted(keys).deserialize(&mut json)?;
        json.end().map(|()| row)
    }
}

/// The keys of an object, in its order.
pub(super) fn keys(row: &str) -> serde_json::Result<Vec<String>> {
    let mut json = serde_json::Deserializer::from_str(row);
    let keys = json.deserialize_map(Keys)?;
    json.end().map(|()| keys)
}

struct Wanted<'a>(&'a [&'a str]);

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = Values;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Values, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Values;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Values, M::Error> {
        let mut values = Values {
            cells: self.0.iter().map(|_| None).collect(),
            twice: None,
        };
        while let Some(key) = map.next_key::<String>()? {
            let Some(place) = self.0.iter().position(|wanted| *wanted == key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if values.cells[place].replace(map.next_value()?).is_some() {
                values.twice = Some(place);
            }
        }
        Ok(values)
    }
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Vec<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Vec<String>, M::Error> {
        let mut keys = Vec::new();
        while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
            keys.push(key);
        }
        Ok(keys)
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell::Text(text.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Scalar(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Scalar(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Cell, E> {
        Ok(Cell::Scalar(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Cell, E> {
        // As JSON writes it: 1.0 is not 1.
        Ok(Cell::Scalar(format!("{value:?}")))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Cell, E> {
        Ok(Cell::Null)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Cell, S::Error> {
        let mut cells = Vec::new();
        while cells.len() < MOST_ITEMS {
            match items.next_element()? {
                Some(cell) => cells.push(cell),
                None => return Ok(Cell::List(cells)),
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Other("an array of too many values"))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Cell, M::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Other("an object"))
    }
}
