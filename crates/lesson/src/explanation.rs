//! What a network did with a text, word by word.

mod page;

use gatefold_data::{Content, Example, Labels, Padding, Vocabulary};
use gatefold_model::Reading;
use gatefold_training::batch::network_input;
use gatefold_training::evaluation::{ensure_finite, evaluate};
use gatefold_training::objective::likeliest;
use gatefold_training::{Objective, Predictor};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::error::{LessonError, Result, unfit};

/// Tokens of a text that is explained; time and memory grow with their square.
const MOST_TOKENS: usize = 1 << 14;

/// What stands for the token that begins every text, where there is one.
pub const START: &str = "(start)";

/// What a network did with a text.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The class whose probability is shown: the second of two, else the one that the network answers.
    pub label: String,
    /// The other one of two classes.
    pub other: Option<String>,
    /// What it read, word after word; the start token, if it has one, is the first, unless it was cut away. Unknown words
    /// that its vocabulary leaves out are none of them.
    pub words: Vec<Word>,
    /// How many words before them the network did not read: a text keeps its last tokens.
    pub cut: usize,
    /// What stands after the last word in the text, with words that were left out.
    pub after: String,
    /// Whether n-grams answer beside the network, which have no part in this.
    pub is_partial: bool,
}

/// One word, and what the network made of the text up to it.
#[derive(Clone, Debug, Serialize)]
pub struct Word {
    /// As the vocabulary has it, or `(start)`.
    pub word: String,
    /// As the text has it, in upper case where it is.
    #[serde(skip)]
    pub written: String,
    /// What stands in the text between the word before and this one, with words that were left out.
    #[serde(skip)]
    pub before: String,
    /// Whether the network's vocabulary has it; all other words are one and the same to the network.
    pub known: bool,
    /// The probability of the class if the text ended here.
    pub probability: f64,
    /// How much the word changed the log-odds `ln(p / (1 - p))`; of the first one nobody knows.
    pub change: Option<f64>,
    /// The mean over units of each gate of the last recurrent layer, in its walk forwards.
    #[serde(serialize_with = "as_object")]
    pub gates: Vec<(&'static str, f64)>,
}

/// Runs a network over every beginning of a text, word by word longer: the network alone, without the n-grams that may
/// answer beside it.
///
/// # Errors
/// If the text has no words that the network reads or too many, the network doesn't answer texts with a class, the
/// device fails, or an answer is no finite number.
pub fn explain(predictor: &Predictor, text: &str) -> Result<Explanation> {
    let (vocabulary, labels) = explainable(predictor)?;
    let config = predictor.config();
    let mut words = Vec::new();
    let tokenizer = vocabulary.tokenizer();
    tokenizer.for_each_token(text, |word| words.push(word.to_string()));
    if words.is_empty() {
        return Err(unfit("the text has no words: there is nothing to explain"));
    }
    let read = predictor.encode(&Content::Text(text.into()))?;
    if read.is_empty() {
        return Err(unfit(
            "the network knows none of the text's words, and leaves them out: there is nothing to explain",
        ));
    }
    if read.len() > MOST_TOKENS {
        return Err(unfit(format!(
            "the network would read {} tokens, and every beginning of them: a text of at most {MOST_TOKENS} can be \
             explained",
            read.len()
        )));
    }
    let (written, after) = as_written(text, &words);
    let (mut words, after) = as_read(vocabulary, words, written, after);
    let starts = vocabulary.ids().start.is_some();
    if starts {
        let start = (START.to_owned(), (String::new(), START.to_owned()));
        words.insert(0, start);
    }
    let cut = words.len() - read.len();
    words.drain(..cut);

    let beginnings: Vec<Example> = (1..=read.len())
        .map(|length| read.prefix(length).into())
        .collect();
    // N-grams that answer beside the network have no gates, and no part in this.
    let network = predictor.network();
    let (objective, batching) = (config.objective(), config.batching());
    let device = predictor.device();
    let (outputs, _) = evaluate(
        network,
        objective,
        &beginnings,
        &batching,
        device,
        &mut |_, _| {},
    )?;
    ensure_finite(&outputs)?;
    let (class, label, other) = explained(labels, config.objective(), &outputs[read.len() - 1]);
    let mut gates = vec![Vec::new(); read.len()];
    let whole = batching.batch(&beginnings, &[read.len() - 1]);
    let input = network_input(network, &whole, device)?;
    let padding = match config.input.padding() {
        Padding::FixedBefore(time) => time - read.len(),
        Padding::Fixed(_) | Padding::Longest => 0,
    };
    for gate in network.gates(input)? {
        let means = gate.activations.mean_dim(2).try_into_data();
        let means = means.map_err(|error| LessonError::Device(error.to_string()))?;
        for (word, mean) in gates.iter_mut().zip(means.iter::<f32>().skip(padding)) {
            word.push((gate.name, f64::from(mean)));
        }
    }

    let mut before = None;
    let words = words
        .into_iter()
        .zip(outputs.iter().zip(gates))
        .map(|((word, (before_it, written)), (output, gates))| {
            let log_odds = log_odds(config.objective(), output, class);
            Word {
                known: word == START || vocabulary.id(&word).is_some(),
                word,
                written,
                before: before_it,
                probability: config.objective().probabilities(output)[class],
                change: before.replace(log_odds).map(|before| log_odds - before),
                gates,
            }
        })
        .collect();
    Ok(Explanation {
        is_partial: config.ngrams.is_some(),
        label,
        other,
        words,
        // The start token is no word of the text.
        cut: cut.saturating_sub(starts.into()),
        after,
    })
}

/// What stands before a word in the text, and the word as it is written there.
type Written = (String, String);

/// Each word as it is written in the text, and what stands after the last. Where a word cannot be found in the text, all
/// are as the vocabulary has them.
fn as_written(text: &str, words: &[String]) -> (Vec<Written>, String) {
    found_in(text, words).unwrap_or_else(|| {
        let word = |word: &String| (" ".to_owned(), word.clone());
        (words.iter().map(word).collect(), String::new())
    })
}

/// The words that are not left out, and what stands after the last; those that are left out are between them.
fn as_read(
    vocabulary: &Vocabulary,
    words: Vec<String>,
    written: Vec<Written>,
    after: String,
) -> (Vec<(String, Written)>, String) {
    let (mut read, mut between) = (Vec::with_capacity(words.len()), String::new());
    for (word, (before, written)) in words.into_iter().zip(written) {
        between += &before;
        match vocabulary.id_in_text(&word) {
            Some(_) => read.push((word, (std::mem::take(&mut between), written))),
            None => between += &written,
        }
    }
    (read, between + &after)
}

fn found_in(text: &str, words: &[String]) -> Option<(Vec<Written>, String)> {
    let folded = |(at, c): (usize, char)| {
        c.to_lowercase()
            .map(move |folded| (folded, at, at + c.len_utf8()))
    };
    let characters: Vec<(char, usize, usize)> = text.char_indices().flat_map(folded).collect();
    let (mut from, mut end) = (0, 0);
    let mut found = Vec::with_capacity(words.len());
    for word in words {
        let word: Vec<char> = word.chars().flat_map(char::to_lowercase).collect();
        let last = characters.len().checked_sub(word.len())?;
        let first = (from..=last).find(|&first| {
            let here = &characters[first..first + word.len()];
            here.iter()
                .map(|character| character.0)
                .eq(word.iter().copied())
        })?;
        from = first + word.len();
        let start = characters.get(first)?.1;
        let stop = characters.get(from.checked_sub(1)?)?.2;
        found.push((
            text.get(end..start)?.to_owned(),
            text.get(start..stop)?.to_owned(),
        ));
        end = stop;
    }
    Some((found, text.get(end..)?.to_owned()))
}

/// What the ids and answers of a network mean that can be explained.
///
/// # Errors
/// [`LessonError::Unfit`] if it doesn't answer texts with a class.
pub fn explainable(predictor: &Predictor) -> Result<(&Vocabulary, &Labels)> {
    let reads_whole = predictor.config().model.reading != Reading::EveryStep;
    let parts = predictor.encoder().vocabulary().zip(predictor.labels());
    parts.filter(|_| reads_whole).ok_or_else(|| {
        unfit("only a network that reads texts and answers each with a class can be explained")
    })
}

/// The class that is explained of a network that answers `output` to the whole text, and its name; of two classes,
/// the other's name too.
fn explained(
    labels: &Labels,
    objective: Objective,
    output: &[f32],
) -> (usize, String, Option<String>) {
    let name = |class| labels.name(class).unwrap_or_default().to_owned();
    if labels.len() == 2 && objective != Objective::MultiLabel {
        return (1, name(1), Some(name(0)));
    }
    let class = likeliest(output);
    (class, name(class), None)
}

/// `ln(p / (1 - p))` of a class.
fn log_odds(objective: Objective, output: &[f32], class: usize) -> f64 {
    match objective {
        Objective::Binary => return output[0].into(),
        // Of several classes at once each has a logit of its own.
        Objective::MultiLabel => return output[class].into(),
        _ => {}
    }
    let others = output.iter().enumerate().filter(|(i, _)| *i != class);
    let others = others.map(|(_, &x)| f64::from(x));
    let most = others.clone().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = others.map(|x| (x - most).exp()).sum();
    f64::from(output[class]) - most - sum.ln()
}

impl Word {
    /// The word, with a mark if the network's vocabulary does not have it.
    pub fn marked(&self) -> String {
        let mark = if self.known { "" } else { " (unknown)" };
        format!("{}{mark}", self.word)
    }
}

impl Explanation {
    /// The words that moved the answer most toward the class, the strongest first, at most `count`.
    pub fn most_toward(&self, count: usize) -> Vec<(&Word, f64)> {
        self.strongest(count, 1.0)
    }

    /// The words that moved the answer most away from the class, the strongest first, at most `count`.
    pub fn most_away(&self, count: usize) -> Vec<(&Word, f64)> {
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

    /// The word that moved the answer most, whichever way, with the probability of the class before it and with it.
    pub fn strongest_word(&self) -> Option<(&Word, f64, f64)> {
        let pairs = self.words.windows(2);
        let moved = pairs.filter_map(|pair| Some((pair[1].change?.abs(), pair)));
        let (_, pair) = moved.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
        Some((&pair[1], pair[0].probability, pair[1].probability))
    }

    /// Where the words go that move the answer away from the class: toward the other one of two.
    pub fn away(&self) -> String {
        match &self.other {
            Some(other) => format!("toward {other}"),
            None => format!("away from {}", self.label),
        }
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

    /// What [`page`](Self::page) has between its title and its end, for a page of the reports'
    /// [style](crate::report::STYLE).
    ///
    /// # Errors
    /// If a template is wrong.
    pub fn part(&self) -> Result<String> {
        page::part(self)
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
    use burn::tensor::Device;
    use gatefold_data::{Encoder, Sequence, Tokenizer};
    use gatefold_model::{Cell, NetworkConfig};
    use gatefold_training::config::PaddingSide;
    use gatefold_training::{Answer, Bundle, RunConfig};

    use super::*;

    /// An untrained network with vocabulary "a b c" and these classes.
    fn predictor(cell: Cell, labels: &[&str], change: impl Fn(&mut RunConfig)) -> Predictor {
        let words = Vocabulary::build(["a a a b b c"].into_iter(), 6, Tokenizer::Keras);
        predictor_of(words, cell, labels, change)
    }

    fn predictor_of(
        words: Vocabulary,
        cell: Cell,
        labels: &[&str],
        change: impl Fn(&mut RunConfig),
    ) -> Predictor {
        let mut config = RunConfig {
            model: NetworkConfig {
                cell,
                vocabulary_size: 6,
                hidden_size: 5,
                layers: 2,
                bidirectional: true,
                ..Default::default()
            },
            ..Default::default()
        };
        config.input.max_length = 8;
        config.training.batch_size = 3;
        if labels.len() > 2 {
            config.training.objective = Some(Objective::Classes);
            config.model.output_size = labels.len();
        }
        change(&mut config);
        let device = Device::flex();
        let network = config.model.init(3, &device).unwrap();
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        let bundle = Bundle {
            encoder: Encoder::Text(words),
            labels: Some(Labels::new(labels).unwrap()),
            weights: network.weights().unwrap(),
            ngrams: None,
            config,
        };
        Predictor::new(bundle, &device).unwrap()
    }

    fn explained(cell: Cell, change: impl Fn(&mut RunConfig), text: &str) -> Result<Explanation> {
        let predictor = predictor(cell, &["negative", "positive"], change);
        explained_by(&predictor, text)
    }

    fn explained_by(predictor: &Predictor, text: &str) -> Result<Explanation> {
        let explanation = explain(predictor, text)?;
        let Answer::Class(whole) = &predictor.answer_texts([text])?[0] else {
            panic!("it answers with a class");
        };
        let last = explanation.words.last().unwrap().probability;
        assert!((last - whole[1]).abs() < 1e-6);
        Ok(explanation)
    }

    #[test]
    fn of_many_classes_the_likeliest_is_explained() {
        let predictor = predictor(Cell::Gru, &["x", "y", "z"], |_| ());
        let explanation = explain(&predictor, "a b c").unwrap();
        let answers = predictor.answer_texts(["a b c"]).unwrap();
        let (class, probability) = answers[0].class().unwrap();
        assert_eq!(explanation.label, ["x", "y", "z"][class]);
        assert_eq!(
            explanation.away(),
            format!("away from {}", explanation.label)
        );
        let last = explanation.words.last().unwrap();
        assert!((last.probability - probability).abs() < 1e-6);
        let log_odds = |word: &Word| (word.probability / (1.0 - word.probability)).ln();
        let change = log_odds(&explanation.words[3]) - log_odds(&explanation.words[2]);
        assert!((last.change.unwrap() - change).abs() < 1e-6);
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
            (Cell::MinGru, &["update"]),
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
        let unmasked = explained(Cell::Lstm, |config| config.input.mask = false, "a b c").unwrap();
        let masked = explained(Cell::Lstm, |_| (), "a b c").unwrap();
        assert_eq!(names(&unmasked), names(&masked));
        assert_ne!(
            unmasked.words[3].probability, masked.words[3].probability,
            "the padding changes the answer"
        );
    }

    #[test]
    fn padding_before_a_text_stands_before_all_its_beginnings_and_is_no_word() {
        let change = |config: &mut RunConfig| {
            config.input.mask = false;
            config.input.padding = PaddingSide::Pre;
        };
        let predictor = predictor(Cell::Gru, &["negative", "positive"], change);
        let explanation = explained_by(&predictor, "a b c").unwrap();
        assert_eq!(names(&explanation), ["(start)", "a", "b", "c"]);
        let padded = |ids: &[u32]| Sequence::Tokens([&[0; 8][ids.len()..], ids].concat());
        for (place, word) in explanation.words.iter().enumerate() {
            let beginning = padded(&[1, 3, 4, 5][..=place]);
            let answers = predictor.answer(vec![beginning]).unwrap();
            assert!((answers[0].probabilities()[1] - word.probability).abs() < 1e-6);
        }
        let batch = predictor.config().batching();
        let batch = batch.batch(&[padded(&[1, 3, 4, 5]).into()], &[0]);
        let input = network_input(predictor.network(), &batch, predictor.device()).unwrap();
        for (number, gate) in (0..).zip(predictor.network().gates(input).unwrap()) {
            let means = gate.activations.mean_dim(2).into_data();
            let means = means.iter::<f32>().skip(4);
            for (mean, word) in means.zip(&explanation.words) {
                assert_eq!(word.gates[number], (gate.name, mean.into()));
            }
        }
    }

    #[test]
    fn words_that_the_network_leaves_out_are_none_of_those_it_read() {
        let words = r#"{"size":6,"distinct":3,"first":1,"start":null,"unknown":null,"words":["a","b","c"]}"#;
        let words = Vocabulary::from_json(words, "vocabulary.json".as_ref()).unwrap();
        let predictor = |most| {
            let change = |config: &mut RunConfig| config.input.max_length = most;
            predictor_of(words.clone(), Cell::Gru, &["negative", "positive"], change)
        };
        let explanation = explained_by(&predictor(8), "Zorg a: banana, b c dull!").unwrap();
        let shown = explanation.words.iter();
        let shown: Vec<_> = shown
            .map(|word| (&word.before[..], &word.written[..]))
            .collect();
        assert_eq!(shown, [("Zorg ", "a"), (": banana, ", "b"), (" ", "c")]);
        assert_eq!((&explanation.after[..], explanation.cut), (" dull!", 0));
        assert!(explanation.words.iter().all(|word| word.known));
        assert!(explanation.page().unwrap().contains("Zorg <span"));

        let cut = explained_by(&predictor(2), "a zorg b zorg c").unwrap();
        assert_eq!((names(&cut), cut.cut), (vec!["b", "c"], 1));
        let error = explain(&predictor(8), "zorg").unwrap_err().to_string();
        assert!(error.contains("knows none of the text's words"), "{error}");
    }

    #[test]
    fn a_long_text_keeps_its_last_tokens_and_says_so() {
        let short = |config: &mut RunConfig| config.input.max_length = 3;
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
        let long = |config: &mut RunConfig| config.input.max_length = 1 << 20;
        let error = explained(Cell::Rnn, long, &"a ".repeat(MOST_TOKENS)).unwrap_err();
        assert!(error.to_string().contains("at most 16384"), "{error}");
    }

    fn word(word: &str, change: Option<f64>) -> Word {
        Word {
            word: word.into(),
            written: word.into(),
            before: " ".into(),
            known: true,
            probability: 0.5,
            change,
            gates: vec![("reset", 0.25), ("update", 0.5)],
        }
    }

    #[test]
    fn the_strongest_words_come_first_and_on_their_side_only() {
        let explanation = Explanation {
            is_partial: false,
            words: vec![
                word("(start)", None),
                word("fine", Some(0.5)),
                word("dull", Some(-2.0)),
                word("great", Some(1.5)),
                word("the", Some(0.0)),
            ],
            cut: 0,
            after: ".".into(),
            label: "positive".into(),
            other: Some("negative".into()),
        };
        let positive = explanation.most_toward(5);
        let names: Vec<_> = positive.iter().map(|(word, _)| &word.word[..]).collect();
        assert_eq!(names, ["great", "fine"]);
        assert_eq!(explanation.most_away(5)[0].1, -2.0);
        assert_eq!(explanation.most_toward(1).len(), 1);
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
    fn the_page_shows_the_text_as_it_was_written() {
        let explanation = explained(Cell::Gru, |_| (), "A, “B” — ZORG:\nc!").unwrap();
        let written: Vec<_> = explanation
            .words
            .iter()
            .map(|word| &word.written[..])
            .collect();
        assert_eq!(written.concat(), "(start)A“B”—ZORGc");
        let page = explanation.page().unwrap();
        for shown in [
            ">A</span>, <span",
            ">ZORG<sup>?</sup></span>:\n<span",
            ">c</span>!</p>",
        ] {
            assert!(page.contains(shown), "{shown} in {page}");
        }
        let cut = explained(Cell::Gru, |config| config.input.max_length = 2, "A B, C.");
        let written: Vec<_> = cut
            .unwrap()
            .words
            .into_iter()
            .map(|word| word.written)
            .collect();
        assert_eq!(written, ["B", "C"]);
        // Lower case of more characters than upper case, and words that are not in the text.
        assert_eq!(
            found_in("İİ x", &["i̇i̇".into(), "x".into()]).unwrap().0[0].1,
            "İİ"
        );
        assert_eq!(found_in("a b", &["b".into(), "a".into()]), None);
        assert_eq!(found_in("a", &[String::new()]), None);
        assert_eq!(as_written("a", &["<0x61>".into()]).0[0].1, "<0x61>");
    }

    #[test]
    fn what_the_page_says_of_the_strongest_word_follows_from_the_numbers() {
        let explanation = explained(Cell::Gru, |_| (), "a b c a").unwrap();
        let (word, before, with) = explanation.strongest_word().unwrap();
        let change = |word: &Word| word.change.unwrap_or_default().abs();
        let most = explanation.words.iter().map(change).fold(0.0, f64::max);
        assert_eq!(change(word), most);
        let page = explanation.page().unwrap();
        let said = format!("went from {before:.4} to {with:.4}");
        assert!(page.contains(&said), "{said} in {page}");
    }

    #[test]
    fn the_page_shows_the_words_tinted_and_escaped() {
        let mut explanation = explained(Cell::Lstm, |_| (), "a b <zorg> c").unwrap();
        for (place, evil) in [(3, "<b>&\""), (1, "\u{1b}[31m\u{202e}")] {
            explanation.words[place].word = evil.into();
            explanation.words[place].written = evil.into();
        }
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
