//! What the tokens of a text are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

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
    /// Words by the rules of Unicode ([UAX 29](https://www.unicode.org/reports/tr29)), in lower case.
    ///
    /// Punctuation and white space are left out wherever they are written; a curly apostrophe within a word is
    /// the straight one. What is written without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) is a
    /// token a character, and so is an emoji.
    Unicode,
    /// Every Unicode scalar value as it is written, white space and upper case too.
    Characters,
    /// Every byte of the text's UTF-8. A token is called by its byte's character if that is a visible one of ASCII,
    /// else by its number, as `0xe9`.
    Bytes,
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

/// What each byte is called, and the length of that.
const BYTE_NAMES: [([u8; 4], usize); 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut names = [([0; 4], 4); 256];
    let mut byte = 0;
    while byte < names.len() {
        names[byte] = if (byte as u8).is_ascii_graphic() {
            ([byte as u8, 0, 0, 0], 1)
        } else {
            ([b'0', b'x', DIGITS[byte >> 4], DIGITS[byte & 15]], 4)
        };
        byte += 1;
    }
    names
};

fn byte_name(byte: u8) -> &'static str {
    let (name, length) = &BYTE_NAMES[usize::from(byte)];
    std::str::from_utf8(&name[..*length]).expect("it is ASCII")
}

impl Tokenizer {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Keras, Self::Unicode, Self::Characters, Self::Bytes];

    /// Calls `visit` with each token of `text`, in order.
    pub fn for_each_token(self, text: &str, mut visit: impl FnMut(&str)) {
        match self {
            Self::Keras => for_each_word(text, visit),
            Self::Unicode => for_each_unicode_word(text, visit),
            Self::Characters => {
                for character in text.chars() {
                    visit(character.encode_utf8(&mut [0; 4]));
                }
            }
            Self::Bytes => text.bytes().for_each(|byte| visit(byte_name(byte))),
        }
    }

    /// How many tokens `text` has.
    pub fn count(self, text: &str) -> usize {
        match self {
            Self::Bytes => text.len(),
            _ => {
                let mut tokens = 0;
                self.for_each_token(text, |_| tokens += 1);
                tokens
            }
        }
    }

    /// The token that `text` is, or that is called so; nothing if it is none, or several.
    ///
    /// ```
    /// use gatefold_data::Tokenizer;
    ///
    /// assert_eq!(Tokenizer::Keras.token("Don't").as_deref(), Some("don't"));
    /// assert_eq!(Tokenizer::Keras.token("do not"), None);
    /// assert_eq!(Tokenizer::Keras.token("?"), None);
    /// assert_eq!(Tokenizer::Characters.token("?").as_deref(), Some("?"));
    /// assert_eq!(Tokenizer::Unicode.token("Don’t").as_deref(), Some("don't"));
    /// assert_eq!(Tokenizer::Bytes.token("0x0a").as_deref(), Some("0x0a"));
    /// ```
    pub fn token(self, text: &str) -> Option<String> {
        if self == Self::Bytes {
            let named = (0..=u8::MAX).find(|&byte| byte_name(byte) == text);
            return named.map(|byte| byte_name(byte).to_owned());
        }
        let mut tokens = 0;
        let mut first = String::new();
        self.for_each_token(text, |token| {
            tokens += 1;
            if tokens == 1 {
                first.push_str(token);
            }
        });
        // Separators before or after the one word are no part of it, and make it another text.
        let is_all = match self {
            Self::Keras => first == text.to_lowercase(),
            Self::Unicode => first == plain(text),
            Self::Characters | Self::Bytes => true,
        };
        (tokens == 1 && is_all).then_some(first)
    }

    /// How a token is written behind another one in a text: words with a space between them, but for scripts that have
    /// none; characters and bytes as they are.
    ///
    /// ```
    /// use gatefold_data::Tokenizer;
    ///
    /// assert_eq!(Tokenizer::Keras.written("film", Some("a")), b" film");
    /// assert_eq!(Tokenizer::Unicode.written("影", Some("电")), "影".as_bytes());
    /// assert_eq!(Tokenizer::Bytes.written("0xe9", None), [0xe9]);
    /// ```
    pub fn written(self, token: &str, before: Option<&str>) -> Vec<u8> {
        match self {
            Self::Keras | Self::Unicode => {
                let joined = |word: &str| self == Self::Unicode && word.contains(has_no_spaces);
                let is_apart = before.is_some_and(|before| !joined(before) || !joined(token));
                [if is_apart { " " } else { "" }, token]
                    .concat()
                    .into_bytes()
            }
            Self::Characters => token.as_bytes().to_vec(),
            Self::Bytes => (0..=u8::MAX)
                .filter(|&byte| byte_name(byte) == token)
                .collect(),
        }
    }

    /// What its tokens are called, in the plural.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Keras | Self::Unicode => "words",
            Self::Characters => "characters",
            Self::Bytes => "bytes",
        }
    }

    /// Its name, as it is saved.
    pub fn name(self) -> &'static str {
        match self {
            Self::Keras => "keras",
            Self::Unicode => "unicode",
            Self::Characters => "characters",
            Self::Bytes => "bytes",
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

/// `text` in lower case, its apostrophes all alike.
fn plain(text: &str) -> String {
    let is_apostrophe = |c| matches!(c, '\u{2018}' | '\u{2019}' | '\u{2bc}' | '\u{ff07}');
    text.to_lowercase().replace(is_apostrophe, "'")
}

/// Calls `visit` with each word of `text` as Unicode bounds them, in lower case and in order; of what is written
/// without spaces, with each character.
fn for_each_unicode_word(text: &str, mut visit: impl FnMut(&str)) {
    let mut words = |text: &str| {
        for word in text.split_word_bounds() {
            if word.contains(|c: char| c.is_alphanumeric() || is_pictograph(c)) {
                visit(word);
            }
        }
    };
    let text = plain(text);
    if !text.contains(has_no_spaces) {
        return words(&text);
    }
    let mut start = 0;
    for (place, character) in text.grapheme_indices(true) {
        if character.contains(has_no_spaces) {
            words(&text[start..place]);
            words(character);
            start = place + character.len();
        }
    }
    words(&text[start..]);
}

/// Whether a character is of a script that is written without spaces between words.
pub(crate) fn has_no_spaces(character: char) -> bool {
    matches!(character,
        '\u{0e00}'..='\u{0eff}'     // Thai, Lao
        | '\u{1000}'..='\u{109f}'   // Myanmar
        | '\u{1780}'..='\u{17ff}' | '\u{19e0}'..='\u{19ff}' // Khmer
        | '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' // Han: radicals, marks
        | '\u{3031}'..='\u{3035}' | '\u{303b}'..='\u{30ff}' // Hiragana, Katakana
        | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{a9e0}'..='\u{a9ff}' | '\u{aa60}'..='\u{aa7f}' // Myanmar
        | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}'
        | '\u{1b000}'..='\u{1b16f}' | '\u{20000}'..='\u{3ffff}')
}

/// Whether a character is a picture: an emoji, or a symbol beside them.
fn is_pictograph(character: char) -> bool {
    matches!(character,
        '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{25a0}'..='\u{27bf}'
        | '\u{2b00}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Texts of what joins and parts words.
    const ODD: &str = "[a-cÉΣσİ' ’._,\u{301}\u{345}\u{200d}\u{200b}\u{600}\u{5d0}\"1アｶﾞ々ごไทยำ\u{3099}🇩🇪👩🚀❤\u{fe0f}\u{1f3fd}한\r\n]{0,12}";

    fn tokens(tokenizer: Tokenizer, text: &str) -> Vec<String> {
        let mut tokens = Vec::new();
        tokenizer.for_each_token(text, |token| tokens.push(token.to_owned()));
        tokens
    }

    fn words(text: &str) -> Vec<String> {
        tokens(Tokenizer::Keras, text)
    }

    #[test]
    fn unicode_words_end_where_unicode_says() {
        for (text, expected) in [
            ("Don’t — “DON'T”…", &["don't", "don't"][..]),
            (
                "a well-known film; 10.5 of 1,000!",
                &["a", "well", "known", "film", "10.5", "of", "1,000"],
            ),
            ("¿Qué?\u{a0}¡Olé! «СТОЛ»", &["qué", "olé", "стол"]),
            (
                "e\u{301}te\u{301} ΟΔΥΣΣΕΥΣ",
                &["e\u{301}te\u{301}", "οδυσσευς"],
            ),
            ("<br /><br />", &["br", "br"]),
            (" ...!? — “” ", &[]),
            ("", &[]),
        ] {
            assert_eq!(tokens(Tokenizer::Unicode, text), expected, "{text}");
        }
    }

    #[test]
    fn scripts_without_spaces_and_emoji_are_tokens_a_character() {
        for (text, expected) in [
            (
                "这部电影，很好！",
                &["这", "部", "电", "影", "很", "好"][..],
            ),
            (
                "すごいアニメ、2回",
                &["す", "ご", "い", "ア", "ニ", "メ", "2", "回"],
            ),
            ("ดีมาก", &["ดี", "ม", "า", "ก"]),
            ("ｶﾞ ເລີດ", &["ｶﾞ", "ເ", "ລີ", "ດ"]),
            ("Film电影 ok", &["film", "电", "影", "ok"]),
            ("great👍🏽👩‍🚀🇩🇪❤️!", &["great", "👍🏽", "👩‍🚀", "🇩🇪", "❤️"]),
            ("한국어 영화", &["한국어", "영화"]),
        ] {
            assert_eq!(tokens(Tokenizer::Unicode, text), expected, "{text}");
        }
    }

    #[test]
    fn bytes_have_names_that_can_be_read() {
        let found = tokens(Tokenizer::Bytes, "Né \n0x");
        assert_eq!(found, ["N", "0xc3", "0xa9", "0x20", "0x0a", "0", "x"]);
        let names: std::collections::HashSet<_> = (0..=u8::MAX).map(byte_name).collect();
        assert_eq!(names.len(), 256);
        for other in ["", "ab", "0x41", "0xC3", "0x1", "é"] {
            assert_eq!(Tokenizer::Bytes.token(other), None, "{other}");
        }
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
            unknown.ends_with("name one of keras, unicode, characters, bytes"),
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
                let tokens = tokens(tokenizer, &text);
                prop_assert_eq!(tokenizer.count(&text), tokens.len());
                for token in tokens {
                    prop_assert_eq!(tokenizer.token(&token), Some(token));
                }
            }
        }

        #[test]
        fn words_of_any_script_are_the_ones_that_they_are(text in ODD) {
            for token in tokens(Tokenizer::Unicode, &text) {
                prop_assert_eq!(Tokenizer::Unicode.token(&token), Some(token));
            }
        }

        #[test]
        fn characters_and_bytes_are_the_whole_text(text in any::<String>()) {
            prop_assert_eq!(&tokens(Tokenizer::Characters, &text).concat(), &text);
            let bytes = tokens(Tokenizer::Bytes, &text);
            let number = |name: &String| match name.strip_prefix("0x") {
                Some(digits) if !digits.is_empty() => u8::from_str_radix(digits, 16).unwrap(),
                _ => name.as_bytes()[0],
            };
            prop_assert_eq!(bytes.iter().map(number).collect::<Vec<_>>(), text.as_bytes());
        }
    }
}
