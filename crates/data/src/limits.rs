//! How much is read of what somebody else made. More is an error that names the limit, not a
//! machine out of memory.

// Some are of files alone.
#![cfg_attr(not(feature = "files"), allow(dead_code))]

use std::cell::Cell;
use std::io::{self, Read};

/// What to do about a file that is larger than any of its kind.
pub(crate) const NOT_MEANT: &str = "check that this is the file that you meant";

/// The limits of all sources, far above what is published: [`Source`](crate::Source) lists them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of an unpacked archive, with all that is no review; the published one has 0.3 GiB.
    pub(crate) archive: u64,
    /// Entries of an archive, files of a dataset's folders, or reviews of an `.npz`; published are
    /// 100 000.
    pub(crate) entries: u64,
    /// Bytes between two entries of an archive: a header, and a long name or records of PAX.
    pub(crate) header: u64,
    /// Bytes of a review that is a file or an entry; the longest published one has 13 704.
    pub(crate) review: u64,
    /// Bytes of all of IMDB's reviews; published are 62 MiB.
    pub(crate) reviews: u64,
    /// Bytes of an `.npz`, and of each of its arrays when unpacked; the published ones have 17 MiB
    /// and 14 MiB.
    pub(crate) npz: u64,
    /// Bytes of a word index; the published one has 1.6 MiB.
    pub(crate) word_index: u64,
    /// Bytes of a word of an index; the longest published one has 51.
    pub(crate) word: usize,
    /// Bytes of a vocabulary of another program; one of a million words has 20 MiB.
    pub(crate) vocabulary: u64,
    /// Words of it.
    pub(crate) words: usize,
    /// Bytes of a table. Its texts stay in memory, so that the machine's may be less.
    pub(crate) table: u64,
    /// Rows of a table.
    pub(crate) rows: usize,
    /// Bytes of a row of a table.
    pub(crate) row: u64,
    /// Columns of a table.
    pub(crate) columns: usize,
    /// Bytes of a label in it.
    pub(crate) label: usize,
    /// Numbers of series, and of all sequences that are cut out of them; a gigabyte has twice as many.
    pub(crate) numbers: usize,
    /// Bytes of an array of numbers.
    pub(crate) array: u64,
    /// Bytes of a file of word vectors, unpacked; the largest published ones have 6 GiB.
    pub(crate) vectors: u64,
    /// Bytes of a line of it.
    pub(crate) vector_line: u64,
    /// Numbers of a word's vector; published ones have 300.
    pub(crate) vector_width: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            archive: 2 << 30,
            entries: 200_000,
            header: 64 << 10,
            review: 1 << 20,
            reviews: 512 << 20,
            npz: 64 << 20,
            word_index: 16 << 20,
            word: 1 << 10,
            vocabulary: 64 << 20,
            words: 10_000_000,
            table: 4 << 30,
            rows: 1 << 25,
            row: 64 << 20,
            columns: 1 << 20,
            label: 1 << 10,
            numbers: 1 << 27,
            array: 1 << 30,
            vectors: 32 << 30,
            vector_line: 1 << 20,
            vector_width: 1 << 12,
        }
    }
}

/// A number of bytes, for people.
pub(crate) fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units
        .into_iter()
        .find(|(shift, _)| bytes > 0 && bytes.trailing_zeros() >= *shift)
    {
        Some((shift, unit)) => format!("{} {unit}", bytes >> shift),
        None => format!("{bytes} bytes"),
    }
}

/// Which part of an [`Allowance`] was used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// What may be read in all.
    All,
    /// What may be read before the next call of [`Allowance::allow`].
    Part,
}

/// How many bytes a [`Limited`] reader may still give. It is shared with whoever reads, so that a
/// library in between that reads as much as a file tells it to can be stopped.
pub(crate) struct Allowance {
    all: Cell<u64>,
    part: Cell<u64>,
    exceeded: Cell<Option<Bound>>,
}

impl Allowance {
    /// An allowance of `all` bytes, with no narrower bound.
    pub(crate) fn new(all: u64) -> Self {
        Self {
            all: Cell::new(all),
            part: Cell::new(u64::MAX),
            exceeded: Cell::new(None),
        }
    }

    /// Allows `part` bytes from here on, until the next call.
    pub(crate) fn allow(&self, part: u64) {
        self.part.set(part);
    }

    /// What was used up, if the reader failed for that.
    pub(crate) fn exceeded(&self) -> Option<Bound> {
        self.exceeded.get()
    }
}

/// A reader that fails where its allowance ends before it does.
pub(crate) struct Limited<'a, R> {
    inner: R,
    allowance: &'a Allowance,
}

impl<'a, R: Read> Limited<'a, R> {
    pub(crate) fn new(inner: R, allowance: &'a Allowance) -> Self {
        Self { inner, allowance }
    }
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Allowance {
            all,
            part,
            exceeded,
        } = self.allowance;
        if buffer.is_empty() {
            return Ok(0);
        }
        let left = all.get().min(part.get());
        if left == 0 {
            // It may be that nothing is left to read either.
            if self.inner.read(&mut buffer[..1])? == 0 {
                return Ok(0);
            }
            exceeded.set(Some(if all.get() == 0 {
                Bound::All
            } else {
                Bound::Part
            }));
            return Err(io::Error::other("it has more bytes than are read of it"));
        }
        let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self.inner.read(&mut buffer[..most])?;
        all.set(all.get() - count as u64);
        part.set(part.get().saturating_sub(count as u64));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_ends_within_its_allowance_or_fails() {
        for (all, fits) in [(9, false), (10, true), (11, true)] {
            let allowance = Allowance::new(all);
            let mut bytes = Vec::new();
            let read = Limited::new(&b"ten bytes."[..], &allowance).read_to_end(&mut bytes);
            assert_eq!(read.is_ok(), fits, "{all}");
            assert_eq!(allowance.exceeded(), (!fits).then_some(Bound::All));
            assert!(bytes.len() as u64 <= all);
        }
    }

    #[test]
    fn each_part_has_its_own_allowance() {
        let allowance = Allowance::new(8);
        let mut reader = Limited::new(&b"ten bytes."[..], &allowance);
        let mut buffer = [0; 4];
        for _ in 0..2 {
            allowance.allow(3);
            assert_eq!(reader.read(&mut buffer).unwrap(), 3);
        }
        assert!(reader.read(&mut buffer).is_err());
        assert_eq!(allowance.exceeded(), Some(Bound::Part));
    }

    #[test]
    fn sizes_are_shown_in_the_largest_unit_that_fits() {
        let shown = [0, 1000, 1 << 10, 1536 << 10, 64 << 20, 2 << 30].map(size);
        assert_eq!(
            shown,
            [
                "0 bytes",
                "1000 bytes",
                "1 KiB",
                "1536 KiB",
                "64 MiB",
                "2 GiB"
            ]
        );
    }
}
