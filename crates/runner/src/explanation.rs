//! What a network did with a text, word by word.

mod page;

use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use gatefold_data::{Example, Vocabulary, tokenizer};
use gatefold_model::SequenceClassifier;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::config::TrainingConfig;
use crate::evaluation::{ensure_finite, evaluate, probability, to_device};

/// Tokens of a text that is explained; time and memory grow with their square.
const MOST_TOKENS: usize = 1 << 14;

/// What stands for the token that begins every text.
pub(crate) const START: &str = "(start)";

/// What a network did with a text.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What it read, word after word; the start token is the first, unless it was cut away.
    pub words: Vec<Word>,
    /// How many words before them the network did not read: a text keeps its last tokens.
    pub cut: usize,
}

/// One word, and what the network made of the text up to it.
#[derive(Clone, Debug, Serialize)]
pub struct Word {
    /// In lower case, or `(start)`.
    pub word: String,
    /// Whether the network's vocabulary has it; all other words are one and the same to the network.
    pub known: bool,
    /// The probability of the positive class if the text ended here.
    pub probability: f64,
    /// How much the word changed the log-odds `ln(p / (1 - p))`; of the first one nobody knows.
    pub change: Option<f64>,
    /// The mean over units of each gate of the last recurrent layer, in its walk forwards.
    #[serde(serialize_with = "as_object")]
    pub gates: Vec<(&'static str, f64)>,
}

/// Runs a network over every beginning of a text, word by word longer.
///
/// # Errors
/// If the text has no words or too many, the device fails, or an answer is no finite number.
pub fn explain(
    network: &SequenceClassifier,
    vocabulary: &Vocabulary,
    training: &TrainingConfig,
    text: &str,
    device: &Device,
) -> Result<Explanation> {
    let mut words = vec![START.to_string()];
    tokenizer::for_each_word(text, |word| words.push(word.to_string()));
    ensure!(
        words.len() > 1,
        "the text has no words: there is nothing to explain"
    );
    let ids = vocabulary.encode(text, training.max_length);
    ensure!(
        ids.len() <= MOST_TOKENS,
        "the network would read {} tokens, and every beginning of them: a text of at most {MOST_TOKENS} can be \
         explained",
        ids.len()
    );
    let cut = words.len() - ids.len();
    words.drain(..cut);

    let beginnings: Vec<Example> = (1..=ids.len())
        .map(|length| Example {
            ids: ids[..length].to_vec(),
            // Nobody knows it; the loss that it goes into is not shown.
            positive: false,
        })
        .collect();
    let batching = training.batching();
    let (logits, _) = evaluate(network, &beginnings, &batching, device, &mut |_, _| {})?;
    ensure_finite(&logits)?;
    let whole = batching.batch(&beginnings, &[ids.len() - 1]);
    let (batch_ids, lengths) = to_device(&whole, device);
    let mut gates = vec![Vec::new(); ids.len()];
    for gate in network.gates(batch_ids, lengths) {
        let means = gate.activations.mean_dim(2).try_into_data();
        let means = means.context("the device failed while it computed")?;
        for (word, mean) in gates.iter_mut().zip(means.iter::<f32>()) {
            word.push((gate.name, f64::from(mean)));
        }
    }

    let mut before = None;
    let words = words
        .into_iter()
        .zip(&ids)
        .zip(logits.into_iter().zip(gates))
        .map(|((word, &id), (logit, gates))| Word {
            word,
            known: id != Vocabulary::UNKNOWN,
            probability: probability(logit),
            change: before
                .replace(f64::from(logit))
                .map(|before| f64::from(logit) - before),
            gates,
        })
        .collect();
    Ok(Explanation {
        words,
        // The start token is no word of the text.
        cut: cut.saturating_sub(1),
    })
}

impl Word {
    /// The word, with a mark if the network's vocabulary does not have it.
    pub fn marked(&self) -> String {
        let mark = if self.known { "" } else { " (unknown)" };
        format!("{}{mark}", self.word)
    }
}

impl Explanation {
    /// The words that moved the answer most toward positive, the strongest first, at most `count`.
    pub fn most_positive(&self, count: usize) -> Vec<(&Word, f64)> {
        self.strongest(count, 1.0)
    }

    /// The words that moved the answer most toward negative, the strongest first, at most `count`.
    pub fn most_negative(&self, count: usize) -> Vec<(&Word, f64)> {
        self.strongest(count, -1.0)
    }

    fn strongest(&self, count: usize, sign: f64) -> Vec<(&Word, f64)> {
        let mut moving: Vec<(&Word, f64)> = self
            .words
            .iter()
            .filter_map(|word| Some((word, word.change?)))
            .filter(|(_, change)| sign * change > 0.0)
            .collect();
        moving.sort_by(|(_, a), (_, b)| (sign * b).total_cmp(&(sign * a)));
        moving.truncate(count);
        moving
    }

    /// What is to be said of words that the network did not read, if there are any.
    pub fn cut_note(&self) -> Option<String> {
        match self.cut {
            0 => None,
            1 => Some(
                "The first word is left out: the network reads the last tokens of a text.".into(),
            ),
            cut => Some(format!(
                "The first {cut} words are left out: the network reads the last {} tokens of a text.",
                self.words.len()
            )),
        }
    }

    /// All this as a page of the reports' style.
    ///
    /// # Errors
    /// If a template is wrong.
    pub fn page(&self) -> Result<String> {
        page::page(self)
    }
}

/// Names and numbers as a JSON object, in their order.
fn as_object<S: Serializer>(gates: &[(&str, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut object = serializer.serialize_map(Some(gates.len()))?;
    for (name, mean) in gates {
        object.serialize_entry(name, mean)?;
    }
    object.end()
}

#[cfg(test)]
mod tests {
    use gatefold_model::{Cell, SequenceClassifierConfig};

    use super::*;

    /// Of an untrained network with vocabulary "a b c".
    fn explained(
        cell: Cell,
        change: impl Fn(&mut TrainingConfig),
        text: &str,
    ) -> Result<Explanation> {
        let device = Device::flex();
        let network = network(cell, &device);
        let mut training = TrainingConfig {
            max_length: 8,
            batch_size: 3,
            ..Default::default()
        };
        change(&mut training);
        let explanation = explain(&network, &vocabulary(), &training, text, &device)?;

        // The whole text alone, as `predict` asks.
        let whole = [Example {
            ids: vocabulary().encode(text, training.max_length),
            positive: false,
        }];
        let batching = training.batching();
        let (logits, _) = evaluate(&network, &whole, &batching, &device, &mut |_, _| {})?;
        let last = explanation.words.last().unwrap().probability;
        assert!((last - probability(logits[0])).abs() < 1e-6, "{cell:?}");
        Ok(explanation)
    }

    fn network(cell: Cell, device: &Device) -> SequenceClassifier {
        let config = SequenceClassifierConfig {
            cell,
            vocabulary_size: 6,
            hidden_size: 5,
            layers: 2,
            bidirectional: true,
            ..Default::default()
        };
        config.init(3, device).unwrap()
    }

    fn vocabulary() -> Vocabulary {
        Vocabulary::build(["a a a b b c"].into_iter(), 6)
    }

    fn names(explanation: &Explanation) -> Vec<&str> {
        let words = explanation.words.iter();
        words.map(|word| &word.word[..]).collect()
    }

    #[test]
    fn every_word_has_a_probability_a_change_and_the_cells_gates() {
        for (cell, gates) in [
            (Cell::Rnn, &[][..]),
            (Cell::Lstm, &["forget", "input", "output"]),
            (Cell::Gru, &["reset", "update"]),
        ] {
            let explanation = explained(cell, |_| (), "A b, zorg c").unwrap();
            assert_eq!(names(&explanation), ["(start)", "a", "b", "zorg", "c"]);
            let known: Vec<_> = explanation.words.iter().map(|word| word.known).collect();
            assert_eq!(known, [true, true, true, false, true]);
            assert_eq!(explanation.cut_note(), None);
            let logit = |word: &Word| (word.probability / (1.0 - word.probability)).ln();
            for pair in explanation.words.windows(2) {
                let change = logit(&pair[1]) - logit(&pair[0]);
                assert!((pair[1].change.unwrap() - change).abs() < 1e-9);
            }
            assert_eq!(explanation.words[0].change, None);
            for word in &explanation.words {
                let found: Vec<_> = word.gates.iter().map(|gate| gate.0).collect();
                assert_eq!(found, gates);
                assert!(word.gates.iter().all(|gate| 0.0 < gate.1 && gate.1 < 1.0));
            }
        }
    }

    #[test]
    fn without_a_mask_the_padding_is_read_as_predict_reads_it() {
        let unmasked = explained(Cell::Lstm, |training| training.mask = false, "a b c").unwrap();
        let masked = explained(Cell::Lstm, |_| (), "a b c").unwrap();
        assert_eq!(names(&unmasked), names(&masked));
        assert_ne!(
            unmasked.words[3].probability, masked.words[3].probability,
            "the padding changes the answer"
        );
    }

    #[test]
    fn a_long_text_keeps_its_last_tokens_and_says_so() {
        let short = |training: &mut TrainingConfig| training.max_length = 3;
        let explanation = explained(Cell::Gru, short, "a b zorg c a").unwrap();
        assert_eq!(names(&explanation), ["zorg", "c", "a"]);
        assert_eq!(explanation.cut, 2);
        assert!(explanation.cut_note().unwrap().contains("first 2 words"));
        let explanation = explained(Cell::Gru, short, "a b c").unwrap();
        assert_eq!((explanation.cut, names(&explanation).len()), (0, 3));
    }

    #[test]
    fn a_text_without_words_is_an_error() {
        for text in ["", " ...!"] {
            let error = explained(Cell::Rnn, |_| (), text).unwrap_err();
            assert!(error.to_string().contains("no words"), "{error}");
        }
    }

    #[test]
    fn a_text_whose_beginnings_would_fill_the_memory_is_an_error() {
        let long = |training: &mut TrainingConfig| training.max_length = 1 << 20;
        let error = explained(Cell::Rnn, long, &"a ".repeat(MOST_TOKENS)).unwrap_err();
        assert!(error.to_string().contains("at most 16384"), "{error}");
    }

    fn word(word: &str, change: Option<f64>) -> Word {
        Word {
            word: word.into(),
            known: true,
            probability: 0.5,
            change,
            gates: vec![("reset", 0.25), ("update", 0.5)],
        }
    }

    #[test]
    fn the_strongest_words_come_first_and_on_their_side_only() {
        let explanation = Explanation {
            words: vec![
                word("(start)", None),
                word("fine", Some(0.5)),
                word("dull", Some(-2.0)),
                word("great", Some(1.5)),
                word("the", Some(0.0)),
            ],
            cut: 0,
        };
        let positive = explanation.most_positive(5);
        let names: Vec<_> = positive.iter().map(|(word, _)| &word.word[..]).collect();
        assert_eq!(names, ["great", "fine"]);
        assert_eq!(explanation.most_negative(5)[0].1, -2.0);
        assert_eq!(explanation.most_positive(1).len(), 1);
    }

    #[test]
    fn a_word_is_an_object_with_its_gates_in_order() {
        let json = serde_json::to_string(&word("fine", None)).unwrap();
        assert_eq!(
            json,
            r#"{"word":"fine","known":true,"probability":0.5,"change":null,"gates":{"reset":0.25,"update":0.5}}"#
        );
    }

    #[test]
    fn the_page_shows_the_words_tinted_and_escaped() {
        let mut explanation = explained(Cell::Lstm, |_| (), "a b <zorg> c").unwrap();
        explanation.words[3].word = "<b>&\"".into();
        explanation.words[1].word = "\u{1b}[31m\u{202e}".into();
        let page = explanation.page().unwrap();
        assert!(page.contains("\\u{1b}[31m\\u{202e}"), "{page}");
        assert!(!page.contains(['\u{1b}', '\u{202e}']), "{page}");
        assert!(page.contains("&lt;b&gt;&amp;&quot;<sup>?</sup>"), "{page}");
        assert!(!page.contains("<b>") && !page.contains("<script"), "{page}");
        assert!(
            !page
                .replace("http://www.w3.org/2000/svg", "")
                .contains("://")
        );
        assert_eq!(
            page.matches("role=\"img\"").count(),
            2,
            "probability and gates"
        );
        assert!(page.contains("--tint: 55%"), "the strongest word");
        let plain = explained(Cell::Rnn, |_| (), "a").unwrap().page().unwrap();
        assert_eq!(
            plain.matches("role=\"img\"").count(),
            1,
            "a simple RNN has no gates"
        );
    }
}
