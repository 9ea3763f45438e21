//! What the tokens of a text are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a text is split into tokens. It is saved with the vocabulary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Tokenizer {
    /// Words by the rules of Keras's `text_to_word_sequence`.
    ///
    /// The text is put in lower case and split at ``!"#$%&()*+,-./:;<=>?@[\]^_`{|}~`` and at ASCII
    /// white space; apostrophes stay. Other white space, such as U+00A0 or U+0085, is part of a word,
    /// as it is for Keras: the published IMDB training split has 88 582 distinct words by these rules
    /// and 88 075 if it were not.
    #[default]
    Keras,
    /// Every Unicode scalar value as it is written, white space and upper case too.
    Characters,
}

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

impl Tokenizer {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Keras, Self::Characters];

    /// Calls `visit` with each token of `text`, in order.
    pub fn for_each_token(self, text: &str, mut visit: impl FnMut(&str)) {
        match self {
            Self::Keras => for_each_word(text, visit),
            Self::Characters => {
                for character in text.chars() {
                    visit(character.encode_utf8(&mut [0; 4]));
                }
            }
        }
    }

    /// The token that `text` is; nothing if it is none, or several.
    ///
    /// ```
    /// use gatefold_data::Tokenizer;
    ///
    /// assert_eq!(Tokenizer::Keras.token("Don't").as_deref(), Some("don't"));
    /// assert_eq!(Tokenizer::Keras.token("do not"), None);
    /// assert_eq!(Tokenizer::Keras.token("?"), None);
    /// assert_eq!(Tokenizer::Characters.token("?").as_deref(), Some("?"));
    /// ```
    pub fn token(self, text: &str) -> Option<String> {
        let mut tokens = 0;
        let mut first = String::new();
        self.for_each_token(text, |token| {
            tokens += 1;
            if tokens == 1 {
                first.push_str(token);
            }
        });
        // Separators before or after the one word are no part of it, and make it another text.
        (tokens == 1 && (self != Self::Keras || first == text.to_lowercase())).then_some(first)
    }

    /// Its name, as it is saved.
    pub fn name(self) -> &'static str {
        match self {
            Self::Keras => "keras",
            Self::Characters => "characters",
        }
    }
}

impl fmt::Display for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Tokenizer {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::ALL
            .into_iter()
            .find(|tokenizer| tokenizer.name() == name);
        named.ok_or_else(|| {
            format!(
                "there is no such tokenizer; name one of {}",
                Self::ALL.map(Self::name).join(", ")
            )
        })
    }
}

/// Calls `visit` with each word of `text`, in lower case and in order.
fn for_each_word(text: &str, mut visit: impl FnMut(&str)) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        Tokenizer::Keras.for_each_token(text, |word| words.push(word.to_owned()));
        words
    }

    #[test]
    fn characters_are_tokens_as_they_are_written() {
        let mut tokens = Vec::new();
        Tokenizer::Characters
            .for_each_token("Né \n🙂e\u{301}", |token| tokens.push(token.to_owned()));
        assert_eq!(tokens, ["N", "é", " ", "\n", "🙂", "e", "\u{301}"]);
    }

    #[test]
    fn a_tokenizer_is_saved_by_its_name() {
        for tokenizer in Tokenizer::ALL {
            assert_eq!(tokenizer.to_string().parse(), Ok(tokenizer));
            assert_eq!(serde_json::to_value(tokenizer).unwrap(), tokenizer.name());
        }
        let unknown = "letters".parse::<Tokenizer>().unwrap_err();
        assert!(
            unknown.ends_with("name one of keras, characters"),
            "{unknown}"
        );
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

        #[test]
        fn every_token_is_the_one_that_it_is(text in any::<String>()) {
            for tokenizer in Tokenizer::ALL {
                let mut tokens = Vec::new();
                tokenizer.for_each_token(&text, |token| tokens.push(token.to_owned()));
                for token in tokens {
                    prop_assert_eq!(tokenizer.token(&token), Some(token));
                }
            }
        }
    }
}
