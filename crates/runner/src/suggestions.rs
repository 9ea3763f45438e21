//! What was probably meant by a name that there isn't.

/// How alike names are that one can be taken for the other, from 0 to 1.
const ALIKE: f64 = 0.8;

/// The one of `known` that is most like `name`, if one is like it. Upper and lower case are the same.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let likeness = |other: &str| strsim::jaro_winkler(&name, &other.to_lowercase());
    known
        .into_iter()
        .map(|other| (likeness(other), other))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}

/// `; did you mean …?` for the end of a message, or nothing.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map_or(String::new(), |meant| format!("; did you mean `{meant}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told_from_another_name() {
        let known = ["reviews", "imdb", "adding", "recall"];
        for (name, meant) in [
            ("imbd", Some("imdb")),
            ("IMDB", Some("imdb")),
            ("review", Some("reviews")),
            ("films", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), meant, "{name}");
        }
        assert_eq!(did_you_mean("imbd", known), "; did you mean `imdb`?");
        assert_eq!(did_you_mean("films", known), "");
    }
}
