//! Words and their numbers in a JSON file.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::error::{SHOWN_NAME, SHOWN_REASON, shown};

/// What a JSON file of words holds.
#[derive(Debug, PartialEq)]
pub(crate) enum Entries {
    /// An object's words, each with its number.
    Object(Vec<(String, u32)>),
    /// An array's words.
    Array(Vec<String>),
}

/// The words of `json`, of which there may be `most`, or what is wrong with it. A key that is there twice is an
/// error: of two numbers nobody knows which is meant.
pub(crate) fn entries(json: &[u8], most: usize) -> Result<Entries, String> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let entries = Reader { most }.deserialize(&mut reader);
    let entries = entries.and_then(|entries| reader.end().map(|()| entries));
    let entries = entries.map_err(|error| shown(&error.to_string(), SHOWN_REASON))?;
    if let Entries::Object(entries) = &entries {
        let mut keys: Vec<&str> = entries.iter().map(|(key, _)| &key[..]).collect();
        keys.sort_unstable();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("`{}` is there twice", shown(pair[0], SHOWN_NAME)));
        }
    }
    Ok(entries)
}

struct Reader {
    most: usize,
}

impl Reader {
    fn check<E: Error>(&self, count: usize) -> Result<(), E> {
        match count < self.most {
            true => Ok(()),
            false => Err(E::custom(format!("it has more than {} words", self.most))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader {
    type Value = Entries;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Entries, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array of words")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key()? {
            self.check(entries.len())?;
            entries.push((key, map.next_value()?));
        }
        Ok(Entries::Object(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Entries, A::Error> {
        let mut words = Vec::new();
        while let Some(word) = array.next_element()? {
            self.check(words.len())?;
            words.push(word);
        }
        Ok(Entries::Array(words))
    }
}
