//! Vectors of words that somebody else trained: GloVe's, word2vec's, fastText's.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::error::{DataError, Result, SHOWN_NAME, shown};
use crate::files::open_regular;
use crate::limits::{Allowance, Limited, Limits, NOT_MEANT, size};
use crate::tokenizer::Tokenizer;
use crate::vocabulary::Vocabulary;

/// Bytes that tell text from binary numbers.
const LOOKED_AT: u64 = 512;

/// Vectors of the words of a vocabulary, all of one width.
///
/// A file of them is recognised by its content: a word and its numbers a line, as GloVe has it; the same below a line
/// of the two counts, as word2vec's text and fastText's `.vec` have it; word2vec's binary form; and each of them
/// compressed by gzip. Only the vocabulary's words are kept in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct WordVectors {
    width: usize,
    vectors: BTreeMap<u32, Vec<f32>>,
}

impl WordVectors {
    /// Reads the vectors of the words of `vocabulary`. A word that the file has in upper case alone serves its lower
    /// case, where texts are read in lower case.
    ///
    /// # Errors
    /// If the file can't be read, is no file of word vectors, ends too early, a line of it has another number of
    /// numbers than the first, or none of its words is of the vocabulary.
    pub fn read(path: &Path, vocabulary: &Vocabulary) -> Result<Self> {
        Self::from_bytes_of(path, open_regular(path)?, vocabulary, &Limits::default())
    }

    /// How many numbers a vector of the file has.
    ///
    /// # Errors
    /// If the file can't be read, or is no file of word vectors.
    pub fn width_of(path: &Path) -> Result<usize> {
        let limits = Limits::default();
        let allowance = Allowance::new(limits.vectors);
        let bytes = unpacked(path, open_regular(path)?, &allowance)?;
        Ok(Reader::begin(path, bytes, &limits)?.width)
    }

    pub(crate) fn from_bytes_of(
        path: &Path,
        bytes: impl Read,
        vocabulary: &Vocabulary,
        limits: &Limits,
    ) -> Result<Self> {
        let allowance = Allowance::new(limits.vectors);
        let reader = Reader::begin(path, unpacked(path, bytes, &allowance)?, limits)?;
        let mut kept = Kept::of(vocabulary);
        let width = reader.width;
        let read = reader.read(&mut kept);
        if allowance.exceeded().is_some() {
            return Err(DataError::TooMuch {
                path: path.into(),
                reason: format!("it has more than {}", size(limits.vectors)),
                remedy: NOT_MEANT,
            });
        }
        read?;
        if kept.vectors.is_empty() {
            let words = vocabulary.words().len();
            return Err(refusal(
                path,
                None,
                format!(
                    "none of the vocabulary's {words} words has a vector there: they are of another language, or cut \
                     otherwise"
                ),
            ));
        }
        Ok(Self {
            width,
            vectors: kept.vectors,
        })
    }

    /// Numbers of a vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many words have one.
    #[expect(clippy::len_without_is_empty, reason = "one word has one at least")]
    pub fn len(&self) -> usize {
        self.vectors.len()
    }

    /// The vector of the word with this id.
    pub fn get(&self, id: u32) -> Option<&[f32]> {
        self.vectors.get(&id).map(Vec::as_slice)
    }

    /// Each id with its vector, in the order of the ids.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[f32])> {
        let vectors = self.vectors.iter();
        vectors.map(|(id, vector)| (*id, vector.as_slice()))
    }
}

fn refusal(path: &Path, line: Option<u64>, reason: String) -> DataError {
    DataError::WordVectors {
        path: path.into(),
        line: line.map_or(String::new(), |line| format!(", line {line}")),
        reason,
    }
}

fn no_vectors(path: &Path) -> DataError {
    refusal(
        path,
        Some(1),
        "it holds no word vectors: GloVe's text, word2vec's text or binary and fastText's .vec are read, also compressed \
         by gzip"
            .to_owned(),
    )
}

/// What `bytes` hold, unpacked if they are compressed.
fn unpacked<'a>(
    path: &Path,
    bytes: impl Read + 'a,
    allowance: &'a Allowance,
) -> Result<Box<dyn BufRead + 'a>> {
    let mut bytes = BufReader::with_capacity(1 << 16, bytes);
    let begins = bytes.fill_buf().map_err(DataError::reading(path))?;
    let unpacked: Box<dyn Read + 'a> = match begins.starts_with(&[0x1f, 0x8b]) {
        true => Box::new(MultiGzDecoder::new(bytes)),
        false => Box::new(bytes),
    };
    Ok(Box::new(BufReader::with_capacity(
        1 << 16,
        Limited::new(unpacked, allowance),
    )))
}

/// The vectors that are kept.
struct Kept<'a> {
    vocabulary: &'a Vocabulary,
    /// Whether texts are read in lower case.
    lower: bool,
    vectors: BTreeMap<u32, Vec<f32>>,
    /// Those of words that the file has in another case.
    of_another_case: BTreeSet<u32>,
}

impl<'a> Kept<'a> {
    fn of(vocabulary: &'a Vocabulary) -> Self {
        Self {
            vocabulary,
            lower: matches!(
                vocabulary.tokenizer(),
                Tokenizer::Keras | Tokenizer::Unicode
            ),
            vectors: BTreeMap::new(),
            of_another_case: BTreeSet::new(),
        }
    }

    /// The id that wants this word's vector, and whether the word is written in another case. The first one in the
    /// vocabulary's own case stays.
    fn wants(&self, word: &str) -> Option<(u32, bool)> {
        let is_free = |id: &u32| !self.vectors.contains_key(id);
        if let Some(id) = self.vocabulary.id(word) {
            let other = self.of_another_case.contains(&id);
            return (is_free(&id) || other).then_some((id, false));
        }
        if !self.lower || word.len() > SHOWN_NAME * 4 {
            return None;
        }
        let id = self.vocabulary.id(&word.to_lowercase()).filter(is_free)?;
        Some((id, true))
    }

    fn keep(&mut self, (id, other): (u32, bool), vector: Vec<f32>) {
        match other {
            true => self.of_another_case.insert(id),
            false => self.of_another_case.remove(&id),
        };
        self.vectors.insert(id, vector);
    }
}

/// A file of word vectors behind its first line of counts, if it has one.
struct Reader<'a> {
    path: &'a Path,
    limits: &'a Limits,
    bytes: Box<dyn BufRead + 'a>,
    width: usize,
    /// Of the first line of counts.
    count: Option<u64>,
    binary: bool,
}

impl<'a> Reader<'a> {
    fn begin(path: &'a Path, mut bytes: Box<dyn BufRead + 'a>, limits: &'a Limits) -> Result<Self> {
        let first = read_line(path, &mut bytes, limits, 1)?;
        let text = String::from_utf8_lossy(&first).into_owned();
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let counts: Vec<u64> = fields
            .iter()
            .map_while(|field| field.parse().ok())
            .collect();
        let (width, count) = match (&fields[..], &counts[..]) {
            ([_, _], [count, width]) => {
                (usize::try_from(*width).unwrap_or(usize::MAX), Some(*count))
            }
            _ => {
                let is_number = |field: &&&str| field.parse::<f32>().is_ok_and(f32::is_finite);
                let numbers = fields.iter().rev().take_while(is_number).count();
                (numbers.min(fields.len().saturating_sub(1)), None)
            }
        };
        if count.is_none() && width < 2 {
            return Err(no_vectors(path));
        }
        if !(1..=limits.vector_width).contains(&width) {
            return Err(refusal(
                path,
                Some(1),
                format!(
                    "its vectors have {width} numbers, where from 1 to {} are read",
                    limits.vector_width
                ),
            ));
        }
        let mut begins = Vec::new();
        let mut binary = false;
        if count.is_some() {
            (&mut bytes)
                .take(LOOKED_AT)
                .read_to_end(&mut begins)
                .map_err(reading(path))?;
            binary = !is_text(&begins);
        } else {
            begins = first;
        }
        Ok(Self {
            path,
            limits,
            bytes: Box::new(Cursor::new(begins).chain(bytes)),
            width,
            count,
            binary,
        })
    }

    fn read(self, kept: &mut Kept) -> Result<()> {
        match self.binary {
            true => self.read_binary(kept),
            false => self.read_text(kept),
        }
    }

    fn read_text(mut self, kept: &mut Kept) -> Result<()> {
        let first = if self.count.is_some() { 2 } else { 1 };
        let mut words = 0;
        for number in first.. {
            let line = read_line(self.path, &mut self.bytes, self.limits, number)?;
            if line.is_empty() {
                break;
            }
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end();
            if line.is_empty() {
                continue;
            }
            words += 1;
            let refused = |reason| refusal(self.path, Some(number), reason);
            let (word, numbers) = parted(line, self.width).map_err(refused)?;
            if let Some(wanted) = kept.wants(word) {
                kept.keep(wanted, parsed(numbers).map_err(refused)?);
            }
        }
        self.check_count(words)
    }

    fn read_binary(mut self, kept: &mut Kept) -> Result<()> {
        let count = self.count.unwrap_or_default();
        let mut vector = vec![0; 4 * self.width];
        for read in 0..count {
            let mut word = Vec::new();
            let most = self.limits.word as u64 + 1;
            (&mut self.bytes)
                .take(most)
                .read_until(b' ', &mut word)
                .map_err(reading(self.path))?;
            if word.pop() != Some(b' ') {
                return match word.len() as u64 + 1 == most {
                    true => Err(refusal(
                        self.path,
                        None,
                        format!(
                            "word {} is longer than {} bytes",
                            read + 1,
                            self.limits.word
                        ),
                    )),
                    false => self.check_count(read),
                };
            }
            match self.bytes.read_exact(&mut vector) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return self.check_count(read);
                }
                done => done.map_err(reading(self.path))?,
            }
            // word2vec ends a vector with a line's end, which then begins the next word.
            let word = String::from_utf8_lossy(&word);
            let word = word.trim_start_matches('\n');
            if let Some(wanted) = kept.wants(word) {
                let (numbers, _) = vector.as_chunks::<4>();
                let numbers: Vec<f32> = numbers.iter().map(|n| f32::from_le_bytes(*n)).collect();
                if !numbers.iter().all(|number| number.is_finite()) {
                    let word = shown(word, SHOWN_NAME);
                    return Err(refusal(
                        self.path,
                        None,
                        format!("a number of the vector of `{word}` is not finite"),
                    ));
                }
                kept.keep(wanted, numbers);
            }
        }
        Ok(())
    }

    /// Whether all words that the file says that it has were there.
    fn check_count(&self, found: u64) -> Result<()> {
        match self.count {
            Some(count) if found < count => Err(refusal(
                self.path,
                None,
                format!("it ends after {found} of {count} words: fetch it again"),
            )),
            _ => Ok(()),
        }
    }
}

fn reading(path: &Path) -> impl FnOnce(io::Error) -> DataError {
    move |source| match source.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            let what = shown(&source.to_string(), SHOWN_NAME);
            refusal(
                path,
                None,
                format!("it is truncated or damaged ({what}): fetch it again"),
            )
        }
        _ => DataError::reading(path)(source),
    }
}

/// A line with its end; empty at the end of the file.
fn read_line(
    path: &Path,
    bytes: &mut dyn BufRead,
    limits: &Limits,
    number: u64,
) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut bytes = bytes.take(limits.vector_line + 1);
    bytes.read_until(b'\n', &mut line).map_err(reading(path))?;
    if line.len() as u64 > limits.vector_line {
        let most = size(limits.vector_line);
        return Err(refusal(
            path,
            Some(number),
            format!("it has more than {most}"),
        ));
    }
    Ok(line)
}

/// Whether what follows the counts is a word and numbers in text, not in binary.
fn is_text(begins: &[u8]) -> bool {
    let line = begins.split(|&byte| byte == b'\n').next();
    let line = line.unwrap_or_default();
    let word = line.iter().position(|byte| matches!(byte, b' ' | b'\t'));
    let is_of_number = |byte: &u8| {
        byte.is_ascii_digit()
            || matches!(
                byte,
                b'+' | b'-' | b'.' | b'e' | b'E' | b' ' | b'\t' | b'\r'
            )
    };
    word.is_some_and(|word| line[word..].iter().all(is_of_number))
}

/// The word of a line, and its last `width` fields; a word may hold spaces.
fn parted(line: &str, width: usize) -> std::result::Result<(&str, &str), String> {
    let mut word = line;
    for found in 0..width {
        let Some((rest, _)) = word.rsplit_once([' ', '\t']) else {
            return Err(format!(
                "it has {found} numbers behind its word, where there should be {width}"
            ));
        };
        word = rest;
    }
    Ok((word, &line[word.len()..]))
}

fn parsed(numbers: &str) -> std::result::Result<Vec<f32>, String> {
    let parse = |field: &str| match field.parse::<f32>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(format!(
            "`{}` is no finite number",
            shown(field, SHOWN_NAME)
        )),
    };
    // The first character is the separator behind the word.
    numbers[1..].split([' ', '\t']).map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn vocabulary() -> Vocabulary {
        let texts = ["the the film film good paris new york"].into_iter();
        Vocabulary::build(texts, 100, Tokenizer::Keras)
    }

    fn read(bytes: &[u8]) -> Result<WordVectors> {
        WordVectors::from_bytes_of(Path::new("v.txt"), bytes, &vocabulary(), &Limits::default())
    }

    fn message(bytes: &[u8]) -> String {
        read(bytes).unwrap_err().to_string()
    }

    fn binary(count: u64, entries: &[(&str, [f32; 2])], end: &str) -> Vec<u8> {
        let mut bytes = format!("{count} 2\n").into_bytes();
        for (word, vector) in entries {
            bytes.extend(word.as_bytes());
            bytes.push(b' ');
            bytes.extend(vector.iter().flat_map(|number| number.to_le_bytes()));
            bytes.extend(end.as_bytes());
        }
        bytes
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn every_form_gives_the_same_vectors() {
        let glove = "the 1.0 -2e-1\nof 3 4\nfilm 0.5 0.25\n";
        let entries = [
            ("the", [1.0, -0.2]),
            ("of", [3.0, 4.0]),
            ("film", [0.5, 0.25]),
        ];
        let expected = read(glove.as_bytes()).unwrap();
        assert_eq!((expected.width(), expected.len()), (2, 2));
        assert_eq!(
            expected.get(vocabulary().id("the").unwrap()),
            Some(&[1.0, -0.2][..])
        );
        assert_eq!(expected.get(vocabulary().id("good").unwrap()), None);
        for form in [
            format!("3 2\n{glove}").into_bytes(),
            format!("3 2\r\n{}", glove.replace('\n', " \r\n")).into_bytes(),
            glove.trim_end().replace(' ', "\t").into_bytes(),
            binary(3, &entries, ""),
            binary(3, &entries, "\n"),
        ] {
            assert_eq!(read(&form).unwrap(), expected);
            assert_eq!(read(&gz(&form)).unwrap(), expected);
        }
    }

    #[test]
    fn a_word_may_hold_spaces_and_its_own_case_goes_first() {
        let vectors = read(
            b"a b c 1 2\n. . . 3 4\nThe 5 6\nthe 7 8\nTHE 9 9\nthe 0 0\nParis 1 1\nPARIS 2 2\n",
        );
        let vectors = vectors.unwrap();
        let id = |word| vocabulary().id(word).unwrap();
        assert_eq!(vectors.len(), 2);
        assert_eq!(vectors.get(id("the")), Some(&[7.0, 8.0][..]));
        assert_eq!(vectors.get(id("paris")), Some(&[1.0, 1.0][..]));
    }

    #[test]
    fn damaged_files_are_refused_with_the_line() {
        for (bytes, reason) in [
            (&b""[..], "holds no word vectors"),
            (b"text,label\na film,pos\n", "holds no word vectors"),
            (
                b"the 1 2\nfilm 1\n",
                "v.txt, line 2: it has 1 numbers behind its word, where there should be 2",
            ),
            (
                b"the 1 2\nfilm 1 x\x1b\n",
                "v.txt, line 2: `x\\u{1b}` is no finite number",
            ),
            (b"the 1 2\nfilm 1 inf\n", "is no finite number"),
            (b"3 2\nthe 1 2\n", "it ends after 1 of 3 words"),
            (
                b"3 99999999999\nthe 1 2\n",
                "numbers, where from 1 to 4096 are read",
            ),
            (
                b"of 1 2\nand 3 4\n",
                "none of the vocabulary's 6 words has a vector there",
            ),
            (
                &binary(99, &[("the", [1.0, 2.0])], ""),
                "it ends after 1 of 99 words",
            ),
            (
                &binary(1, &[("the", [1.0, f32::NAN])], ""),
                "of the vector of `the` is not finite",
            ),
            (&gz(b"the 1 2\nfilm 3 4\n")[..20], "truncated or damaged"),
            (&[b'a'; 2 << 20][..], "it has more than 1 MiB"),
        ] {
            let message = message(bytes);
            assert!(message.contains(reason), "{message}");
            assert!(!message.contains(char::is_control), "{message}");
        }
        let long = binary(2, &[(&"a".repeat(5000), [1.0, 2.0])], "");
        assert!(message(&long).contains("word 1 is longer than"));
    }
}
