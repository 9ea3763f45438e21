//! Texts in folders, a folder a class: `neg/`, `pos/`, or of any other name, within `train` and `test` or without.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use encoding_rs::{Encoding, UTF_8};
use rayon::prelude::*;

use super::acl_imdb::{REPORT_EVERY, read_review};
use super::progress::{LoadProgress, Unit};
use super::table;
use super::texts::{Cut, TextRow, note_repeated_texts, share_out};
use crate::corpus::Corpus;
use crate::dataset::{Dataset, Note, Record};
use crate::error::{DataError, Result, SHOWN_NAME, shown, shown_names};
use crate::files::{check, read_regular};
use crate::labels::{Labels, in_order};
use crate::limits::{Limits, size};
use crate::random::mix;
use crate::split::Part;

/// What the folders of the parts may be called.
const PARTS: [(&str, Part); 6] = [
    ("train", Part::Train),
    ("training", Part::Train),
    ("valid", Part::Validation),
    ("validation", Part::Validation),
    ("dev", Part::Validation),
    ("test", Part::Test),
];

/// IMDB's texts without a label.
const UNLABELLED: &str = "unsup";

/// Where texts are in folders.
///
/// A text is a file that ends in `.txt`; the name of its folder is its label. The folders of the classes lie in
/// folders called `train`, `test` and, if there is one, `validation`, `valid` or `dev`; or all in one, of which a share
/// is kept for testing, and one to validate.
#[derive(Clone, Debug, PartialEq)]
pub struct FolderOptions {
    /// The folder.
    pub path: PathBuf,
    /// The encoding of all texts; UTF-8 where there is none.
    pub encoding: Option<String>,
    /// The labels there may be; else the names of the folders, in the order that a table's labels have.
    pub labels: Option<Labels>,
    /// The share of each class that is kept for testing where there is no folder for it, between 0 and 1.
    pub test_fraction: f64,
    /// The share of each class of what is left that is held out to validate where there is no folder for it.
    pub validation_fraction: f64,
}

/// A text's part, class and file.
type Place = (Part, String, PathBuf);

/// Reads all texts of a folder.
pub(super) fn load(
    options: &FolderOptions,
    limits: &Limits,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Dataset> {
    let refused = |reason: String| DataError::Table {
        path: options.path.clone(),
        reason,
    };
    let fraction = options.test_fraction;
    let mut found = Found::default();
    found.find(&options.path, limits)?;
    let Found {
        mut files,
        mut notes,
        ..
    } = found;
    files.sort_unstable();
    let classes: BTreeSet<&str> = files.iter().map(|(_, class, _)| class.as_str()).collect();
    if classes.is_empty() {
        return Err(refused(
            "no texts are here; a folder of texts has a folder for each class, such as `neg` and `pos`, with files \
             that end in .txt"
                .into(),
        ));
    }
    let labels = match &options.labels {
        Some(labels) => labels.clone(),
        None => {
            let names = classes.iter().map(|&class| class.to_owned()).collect();
            Labels::new(in_order(names)).map_err(|error| refused(error.to_string()))?
        }
    };
    for class in &classes {
        if labels.class(class).is_none() {
            return Err(refused(format!(
                "the folder `{}` is no label of these: {}",
                shown(class, SHOWN_NAME),
                labels.shown()
            )));
        }
    }
    let present: BTreeSet<Part> = files.iter().map(|(part, ..)| *part).collect();
    for part in &present {
        let here = files.iter().filter(|(of, ..)| of == part);
        let here: BTreeSet<&str> = here.map(|(_, class, _)| class.as_str()).collect();
        let missing = classes
            .iter()
            .filter(|class| !here.contains(*class))
            .copied();
        if here.len() < classes.len() {
            return Err(refused(format!(
                "{part} has no texts of {}",
                shown_names(missing)
            )));
        }
    }
    let is_cut = !present.contains(&Part::Test);
    if is_cut && !(fraction > 0.0 && fraction < 1.0) {
        return Err(DataError::TestFraction { fraction });
    }

    let encoding = encoding_of(options)?;
    let [mut rows, mut own_validation, mut own_test] = [const { Vec::new() }; 3];
    let total = files.len() as u64;
    let (mut done, mut bytes) = (0, 0);
    for some in files.chunks(REPORT_EVERY) {
        let texts = some
            .par_iter()
            .map(|(_, _, path)| decoded(path, &read_review(path, limits)?, encoding));
        let texts = texts.collect::<Result<Vec<_>>>()?;
        for (place, ((part, class, _), text)) in (done..).zip(some.iter().zip(texts)) {
            bytes += text.len() as u64;
            let class = labels.class(class).expect("every folder is a label");
            match part {
                Part::Train => &mut rows,
                Part::Validation => &mut own_validation,
                Part::Test => &mut own_test,
            }
            .push(TextRow {
                line: place,
                group: None,
                record: Record::text(text, class),
            });
        }
        if bytes > limits.reviews {
            return Err(too_much_text(options, limits));
        }
        done += some.len() as u64;
        progress(LoadProgress {
            done,
            total,
            unit: Unit::Files,
        });
    }
    let places = |places: [u64; 2]| {
        let name = |place| {
            let path = &files[place as usize].2;
            let path = path.strip_prefix(&options.path).unwrap_or(path);
            shown(&path.to_string_lossy(), SHOWN_NAME)
        };
        let [one, other] = places.map(name);
        format!("`{one}` and `{other}`")
    };
    notes.extend(labels.positive().map(Note::understood));
    note_repeated_texts(&rows, "files", places, &mut notes);
    mix(&mut rows);
    mix(&mut own_validation);
    mix(&mut own_test);
    // The folder of a part has those of the classes.
    let folder = |part| {
        let file = files.iter().find(|(of, ..)| *of == part);
        let folder = file.and_then(|(.., path)| path.ancestors().nth(2));
        folder.unwrap_or(&options.path).to_owned()
    };
    let own = [
        (folder(Part::Validation), own_validation),
        (folder(Part::Test), own_test),
    ];
    let cut = Cut {
        path: &options.path,
        test: fraction,
        validation: options.validation_fraction,
    };
    let [train, validation, test] = share_out(rows, own, cut, &labels, &mut notes)?;
    let name = options.path.file_name().unwrap_or(options.path.as_os_str());
    notes.insert(
        0,
        Note::understood(format!(
            "{}: texts in folders, a class each: {}",
            shown(&name.to_string_lossy(), SHOWN_NAME),
            labels.shown()
        )),
    );
    Ok(Dataset {
        train,
        validation,
        test,
        labels: Some(labels),
        notes,
        ..Dataset::default()
    })
}

/// Folders below a folder of texts, at most.
const DEEPEST: usize = 16;

/// Reads all texts of a folder and of the folders in it, whatever they are called, or one text; those in a folder that is
/// called as a test part are such.
pub(super) fn corpus(
    options: &FolderOptions,
    limits: &Limits,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Corpus> {
    let refused = |path: &Path, reason: String| DataError::Table {
        path: path.into(),
        reason,
    };
    let mut found = Found::default();
    let mut files = Vec::new();
    let mut left = vec![(options.path.clone(), 0, false)];
    if options.path.is_file() {
        files.push((options.path.clone(), false));
        left.clear();
    }
    while let Some((folder, depth, tested)) = left.pop() {
        let content = found.content(&folder, limits)?;
        files.extend(content.texts.into_iter().map(|path| (path, tested)));
        if depth == DEEPEST && !content.folders.is_empty() {
            return Err(refused(
                &folder,
                format!("more than {DEEPEST} folders lie in each other"),
            ));
        }
        for (name, path) in content.folders {
            left.push((
                path,
                depth + 1,
                tested || part_of(&name) == Some(Part::Test),
            ));
        }
    }
    files.sort_unstable();
    if files.is_empty() {
        return Err(refused(&options.path, "no file here ends in .txt".into()));
    }
    let encoding = encoding_of(options)?;
    let mut corpus = Corpus::default();
    let (total, mut bytes) = (files.len() as u64, 0);
    for (done, (path, tested)) in (1..).zip(files) {
        if path != options.path {
            check(
                &path,
                &path.symlink_metadata().map_err(DataError::reading(&path))?,
            )?;
        }
        let text = decoded(&path, &read_regular(&path, limits.reviews)?, encoding)?;
        bytes += text.len() as u64;
        if bytes > limits.reviews {
            return Err(too_much_text(options, limits));
        }
        match tested {
            true => &mut corpus.tested,
            false => &mut corpus.texts,
        }
        .push(text);
        progress(LoadProgress {
            done,
            total,
            unit: Unit::Files,
        });
    }
    Ok(corpus.mixed())
}

fn encoding_of(options: &FolderOptions) -> Result<&'static Encoding> {
    let Some(name) = &options.encoding else {
        return Ok(UTF_8);
    };
    table::encoding(name).ok_or_else(|| DataError::Table {
        path: options.path.clone(),
        reason: format!("no encoding is called `{}`", shown(name, SHOWN_NAME)),
    })
}

fn decoded(path: &Path, bytes: &[u8], encoding: &'static Encoding) -> Result<String> {
    let (text, _, damaged) = encoding.decode(bytes);
    match damaged {
        true => Err(DataError::Table {
            path: path.into(),
            reason: format!(
                "it is not all {}; `--encoding` names another encoding, such as windows-1252",
                encoding.name()
            ),
        }),
        false => Ok(text.into_owned()),
    }
}

fn too_much_text(options: &FolderOptions, limits: &Limits) -> DataError {
    DataError::TooMuch {
        path: options.path.clone(),
        reason: format!("its texts have more than {} together", size(limits.reviews)),
        remedy: "keep a part of them",
    }
}

/// What lies in a folder of texts.
#[derive(Default)]
struct Found {
    files: Vec<Place>,
    entries: u64,
    notes: Vec<Note>,
    /// Files that are no texts.
    others: usize,
}

/// A folder's folders and its files that hold texts, by name.
#[derive(Default)]
struct Content {
    folders: BTreeMap<String, PathBuf>,
    texts: Vec<PathBuf>,
}

impl Found {
    fn find(&mut self, root: &Path, limits: &Limits) -> Result<()> {
        let mut content = self.content(root, limits)?;
        if content.folders.len() == 1 && content.texts.is_empty() {
            // Archives unpack into a folder of their name.
            let (name, only) = content.folders.first_key_value().expect("there is one");
            let below = self.content(only, limits)?;
            if part_of(name).is_none() && !below.folders.is_empty() {
                content = below;
            }
        }
        let parts: Vec<(Part, PathBuf)> = content
            .folders
            .iter()
            .filter_map(|(name, path)| Some((part_of(name)?, path.clone())))
            .collect();
        if parts.iter().any(|(part, _)| *part == Part::Train) {
            for (part, path) in parts {
                let folders = self.content(&path, limits)?.folders;
                self.classes(part, folders, limits)?;
            }
        } else {
            self.classes(Part::Train, content.folders, limits)?;
        }
        if self.others > 0 {
            self.notes.push(Note::doubtful(format!(
                "{} files are left out: texts end in .txt",
                self.others
            )));
        }
        Ok(())
    }

    fn classes(
        &mut self,
        part: Part,
        folders: BTreeMap<String, PathBuf>,
        limits: &Limits,
    ) -> Result<()> {
        for (class, path) in folders {
            if class == UNLABELLED {
                self.notes.push(Note::understood(format!(
                    "`{UNLABELLED}`, texts without a label, is left out"
                )));
                continue;
            }
            let texts = self.content(&path, limits)?.texts;
            if texts.is_empty() {
                return Err(DataError::Table {
                    path,
                    reason: "no file here ends in .txt; put the texts of the class here, or take the folder away"
                        .into(),
                });
            }
            let places = texts.into_iter().map(|path| (part, class.clone(), path));
            self.files.extend(places);
        }
        Ok(())
    }

    /// What a folder holds; hidden files and folders, those of macOS among them, count for nothing.
    fn content(&mut self, folder: &Path, limits: &Limits) -> Result<Content> {
        let mut content = Content::default();
        for entry in fs::read_dir(folder).map_err(DataError::reading(folder))? {
            let entry = entry.map_err(DataError::reading(folder))?;
            self.entries += 1;
            if self.entries > limits.entries {
                return Err(DataError::TooMuch {
                    path: folder.into(),
                    reason: format!("more than {} files are here", limits.entries),
                    remedy: "keep a part of them",
                });
            }
            let path = entry.path();
            let name = entry
                .file_name()
                .into_string()
                .map_err(|name| DataError::Table {
                    path: folder.into(),
                    reason: format!(
                        "the name {} is not UTF-8; rename it",
                        shown(&format!("{name:?}"), SHOWN_NAME)
                    ),
                })?;
            if name.starts_with('.') {
                continue;
            }
            // Not followed: a link could lead anywhere, and is refused where it would be read.
            let kind = entry.file_type().map_err(DataError::reading(&path))?;
            if kind.is_dir() {
                content.folders.insert(name, path);
            } else if name.ends_with(".txt") {
                content.texts.push(path);
            } else {
                self.others += 1;
            }
        }
        Ok(content)
    }
}

fn part_of(name: &str) -> Option<Part> {
    let known = PARTS
        .into_iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known));
    known.map(|(_, part)| part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn folder_of(files: &[&str]) -> (TempDir, FolderOptions) {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("the text of {file}")).unwrap();
        }
        let options = FolderOptions {
            path: root.path().into(),
            encoding: None,
            labels: None,
            test_fraction: 0.25,
            validation_fraction: 0.2,
        };
        (root, options)
    }

    fn read(options: &FolderOptions) -> Result<Dataset> {
        load(options, &Limits::default(), &mut |_| {})
    }

    fn message(files: &[&str]) -> String {
        let (_root, options) = folder_of(files);
        read(&options).unwrap_err().to_string()
    }

    fn texts(records: &[Record]) -> Vec<(&str, bool)> {
        let mut texts: Vec<_> = records.iter().map(Record::expect_review).collect();
        texts.sort_unstable();
        texts
    }

    #[test]
    fn folders_are_classes_and_parts() {
        let (_root, options) = folder_of(&[
            "top/train/spam/1.txt",
            "top/train/ham/1.txt",
            "top/train/ham/._1.txt",
            "top/train/unsup/1.txt",
            "top/test/spam/2.txt",
            "top/test/ham/2.txt",
            "top/dev/spam/3.txt",
            "top/dev/ham/3.txt",
            "top/train/ham/urls.csv",
            "top/README.txt",
        ]);
        let dataset = read(&options).unwrap();
        assert_eq!(dataset.labels.as_ref().unwrap().names(), ["ham", "spam"]);
        assert_eq!(
            texts(&dataset.train),
            [
                ("the text of top/train/ham/1.txt", false),
                ("the text of top/train/spam/1.txt", true)
            ]
        );
        assert_eq!((dataset.validation.len(), dataset.test.len()), (2, 2));
        let notes: Vec<&str> = dataset
            .notes
            .iter()
            .map(|note| note.text.as_str())
            .collect();
        assert!(notes[0].ends_with("texts in folders, a class each: `ham`, `spam`"));
        assert_eq!(
            notes[1..],
            [
                "`unsup`, texts without a label, is left out",
                "1 files are left out: texts end in .txt",
                "of the two labels `spam` is the positive one, `ham` the negative one"
            ]
        );
    }

    #[test]
    fn a_corpus_is_all_texts_of_a_folder_or_one_file() {
        let (root, mut options) = folder_of(&["a.txt", "deep/er/b.txt", "deep/test/c.txt", "d.md"]);
        let read = |options: &FolderOptions| corpus(options, &Limits::default(), &mut |_| {});
        let mut found = read(&options).unwrap();
        found.texts.sort_unstable();
        assert_eq!(
            found.texts,
            ["the text of a.txt", "the text of deep/er/b.txt"]
        );
        assert_eq!(found.tested, ["the text of deep/test/c.txt"]);
        options.path = root.path().join("a.txt");
        assert_eq!(read(&options).unwrap().texts, ["the text of a.txt"]);
        options.path = root.path().join("deep");
        fs::remove_dir_all(options.path.join("er")).unwrap();
        fs::remove_dir_all(options.path.join("test")).unwrap();
        let none = read(&options).unwrap_err().to_string();
        assert!(none.contains("no file here ends in .txt"), "{none}");
    }

    #[test]
    fn folders_without_parts_are_cut() {
        let files: Vec<String> = (0..20)
            .flat_map(|text| ["10", "9"].map(|class| format!("{class}/{text}.txt")))
            .collect();
        let (_root, options) = folder_of(&files.iter().map(String::as_str).collect::<Vec<_>>());
        let dataset = read(&options).unwrap();
        let parts = [&dataset.train, &dataset.validation, &dataset.test];
        assert_eq!(parts.map(Vec::len), [24, 6, 10]);
        assert_eq!(dataset.labels.as_ref().unwrap().names(), ["9", "10"]);
        assert_eq!(read(&options).unwrap(), dataset);
    }

    #[test]
    fn folders_are_ordered_as_the_labels_of_tables() {
        for (names, expected) in [
            (["yes", "no"], ["no", "yes"]),
            (["10 stars", "3 stars"], ["3 stars", "10 stars"]),
        ] {
            let files = names.map(|name| [1, 2, 3].map(|text| format!("{name}/{text}.txt")));
            let files: Vec<&str> = files.iter().flatten().map(String::as_str).collect();
            let (_root, options) = folder_of(&files);
            assert_eq!(read(&options).unwrap().labels.unwrap().names(), expected);
        }
    }

    #[test]
    fn identical_texts_stay_in_one_part_or_are_told() {
        let files: Vec<String> = (0..20)
            .flat_map(|text| ["neg", "pos"].map(|class| format!("{class}/{text}.txt")))
            .collect();
        let (root, options) = folder_of(&files.iter().map(String::as_str).collect::<Vec<_>>());
        let write = |file: &str, text: &str| fs::write(root.path().join(file), text).unwrap();
        (0..10).for_each(|text| write(&format!("pos/{text}.txt"), "the same\n"));
        write("neg/3.txt", "the same");
        let dataset = read(&options).unwrap();
        let parts = [&dataset.train, &dataset.validation, &dataset.test];
        let with = parts.into_iter().filter(|records| {
            texts(records)
                .iter()
                .any(|(text, _)| text.trim() == "the same")
        });
        assert_eq!(with.count(), 1);
        let said = "10 of 40 files repeat the text of another one, and a text is there with different labels, the \
                    first `neg/3.txt` and `pos/0.txt`; identical texts stay in one part";
        let notes = |dataset: Dataset| {
            let notes = dataset.notes.into_iter().map(|note| note.text);
            notes.collect::<Vec<_>>().join("\n").replace('\\', "/")
        };
        let noted = notes(dataset);
        assert!(noted.contains(said), "{noted}");

        let (root, options) = folder_of(&[
            "train/a/1.txt",
            "train/b/1.txt",
            "train/a/2.txt",
            "train/b/2.txt",
            "test/a/1.txt",
            "test/b/1.txt",
        ]);
        fs::write(
            root.path().join("test/b/1.txt"),
            "the text of train/a/1.txt",
        )
        .unwrap();
        let noted = notes(read(&options).unwrap());
        let said = "test are trained on too, 1 of them with another label";
        assert!(
            noted.contains("1 of 2 texts of ") && noted.contains(said),
            "{noted}"
        );
    }

    #[test]
    fn what_is_no_folder_of_texts_is_refused() {
        assert!(message(&["a.txt"]).contains("no texts are here"));
        assert!(message(&["one/a.txt"]).contains("a classifier needs from 2"));
        let missing = message(&["train/a/1.txt", "train/b/1.txt", "test/a/1.txt"]);
        assert!(
            missing.contains("the test part has no texts of `b`"),
            "{missing}"
        );
        let (_root, mut options) = folder_of(&["a/1.txt", "b/1.txt", "c/1.txt"]);
        options.labels = Some(Labels::new(["a", "b"].map(String::from).to_vec()).unwrap());
        let unknown = read(&options).unwrap_err().to_string();
        assert!(
            unknown.contains("the folder `c` is no label of these: `a`, `b`"),
            "{unknown}"
        );
    }

    #[test]
    fn texts_are_decoded_or_refused() {
        let (root, mut options) = folder_of(&[
            "a/1.txt", "b/1.txt", "a/2.txt", "b/2.txt", "a/3.txt", "b/3.txt",
        ]);
        fs::write(root.path().join("a/1.txt"), b"caf\xe9").unwrap();
        let damaged = read(&options).unwrap_err().to_string();
        assert!(
            damaged.contains("1.txt: it is not all UTF-8; `--encoding`"),
            "{damaged}"
        );
        options.encoding = Some("latin-1".into());
        let dataset = read(&options).unwrap();
        let all = [dataset.train, dataset.validation, dataset.test].concat();
        assert!(texts(&all).contains(&("café", false)));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_no_text() {
        let (root, options) = folder_of(&["a/1.txt", "b/1.txt"]);
        std::os::unix::fs::symlink("/dev/zero", root.path().join("a/2.txt")).unwrap();
        assert!(
            read(&options)
                .unwrap_err()
                .to_string()
                .contains("2.txt: it is a link")
        );
    }
}
