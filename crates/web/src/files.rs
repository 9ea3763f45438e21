//! A run's files, one by one or in a ZIP archive.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use js_sys::Error;
use wasm_bindgen::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::{Result, error};

/// Bytes of all files at most: a network of a hundred million weights is no network for a browser.
const MOST_BYTES: u64 = 1 << 29;
/// Files of a run, at most; with its checkpoints and curves it has a dozen.
const MOST_FILES: usize = 1000;

/// Files by their names, without folders.
#[wasm_bindgen]
#[derive(Default)]
pub struct RunFiles(BTreeMap<String, Vec<u8>>);

#[wasm_bindgen]
impl RunFiles {
    /// No file.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a file.
    ///
    /// # Errors
    /// If there is one of this name: these are more runs than one.
    pub fn add(&mut self, path: &str, bytes: Vec<u8>) -> Result<()> {
        let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
        match self.0.insert(name.into(), bytes) {
            None => Ok(()),
            Some(_) => Err(Error::new(&format!(
                "it holds {name} more than once: open one run's folder"
            ))),
        }
    }

    /// The files of a ZIP archive of one run.
    ///
    /// # Errors
    /// If it is none, is damaged, or holds too much.
    pub fn unzip(bytes: Vec<u8>) -> Result<RunFiles> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(error)?;
        if archive.len() > MOST_FILES {
            return Err(Error::new(&format!(
                "it holds {} files: that is no run",
                archive.len()
            )));
        }
        let (mut files, mut left) = (Self::default(), MOST_BYTES);
        for place in 0..archive.len() {
            let mut file = archive.by_index(place).map_err(error)?;
            if file.is_dir() {
                continue;
            }
            let name = file.name().map_err(error)?.into_owned();
            // To ask a network needs none of them.
            if name.split(['/', '\\']).any(|part| part == "checkpoints") {
                continue;
            }
            let mut bytes = Vec::new();
            let read = (&mut file).take(left + 1).read_to_end(&mut bytes);
            let read = read.map_err(error)? as u64;
            left = left.checked_sub(read).ok_or_else(|| {
                Error::new(&format!(
                    "it unpacks to more than {} MiB: that is no run",
                    MOST_BYTES >> 20
                ))
            })?;
            files.add(&name, bytes)?;
        }
        Ok(files)
    }
}

impl RunFiles {
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }
}

/// The files as a ZIP archive, in a folder of this name.
pub(crate) fn zipped(folder: &str, files: &[(&str, Vec<u8>)]) -> Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in files {
        archive
            .start_file(format!("{folder}/{name}"), options)
            .map_err(error)?;
        archive.write_all(bytes).map_err(error)?;
    }
    Ok(archive.finish().map_err(error)?.into_inner())
}
