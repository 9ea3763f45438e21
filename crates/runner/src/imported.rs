//! Runs that are made of other frameworks' files.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use gatefold_data::{Example, NumberArrays, Sequence};
use gatefold_training::bundle::Bundle;

use crate::files;
use crate::run_folder::RunFolder;

/// Bytes of a probe.
const MOST_PROBE: u64 = 8 << 20;

/// What a network answered to a few sequences where it was trained.
#[derive(Debug)]
pub struct Probe {
    /// Token ids of each row.
    ids: Vec<Vec<u32>>,
    /// How many of them are the row's own, where that is said.
    lengths: Option<Vec<usize>>,
    /// The answers to each row, before they are probabilities.
    pub logits: Vec<Vec<f32>>,
}

impl Probe {
    /// Reads an `.npz` of `ids` `[B, T]`, `lengths` `[B]` if rows are shorter than T, and `logits` `[B, C]`.
    ///
    /// # Errors
    /// If it can't be read, an array is missing, or they don't fit together.
    pub fn read(path: &Path) -> Result<Self> {
        Self::of(path).with_context(|| format!("cannot read the probe {}", path.display()))
    }

    fn of(path: &Path) -> Result<Self> {
        let names = ["ids", "lengths", "logits"];
        let mut arrays = NumberArrays::read(path, &names, MOST_PROBE)?;
        let mut take = |name: &str| arrays.take(name);
        let Some((ids, rows)) = take("ids").and_then(|array| Some((array.rows()?, array.shape[0])))
        else {
            bail!("it has no array `ids` of two dimensions, [rows, time]");
        };
        let whole = |value: &f32| {
            let is_whole = value.fract() == 0.0 && *value >= 0.0 && *value < 16_777_216.0;
            is_whole.then_some(*value as u32)
        };
        let ids = ids
            .iter()
            .map(|row| row.iter().map(whole).collect::<Option<Vec<u32>>>());
        let ids: Option<Vec<Vec<u32>>> = ids.collect();
        let ids = ids.context("its `ids` are no token ids")?;
        let lengths = take("lengths").map(|array| {
            let lengths = array
                .values
                .iter()
                .map(|value| whole(value).map(|length| length as usize));
            let lengths: Option<Vec<usize>> = lengths.collect();
            lengths.context("its `lengths` are no whole numbers")
        });
        let lengths = lengths.transpose()?;
        let logits = take("logits").and_then(|array| match array.shape.len() {
            1 => Some(array.values.iter().map(|&value| vec![value]).collect()),
            _ => array.rows(),
        });
        let Some(logits) = logits else {
            bail!("it has no array `logits` of two dimensions, [rows, outputs]");
        };
        let logits: Vec<Vec<f32>> = logits;
        ensure!(rows > 0, "it has no rows");
        ensure!(
            logits.iter().flatten().all(|logit| logit.is_finite()),
            "a logit in it is not finite"
        );
        ensure!(
            logits.len() == rows && lengths.as_ref().is_none_or(|lengths| lengths.len() == rows),
            "its arrays have different numbers of rows"
        );
        Ok(Self {
            ids,
            lengths,
            logits,
        })
    }

    /// Whether its rows are padded, and all of them in front, or all behind; none if they are not, or their lengths are said.
    pub fn is_padded_in_front(&self) -> Option<bool> {
        let padded = |row: &Vec<u32>| match (row.first(), row.last()) {
            (Some(0), Some(1..)) => Some(true),
            (Some(1..), Some(0)) => Some(false),
            _ => None,
        };
        let mut sides = self.ids.iter().filter_map(padded);
        let side = sides.next().filter(|_| self.lengths.is_none())?;
        sides.all(|other| other == side).then_some(side)
    }

    /// The rows as a network reads them: without what lies behind their lengths, if `mask` leaves padding out. Two ids may
    /// have changed places.
    ///
    /// # Errors
    /// If a length is longer than its row or 0, or an id is not below `size`.
    pub fn examples(
        &self,
        mask: bool,
        size: usize,
        swapped: Option<[u32; 2]>,
    ) -> Result<Vec<Example>> {
        let now = |id: u32| match swapped {
            Some([one, other]) if id == one => other,
            Some([one, other]) if id == other => one,
            _ => id,
        };
        let rows = self.ids.iter().enumerate().map(|(row, ids)| {
            let length = match &self.lengths {
                Some(lengths) => lengths[row],
                None => ids.len(),
            };
            ensure!(
                length <= ids.len() && length > 0,
                "the probe's row {row} has {} ids, and its length is {length}",
                ids.len()
            );
            ensure!(
                ids.iter().all(|&id| (id as usize) < size),
                "the probe's row {row} has an id that the network, of {size}, has not"
            );
            // Without lengths, a network that reads padding reads all of a row.
            let kept = if mask || self.lengths.is_some() {
                &ids[..length]
            } else {
                &ids[..]
            };
            Ok(Example::from(Sequence::Tokens(
                kept.iter().copied().map(now).collect(),
            )))
        });
        rows.collect()
    }
}

/// Writes a run with all that it needs to answer: the whole of it, or nothing.
///
/// # Errors
/// If something else is there, or it can't be written.
pub fn write_run(path: &Path, bundle: &Bundle) -> Result<()> {
    RunFolder::ensure_free(path)?;
    let cannot = || format!("cannot write the run {}", path.display());
    let parent = files::parent(path);
    files::create_folder(parent)?;
    let part = files::new_folder_beside(path).with_context(cannot)?;
    for (name, bytes) in bundle.files()? {
        files::replace(&part.path().join(name), &bytes)?;
    }
    // An empty folder there would be in the way elsewhere than on Unix.
    if path.is_dir() {
        fs::remove_dir(path).with_context(cannot)?;
    }
    fs::rename(part.path(), path).with_context(cannot)?;
    files::sync_folder(parent).with_context(cannot)
}
