//! TensorBoard's event files, from which it draws a run's curves.
//!
//! A file is a row of TFRecords: the data's length (u64), the length's checksum (u32), the data, the
//! data's checksum (u32), all little-endian. The data is an `Event`, a protocol buffer of TensorFlow's
//! `event.proto` and `summary.proto`; the numbers of its fields stand below.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use gatefold_model::interop::protobuf::Message;

const PREFIX: &str = "events.out.tfevents.";

/// The first event says by which rules a file is read; by these, a restart takes back later steps.
const FILE_VERSION: &[u8] = b"brain.Event:2";

/// `SessionLog.status` of a run that starts again.
const START: u64 = 1;

/// Writes one event file.
pub struct EventWriter {
    file: BufWriter<File>,
    path: PathBuf,
}

impl EventWriter {
    /// Opens a new file in `folder`: `events.out.tfevents.SECONDS.gatefold.PROCESS`. The names leave the
    /// machine's out, for runs are handed on.
    ///
    /// A run that goes on after `resumed_at` steps takes back what earlier files hold of later ones.
    ///
    /// # Errors
    /// If the folder can't be read or written to.
    pub fn create(folder: &Path, resumed_at: Option<u64>) -> Result<Self> {
        let seconds = free_second(folder)
            .with_context(|| format!("cannot read the folder {}", folder.display()))?;
        let process = std::process::id();
        let path = folder.join(format!("{PREFIX}{seconds:010}.gatefold.{process}"));
        let file =
            File::create_new(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut writer = Self {
            file: BufWriter::new(file),
            path,
        };
        writer.write(0, Message::default().bytes(3, FILE_VERSION))?;
        if let Some(step) = resumed_at {
            // TensorBoard drops this step and later ones.
            let start = Message::default().varint(1, START);
            writer.write(step + 1, Message::default().bytes(7, &start))?;
        }
        writer.flush()?;
        Ok(writer)
    }

    /// Adds the values by tag at `step`, which show once the file is flushed, or dropped.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> Result<()> {
        let summary = values
            .iter()
            .fold(Message::default(), |summary, &(tag, value)| {
                let value = Message::default().bytes(1, tag).float(2, value as f32);
                summary.bytes(1, &value)
            });
        self.write(step, Message::default().bytes(5, &summary))
    }

    /// Hands all events to the operating system.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn flush(&mut self) -> Result<()> {
        let flushed = self.file.flush();
        flushed.with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn write(&mut self, step: u64, what: Message) -> Result<()> {
        let record = record(&event(seconds_now(), step, what));
        let written = self.file.write_all(&record);
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Now, or later than every event file there: TensorBoard reads them in the order of their names.
fn free_second(folder: &Path) -> std::io::Result<u64> {
    let mut free = seconds_now() as u64;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let second = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split('.').next()?.parse().ok());
        free = free.max(second.map_or(0, |second: u64| second.saturating_add(1)));
    }
    Ok(free)
}

/// Since 1970.
fn seconds_now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

/// An `Event` that holds `what` at `step`.
fn event(seconds: f64, step: u64, what: Message) -> Vec<u8> {
    let mut event = Message::default().double(1, seconds).varint(2, step);
    event.0.extend(what.0);
    event.0
}

/// A TFRecord.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(checksum(&length).to_le_bytes());
    record.extend(data);
    record.extend(checksum(data).to_le_bytes());
    record
}

/// TFRecord's checksum: CRC-32C, masked, since the plain one is weak over data that holds such itself.
fn checksum(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (RFC 3720, B.4), a bit at a time: events are short.
fn crc32c(bytes: &[u8]) -> u32 {
    let divide = |remainder: u32, _| {
        let odd = remainder & 1 == 1;
        remainder >> 1 ^ if odd { 0x82f6_3b78 } else { 0 }
    };
    !bytes.iter().fold(!0, |remainder, &byte| {
        (0..8).fold(remainder ^ u32::from(byte), divide)
    })
}

#[cfg(test)]
mod tests;
