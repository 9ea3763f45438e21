//! Words by the rules of Keras's `text_to_word_sequence`.
//!
//! The text is put in lower case and split at ``!"#$%&()*+,-./:;<=>?@[\]^_`{|}~`` and at ASCII
//! white space; apostrophes stay. Other white space, such as U+00A0 or U+0085, is part of a word,
//! as it is for Keras: the published IMDB training split has 88 582 distinct words by these rules
//! and 88 075 if it were not.

/// Whether each byte separates words. All separators are ASCII, so none is ever part of another
/// character's UTF-8.
const SEPARATORS: [bool; 256] = {
    let mut separators = [false; 256];
    let listed = b"!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~ \t\n\x0b\x0c\r";
    let mut index = 0;
    while index < listed.len() {
        separators[listed[index] as usize] = true;
        index += 1;
    }
    separators
};

/// Calls `visit` with each word of `text`, in lower case and in order.
pub fn for_each_word(text: &str, mut visit: impl FnMut(&str)) {
    // The whole text at once: what the lower case of a sigma is depends on its neighbours.
    let text = text.to_lowercase();
    let mut start = 0;
    for (position, byte) in text.bytes().enumerate() {
        if SEPARATORS[usize::from(byte)] {
            if start < position {
                visit(&text[start..position]);
            }
            start = position + 1;
        }
    }
    if start < text.len() {
        visit(&text[start..]);
    }
}

/// The word that `text` is, in lower case; nothing if it is none, or several.
///
/// ```
/// use gatefold_data::tokenizer::word;
///
/// assert_eq!(word("Don't").as_deref(), Some("don't"));
/// assert_eq!(word("do not"), None);
/// assert_eq!(word("?"), None);
/// ```
pub fn word(text: &str) -> Option<String> {
    let mut words = Vec::new();
    for_each_word(text, |word| words.push(word.len()));
    // A separator before or after the one word is not part of it.
    match words[..] {
        [length] => Some(text.to_lowercase()).filter(|word| word.len() == length),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        for_each_word(text, |word| words.push(word.to_owned()));
        words
    }

    #[test]
    fn splits_at_punctuation_and_white_space() {
        assert_eq!(
            words("Well... it's<br /><br />GREAT!\t10/10\r\n"),
            ["well", "it's", "br", "br", "great", "10", "10"]
        );
    }

    #[test]
    fn every_character_of_kerass_filter_separates() {
        for separator in "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n ".chars() {
            assert_eq!(
                words(&format!("a{separator}b")),
                ["a", "b"],
                "{separator:?}"
            );
        }
    }

    #[test]
    fn keeps_apostrophes_and_unicode_white_space_within_words() {
        assert_eq!(
            words("'don't' a\u{a0}b\u{85}c"),
            ["'don't'", "a\u{a0}b\u{85}c"]
        );
    }

    #[test]
    fn lowers_every_alphabet() {
        assert_eq!(words("ÉTÉ ΟΔΥΣΣΕΥΣ Ελλάς"), ["été", "οδυσσευς", "ελλάς"]);
    }

    #[test]
    fn an_empty_text_has_no_words() {
        assert!(words("").is_empty());
        assert!(words(" ...!? ").is_empty());
    }

    proptest! {
        #[test]
        fn joined_words_split_again_into_themselves(text in any::<String>()) {
            let once = words(&text);
            prop_assert_eq!(&words(&once.join(" ")), &once);
        }
    }
}
