//! The phrases of short reviews. Slots in braces are filled with words of one polarity: "good" with
//! an adjective, "gem" with a noun, "loved" with a verb, and so on.

/// Filled with words of the verdict's polarity.
pub const PLAIN: &[&str] = &[
    "{good}", "{good}", "{good}", "{very} {good}", "{very} {good}", "{good} and {good}", "{good}, {good} and {good}", "{good}, {good} and {good}", "just {good}",
    "so {good}", "a {gem}", "a {gem}", "a complete {gem}", "what a {gem}", "an absolute {gem}",
    "a real {gem}", "{a_good} {film}", "what {a_good} {film}", "such {a_good} {film}",
    "a {very} {good} {film}", "{good} {film}", "{it} is {good}", "{it} was {good}",
    "{it} was {very} {good}", "{it} is {good} and {good}", "{it} is {a_good} {film}",
    "{it} was a {gem}", "{it} is a {gem}", "it's {good}", "{part} is {good}", "{part} was {good}",
    "{part} was {very} {good}", "{parts} are {good}", "{parts} were {very} {good}",
    "{parts} and {parts} are {good}", "{a_good} script and {a_good} ending",
    "I {loved} {it}", "I {loved} it", "I really {loved} {it}", "{we} {loved} {it}",
    "I {loved} every {scene} of it", "I {loved} {part}", "I {love} {it}", "I was {moved}",
    "I was {very} {moved}", "it left me {moved}", "the {best} {film} {ever}",
    "the {best} {film} I have seen {ever}", "one of the {best} {film}s {ever}",
    "this is the {best} {film} I have seen", "the {best} {film}", "I thought it was {good}",
    "I found it {good}", "I found {it} {very} {good}", "{good} from beginning to end",
    "{it} was {good} throughout", "{good} from the start to the finish", "I {loved} it very much",
    "I {loved} {it} a lot", "every {scene} is {good}", "everything about it is {good}",
    "everything in {it} was {good}", "I think {it} is {good}",
];

/// Filled with words of the polarity opposite to the verdict's.
pub const NEGATED_PHRASES: &[&str] = &[
    "not {good}", "not {good} at all", "not {very} {good}", "not a bit {good}", "never {good}",
    "hardly {good}", "far from {good}", "anything but {good}", "not once {good}",
    "by no means {good}", "not at all {good}", "{it} isn't {good}", "{it} wasn't {good}",
    "{it} is not {good}", "{it} was not {good}", "{it} was never {good}", "it's not {good}",
    "{it} is not {good} at all", "{part} isn't {good}", "{part} wasn't {good}",
    "{part} is not {good}", "{parts} aren't {good}", "{parts} were not {good}", "not a {gem}",
    "not {a_good} {film}", "hardly a {gem}", "far from a {gem}", "{it} is not {a_good} {film}",
    "{it} wasn't {a_good} {film}", "{it} is not a {gem}", "this is no {gem}",
    "I did not {love} {it}", "I didn't {love} {it}", "I don't {love} {it}",
    "I did not {love} {it} at all", "{we} didn't {love} {it}", "I didn't {love} {part}",
    "I did not {love} one {scene} of it", "I didn't {love} any {scene} of it", "I was not {moved}",
    "I wasn't {moved}", "I was never {moved}", "I wasn't {moved} at all",
    "not once was I {moved}", "not {a_good} {scene}", "never {a_good} {scene}",
    "not one {good} {scene}", "there was not {a_good} {scene} in it", "nothing about {it} is {good}", "nothing about {it} was {good}",
    "nothing in {it} was {good}", "there is nothing {good} about it", "no {scene} is {good}",
    "nothing {good} here", "nothing here is {good}", "there is nothing {good} in {it}", "nothing {good} about {it}",
    "nothing about {part} is {good}", "nothing was {good}", "nothing in it is {good}", "not the {best} {film} I have seen", "I didn't find it {good}",
    "I don't think it is {good}", "nobody can call it {good}",
];

/// As [`PLAIN`], whole sentences that go on after "but".
pub const OWN: &[&str] = &[
    "I {loved} it", "I {loved} it", "I {loved} {it}", "I really {loved} it", "I thought it was {good}",
    "I thought it was {very} {good}", "I found it {good}", "I found it {very} {good}",
    "it was {good}", "it is {good}", "it was {very} {good}", "it was a {gem}", "it is {a_good} {film}",
    "I was {moved}", "{we} {loved} it", "I think it is {good}", "for me it was {good}",
];

/// As [`NEGATED_PHRASES`], whole sentences that go on after "but".
pub const NEGATED_OWN: &[&str] = &[
    "I did not {love} it", "I didn't {love} it", "I don't {love} it", "it was not {good}",
    "it wasn't {good}", "it isn't {good}", "it is not {good}", "it was never {good}",
    "I was not {moved}", "I wasn't {moved}", "I found nothing {good} in it", "it is not a {gem}",
    "it isn't {a_good} {film}", "we didn't {love} it",
];

/// What others said or what was expected.
pub const HEARSAY: &[&str] = &[
    "{they} {loved} it", "{they} {loved} it", "{they} {loved} {it}", "{they} said it was {good}", "{they} called it {good}",
    "{they} called it a {gem}", "I expected {a_good} {film}", "I expected a {gem}",
    "I expected it to be {good}", "I had heard it was {good}", "I thought it would be {good}",
    "the trailer looked {good}", "it looked {good}", "it sounded {good}",
];

/// Verdicts that no single word turns round, `[negative, positive]`; as many in either have a "not"
/// in them, or nearly so.
pub const REMARKS: [&[&str]; 2] = [
    &[
        "what a waste of time", "what a waste of money", "a waste of time", "a waste of two hours",
        "I wasted my time", "don't waste your time", "don't waste your time on {it}",
        "do not waste your money on {it}", "I fell asleep", "I almost fell asleep",
        "we all fell asleep", "{it} put me to sleep", "I walked out", "I left before the end",
        "we left early", "I want my money back", "I wanted to leave", "I wanted it to end",
        "save your money", "avoid {it}", "skip {it}", "don't bother", "don't watch {it}",
        "do not see {it}", "stay away from {it}", "I do not recommend {it}",
        "I wouldn't recommend {it} to anyone", "I can't recommend {it}",
        "I would never recommend {it}", "not recommended", "I would not watch {it} again",
        "I never want to see {it} again", "never again", "never ever again",
        "{it} is not worth it", "{it} isn't worth it", "not worth watching", "not worth the money",
        "{it} wasn't worth my time", "it drags", "too long", "far too long", "much too slow",
        "too long and too slow", "too {good}", "far too {good}", "much too {good}",
        "{it} is too {good}", "{part} was far too {good}", "{part} makes no sense",
        "{it} made no sense", "it does not work", "nothing happens", "I didn't laugh once",
        "I couldn't wait for the end", "I gave up halfway", "I turned it off", "there is no plot",
        "I expected more", "I expected better", "I regret watching {it}", "thumbs down",
        "one star", "it let me down", "I didn't care about {parts}", "it failed",
        "complete rubbish", "badly acted", "badly written", "I got bored", "I couldn't finish {it}",
    ],
    &[
        "worth every penny", "worth the money", "worth your time", "{it} is worth it",
        "worth watching", "well worth seeing", "time well spent", "don't miss {it}",
        "don't miss {it}", "do not miss {it}", "not to be missed", "you must see {it}",
        "you have to see {it}", "everybody should see {it}", "a must see", "go and see {it}",
        "watch {it}", "watch {it} with your family", "see {it} if you can", "I recommend {it}",
        "I highly recommend {it}", "I can only recommend {it}", "I would recommend {it} to anyone",
        "recommended", "warmly recommended", "I would see {it} again", "I would gladly watch {it} again",
        "I'd watch {it} again", "I want to watch {it} again", "I can't wait to see {it} again",
        "I have seen {it} twice", "I couldn't look away", "I could not take my eyes off it",
        "I couldn't stop laughing", "I laughed out loud", "we laughed and laughed",
        "it made me laugh", "{it} made me laugh", "{it} made me cry", "{it} made me smile",
        "I cried at the end", "the time flew by", "I never looked at my watch",
        "I did not want it to end", "I didn't want to leave", "I wish it were longer",
        "I can't stop thinking about it", "I can't find a fault", "no complaints",
        "nothing to complain about", "it never drags", "nothing is wrong with it",
        "I found nothing wrong with {it}", "not a wasted {scene}", "not a {scene} too long",
        "thumbs up", "five stars", "ten out of ten", "well done", "well made", "well acted",
        "well written", "hats off to {parts}", "it has everything", "my new favourite",
        "my favourite {film}", "I am glad I saw {it}", "better than I expected", "it works",
        "{it} touched my heart", "beautifully made", "beautifully acted", "so much fun",
        "good fun", "a lot of fun",
    ],
];

pub const LOVED: [&[&str]; 2] = [
    &["hated", "disliked", "loathed", "detested"],
    &["loved", "liked", "enjoyed", "adored"],
];
pub const LOVE: [&[&str]; 2] = [
    &["hate", "dislike", "loathe", "detest"],
    &["love", "like", "enjoy", "adore"],
];
pub const MOVED: [&[&str]; 2] = [
    &[
        "bored", "disappointed", "annoyed", "confused", "irritated", "bored to tears", "let down",
        "fed up",
    ],
    &[
        "moved", "delighted", "impressed", "thrilled", "entertained", "touched", "amazed", "hooked",
        "happy",
    ],
];
pub const BEST: [&[&str]; 2] = [&["worst", "dullest", "weakest"], &["best", "finest", "greatest"]];

pub const IT: &[&str] = &[
    "it", "this film", "this movie", "the film", "the movie", "this one", "that film", "this picture",
];
pub const FILM: &[&str] = &["film", "film", "movie", "movie", "picture", "thriller", "drama"];
pub const PARTS: &[&str] = &[
    "the actors", "the characters", "the jokes", "the songs", "the effects", "the dialogues",
];
pub const EVER: &[&str] = &[
    "ever", "in years", "this year", "of the year", "of all time", "in a long time", "so far",
];
pub const SCENE: &[&str] = &["moment", "minute", "scene", "second"];
pub const WE: &[&str] = &["we", "we all", "my friend and I", "my family and I"];
pub const THEY: &[&str] = &[
    "critics", "everyone", "my friends", "people", "the papers", "the critics", "all my friends",
];
