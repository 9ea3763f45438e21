//! What is wrong with a configuration file, in one line: where, and what was probably meant.

use std::ops::Range;

use itertools::Itertools;
use toml::de::{DeTable, Error};

use super::RunConfig;

/// How alike a word must be to be taken for another, by Jaro and Winkler's measure: 1 is the same.
const ALIKE: f64 = 0.8;

/// Characters of a line or a value that are shown.
const SHOWN: usize = 100;

/// Reads `text`, the contents of the file that messages call `name`.
pub(super) fn parse(text: &str, name: &str) -> Result<RunConfig, String> {
    if let Some(what) = list_of_tables(text) {
        return Err(format!("{name}, {what}"));
    }
    toml::from_str(text).map_err(|error| match explain(text, &error) {
        Some(what) => format!("{name}, {what}"),
        None => format!("in the configuration {name}: {}", plainly(text, &error)),
    })
}

/// TOML's own complaint, with the line that it is about if that is one to look at.
fn plainly(text: &str, error: &Error) -> String {
    let shown = error.to_string();
    match error.span() {
        Some(span) if shown.lines().any(|line| line.chars().count() > SHOWN) => {
            let line = line_of(text, &span);
            let start = text[..span.start].rfind('\n').map_or(0, |end| end + 1);
            let column = 1 + text[start..span.start].chars().count();
            let message = shortened(error.message());
            format!("TOML parse error at line {line}, column {column}: {message}")
        }
        _ => shown.trim_end().into(),
    }
}

/// The beginning of what is too long to show.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.into(),
    }
}

/// Finds a list where a table belongs: serde would take its values for the table's, in their order.
fn list_of_tables(text: &str) -> Option<String> {
    let document = DeTable::parse(text).ok()?.into_inner();
    let (key, list) = document
        .iter()
        .find(|(_, value)| value.get_ref().is_array())?;
    let (line, key) = (line_of(text, &list.span()), key.get_ref());
    Some(format!(
        "line {line}: `{key}` must be one table, not a list"
    ))
}

/// Explains what a document of valid TOML holds that no configuration does; other errors are TOML's.
fn explain(text: &str, error: &Error) -> Option<String> {
    let span = error.span()?;
    let document = DeTable::parse(text).ok()?;
    let keys = keys_to(document.get_ref(), &span)?;
    let line = line_of(text, &span);
    let found = &shortened(text[span].lines().next().unwrap_or_default());
    let what = wrong_key(error.message(), &keys)
        .or_else(|| wrong_choice(error.message(), &keys, found))
        .or_else(|| wrong_type(error.message(), &keys, found))
        .unwrap_or_else(|| format!("{}: {}", said(&keys), shortened(error.message())));
    Some(format!("line {line}: {what}"))
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    1 + text[..span.start].matches('\n').count()
}

/// The keys that lead to the key or value at `span`.
fn keys_to(table: &DeTable, span: &Range<usize>) -> Option<Vec<String>> {
    table.iter().find_map(|(key, value)| {
        let deeper = value.get_ref().as_table();
        let mut keys = match deeper.and_then(|table| keys_to(table, span)) {
            Some(keys) => keys,
            None if key.span() == *span || value.span().contains(&span.start) => Vec::new(),
            None => return None,
        };
        keys.insert(0, key.get_ref().to_string());
        Some(keys)
    })
}

fn wrong_key(message: &str, keys: &[String]) -> Option<String> {
    let here = listed(message.strip_prefix("unknown field")?)?;
    let (key, table) = keys.split_last()?;
    let there = match table {
        [] => "there is no key".into(),
        _ => format!("[{}] has no key", shortened(&table.join("."))),
    };
    let own: Vec<_> = here.iter().map(|key| vec![key.clone()]).collect();
    let elsewhere = keys_of_tables();
    let hint = match nearest(key, &own).or_else(|| nearest(key, &elsewhere)) {
        Some(keys) => format!("did you mean {}?", said(keys)),
        None => format!("the keys are {}", here.join(", ")),
    };
    Some(format!("{there} `{}`; {hint}", shortened(key)))
}

fn wrong_choice(message: &str, keys: &[String], found: &str) -> Option<String> {
    let choices = if message.starts_with("unknown variant") {
        listed(message)?
    } else if message.starts_with("wanted string") {
        // No text at all: the message about the empty one lists what it may be.
        let (key, table) = keys.split_last()?;
        complaint(&format!("[{}]\n{key} = ''", table.join(".")))?
    } else {
        return None;
    };
    let known: Vec<_> = choices.iter().map(|choice| vec![choice.clone()]).collect();
    let hint = nearest(found.trim_matches(['"', '\'']), &known)
        .map(|choice| format!("; did you mean {}?", said(choice)));
    Some(format!(
        "{} must be one of {}, not {found}{}",
        said(keys),
        choices.join(", "),
        hint.unwrap_or_default()
    ))
}

fn wrong_type(message: &str, keys: &[String], found: &str) -> Option<String> {
    let (_, expected) = message
        .strip_prefix("invalid ")?
        .rsplit_once(", expected ")?;
    let expected = match expected {
        "usize" | "u64" | "u32" => "a whole number from 0 up",
        "f64" | "f32" => "a number",
        "a boolean" => "true or false",
        "a string" | "path string" => "text in quotes",
        _ if expected.starts_with("struct ") => "a table",
        _ => expected,
    };
    Some(format!("{} must be {expected}, not {found}", said(keys)))
}

/// `epochs` in [training]
fn said(keys: &[String]) -> String {
    match keys {
        [table @ .., key] if !table.is_empty() => format!("`{key}` in [{}]", table.join(".")),
        _ => format!("`{}`", keys.join(".")),
    }
}

/// The names in backticks behind `expected`, in serde's messages.
fn listed(message: &str) -> Option<Vec<String>> {
    let (_, list) = message.rsplit_once(", expected ")?;
    Some(list.split('`').skip(1).step_by(2).map_into().collect())
}

/// What is listed as known when a configuration holds what isn't.
fn complaint(text: &str) -> Option<Vec<String>> {
    listed(toml::from_str::<RunConfig>(text).err()?.message())
}

/// All tables' keys, each behind its table.
fn keys_of_tables() -> Vec<Vec<String>> {
    // The empty key is in no table.
    let tables = complaint("'' = 0").unwrap_or_default();
    let keys = |table: String| {
        let keys = complaint(&format!("[{table}]\n'' = 0")).unwrap_or_default();
        keys.into_iter().map(move |key| vec![table.clone(), key])
    };
    tables.into_iter().flat_map(keys).collect()
}

/// What probably was meant by `name`: the keys of which the last is most like it; the later of equals.
fn nearest<'a>(name: &str, known: &'a [Vec<String>]) -> Option<&'a Vec<String>> {
    let name = name.to_lowercase();
    let likeness = |keys: &Vec<String>| {
        let last = keys.last().map_or("", String::as_str);
        strsim::jaro_winkler(&name, last)
    };
    known
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .filter(|keys| likeness(keys) >= ALIKE)
}

#[cfg(test)]
mod tests {
    use gatefold_model::Cell;

    use super::*;

    /// What is said about a configuration, without the file.
    fn complains(text: &str) -> String {
        let error = parse(text, "run.toml").unwrap_err();
        let rest = error.strip_prefix("run.toml, ");
        rest.unwrap_or_else(|| panic!("no file is named: {error}"))
            .to_owned()
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_known_one() {
        for (text, expected) in [
            (
                "[training]\nseed = 1\nepoch = 3",
                "line 3: [training] has no key `epoch`; did you mean `epochs`?",
            ),
            (
                "training = { batch-size = 3 }",
                "line 1: [training] has no key `batch-size`; did you mean `batch_size`?",
            ),
            (
                "training.validation_split = 0.1",
                "line 1: [training] has no key `validation_split`; did you mean `validation_fraction`?",
            ),
            (
                "\n\n[trainning]\nepochs = 3",
                "line 3: there is no key `trainning`; did you mean `training`?",
            ),
            (
                "[dataset]\n\"\" = 3",
                "line 2: [dataset] has no key ``; the keys are name, path, test_path, separator, header, \
                 encoding, quoting, validation_path, text_column, label_column, group_column, labels, label_separator, skip_unlabelled, split, \
                 test_fraction, length, task, value_columns, target_columns, window, stride, horizon, missing, \
                 decimal_comma, target_path, test_target_path",
            ),
        ] {
            let complaint = complains(text);
            assert!(complaint.starts_with(expected), "{complaint}");
        }
    }

    #[test]
    fn a_key_of_another_table_is_told_where_it_belongs() {
        for (text, expected) in [
            (
                "seed = 3",
                "line 1: there is no key `seed`; did you mean `seed` in [training]?",
            ),
            (
                "[model]\ncell = \"gru\"\nBatch = 3",
                "line 3: [model] has no key `Batch`; did you mean `batch_size` in [training]?",
            ),
        ] {
            assert_eq!(complains(text), expected);
        }
    }

    #[test]
    fn a_wrong_value_is_told_what_it_may_be() {
        let cells = &Cell::ALL.map(Cell::name).join(", ");
        for (text, expected) in [
            (
                "[model]\ncell = \"lstn\"",
                &format!(
                    "line 2: `cell` in [model] must be one of {cells}, not \"lstn\"; did you mean `lstm`?"
                )[..],
            ),
            (
                "[model]\ninitializers = 'torch'",
                "line 2: `initializers` in [model] must be one of keras, pytorch, not 'torch'; did you mean `pytorch`?",
            ),
            (
                "[training]\nepochs = \"3\"",
                "line 2: `epochs` in [training] must be a whole number from 0 up, not \"3\"",
            ),
            (
                "[training]\nbatch_size = -1",
                "line 2: `batch_size` in [training] must be a whole number from 0 up, not -1",
            ),
            (
                "[input]\nmask = \"yes\"",
                "line 2: `mask` in [input] must be true or false, not \"yes\"",
            ),
            (
                "[training]\nlearning_rate = true",
                "line 2: `learning_rate` in [training] must be a number, not true",
            ),
            (
                "[dataset]\nname = 3",
                "line 2: `name` in [dataset] must be text in quotes, not 3",
            ),
            (
                "[model]\ncell = 3",
                &format!("line 2: `cell` in [model] must be one of {cells}, not 3")[..],
            ),
            (
                "[[training]]\nepochs = 3",
                "line 1: `training` must be one table, not a list",
            ),
            ("training = 3", "line 1: `training` must be a table, not 3"),
        ] {
            assert_eq!(complains(text), expected);
        }
    }

    #[test]
    fn what_is_no_toml_is_told_by_toml() {
        let error = parse("[model]\ncell = lstm", "run.toml").unwrap_err();
        assert!(
            error
                .starts_with("in the configuration run.toml: TOML parse error at line 2, column 8"),
            "{error}"
        );
    }

    #[test]
    fn what_is_too_long_to_read_is_cut() {
        let long = "9".repeat(1 << 16);
        for (text, expected) in [
            (
                format!("[training]\nepochs = = {long}"),
                "TOML parse error at line 2, column 10: ",
            ),
            (
                format!("[training]\nepochs = \"{long}\""),
                "line 2: `epochs` in [training] must be a whole number from 0 up, not \"999",
            ),
            (
                format!("[training]\n{long} = 1"),
                "line 2: [training] has no key `999",
            ),
        ] {
            let error = parse(&text, "run.toml").unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert!(error.len() < 500, "{}", error.len());
        }
    }
}
