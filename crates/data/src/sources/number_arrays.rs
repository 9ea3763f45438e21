//! Arrays of numbers in a `.npz`, by their names.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;

use zip::ZipArchive;

use super::npy::Array;
use crate::error::{DataError, Result, SHOWN_REASON, shown};
use crate::files::read_regular;

/// An array of numbers, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberArray {
    /// Its dimensions, up to three.
    pub shape: Vec<usize>,
    /// All numbers.
    pub values: Vec<f32>,
}

impl NumberArray {
    /// The rows of an array of two dimensions; none of another.
    pub fn rows(&self) -> Option<Vec<Vec<f32>>> {
        let &[rows, columns] = &self.shape[..] else {
            return None;
        };
        let row = |row: usize| self.values[row * columns..][..columns].to_vec();
        Some((0..rows).map(row).collect())
    }
}

/// The arrays of a `.npz`, by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NumberArrays(BTreeMap<String, NumberArray>);

impl NumberArrays {
    /// Reads those that are called so in a file of at most `most` bytes, which also bounds the bytes of each.
    ///
    /// # Errors
    /// [`DataError`] if the file can't be read, or an array in it is damaged or of something else than numbers.
    pub fn read(path: &Path, names: &[&str], most: u64) -> Result<Self> {
        let bytes = read_regular(path, most)?;
        let failed = |entry: &str, reason: String| DataError::Npz {
            path: path.into(),
            entry: entry.to_owned(),
            reason: shown(&reason, SHOWN_REASON),
        };
        let zip = ZipArchive::new(Cursor::new(&bytes[..]));
        let mut zip = zip
            .map_err(|error| failed("as a whole", format!("it is no sound zip file ({error})")))?;
        let mut arrays = BTreeMap::new();
        for name in names {
            let entry = format!("{name}.npy");
            if zip.index_for_name(&entry).is_none() {
                continue;
            }
            let mut array = Vec::new();
            let reader = zip
                .by_name(&entry)
                .map_err(|error| failed(&entry, error.to_string()))?;
            let read = reader.take(most + 1).read_to_end(&mut array);
            read.map_err(|error| failed(&entry, error.to_string()))?;
            if array.len() as u64 > most {
                return Err(failed(&entry, format!("it has more than {most} bytes")));
            }
            let array = Array::new(&array).map_err(|reason| failed(&entry, reason))?;
            let values = array.numbers().map(|number| number as f32).collect();
            let shape = array.shape.clone();
            arrays.insert((*name).to_owned(), NumberArray { shape, values });
        }
        Ok(Self(arrays))
    }

    /// Takes the one of this name, if it was there.
    pub fn take(&mut self, name: &str) -> Option<NumberArray> {
        self.0.remove(name)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::npy::sample::npy;
    use super::*;

    #[test]
    fn arrays_are_read_by_their_names_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("probe.npz");
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        let body = [1_i32, 2, 3, 4, 5, 6].map(i32::to_le_bytes).concat();
        for (name, bytes) in [
            ("ids.npy", npy("<i4", "(2, 3)", &body)),
            ("other.npy", b"no array".to_vec()),
        ] {
            zip.start_file(name, zip::write::SimpleFileOptions::default())
                .unwrap();
            zip.write_all(&bytes).unwrap();
        }
        zip.finish().unwrap();
        let mut arrays = NumberArrays::read(&path, &["ids", "lengths"], 1 << 20).unwrap();
        let ids = arrays.take("ids").unwrap().rows().unwrap();
        assert_eq!(ids, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        assert_eq!(arrays.take("lengths"), None);
        let error = NumberArrays::read(&path, &["other"], 1 << 20)
            .unwrap_err()
            .to_string();
        assert!(error.contains("other.npy"), "{error}");
        assert!(NumberArrays::read(&path, &["ids"], 100).is_err());
    }
}
