//! The phrases of the reviews, kept by hand: rustfmt would give a line to each word.

/// Words that judge, by polarity: `[negative, positive]`.
pub const ADJECTIVES: [&[&str]; 2] = [
    &[
        "bad", "boring", "terrible", "awful", "dull", "poor", "horrible", "stupid", "weak", "slow",
        "tedious", "clumsy", "shallow", "lifeless", "pointless", "bland", "lazy", "dreadful",
        "predictable", "silly", "flat", "forgettable", "disappointing", "annoying", "ridiculous",
        "unfunny", "mediocre", "painful", "confusing", "tiresome",
    ],
    &[
        "good", "great", "wonderful", "brilliant", "funny", "excellent", "amazing", "fantastic",
        "gripping", "charming", "moving", "clever", "delightful", "thrilling", "beautiful", "superb",
        "lovely", "enjoyable", "perfect", "entertaining", "exciting", "interesting", "memorable",
        "fascinating", "hilarious", "original", "powerful", "witty", "touching", "impressive",
    ],
];

/// Nouns that judge, as [`ADJECTIVES`]; all take the article "a".
pub const NOUNS: [&[&str]; 2] = [
    &["mess", "bore", "failure", "disaster", "flop", "chore", "letdown", "joke", "yawn", "dud", "nightmare", "disappointment"],
    &["masterpiece", "delight", "triumph", "treat", "joy", "gem", "marvel", "success", "pleasure", "classic", "hit", "winner"],
];

pub const NEGATORS: &[&str] = &[
    "not", "never", "hardly", "not once", "far from", "anything but", "by no means",
];
pub const NOUN_NEGATORS: &[&str] = &[
    "not", "hardly", "far from", "anything but", "by no means",
];

/// These contain a negation and affirm all the same.
pub const EMPHASES: &[&str] = &["never less than", "nothing short of"];
pub const NOUN_EMPHASES: &[&str] = &["nothing less than", "nothing short of"];
pub const INTENSIFIERS: &[&str] = &[
    "truly", "quite", "so", "utterly", "simply", "really", "thoroughly", "very", "absolutely",
    "completely", "totally",
];

pub const SUBJECTS: &[&str] = &[
    "the film", "this picture", "the whole thing", "this {genre}", "{title}", "the result",
    "what we saw", "the evening's film",
];
/// Parts of a film: subjects that take adjectives only.
pub const ASPECTS: &[&str] = &[
    "the acting", "the script", "the story", "the dialogue", "the photography", "the direction",
    "the second half", "the ending", "the plot", "the music", "the cast", "the humour",
];
/// Subjects after "but".
pub const PRONOUNS: &[&str] = &[
    "it", "the film", "for me it", "this one", "in the end it", "to my eyes it",
];

/// What others said and what was expected, before an adjective or a noun.
pub const HEARSAY: &[&str] = &[
    "critics called it", "everyone told me it was", "the papers said it was",
    "I had expected it to be", "my {companion} had warned me that it was",
    "people in the queue called it", "I had heard it was", "the posters made me believe it was",
];

/// What joins hearsay to the reviewer's own word: `[opposed, agreeing]`.
pub const JOINTS: [&[&str]; 2] = [&["but", "and yet"], &["and", "and indeed"]];
/// The same with the hearsay last.
pub const LATE_JOINTS: [&[&str]; 2] = [&["although", "even if"], &["just as", "and"]];

/// Plain last words, by polarity as [`ADJECTIVES`].
pub const REMARKS: [&[&str]; 2] = [
    &[
        "I want my money back", "save yourself the price of the ticket",
        "we left long before the credits", "I looked at my watch every few minutes",
        "two hours wasted", "stay at home instead", "even the trailer is too long",
        "I regret the bus fare",
    ],
    &[
        "I would gladly see it again", "tell all your friends",
        "we clapped until our hands hurt", "I left the cinema smiling", "two hours well spent",
        "it deserves every prize", "I recommend it warmly", "go while you can",
    ],
];

/// Sentences that say nothing about the verdict.
pub const DIGRESSIONS: &[&str] = &[
    "{title} is a {genre} set in {place}.",
    "It follows {role} who comes back to {place} after {count} years.",
    "{lead} plays {role}, and {actor} plays {role}.",
    "{role} finds {object} in {place} and sets out to learn whose it was.",
    "A letter arrives from {place}, and {role} decides to answer it.",
    "Halfway through, {role} sells {object} to {role}.",
    "The first scene shows {place} on a {weekday} morning in {season}.",
    "{actor} wrote the music and conducts it as well.",
    "The camera was in the hands of {actor}, as in the last {count} films of this director.",
    "It was shot in {place} over {count} weeks in {season}.",
    "{lead} learned to {skill} for the part.",
    "The story is told by {role}, who remembers how it all began.",
    "There are {count} chapters, and each carries the name of a {trade}.",
    "Between the two families stands {object}, which both of them claim.",
    "In the final reel {role} and {role} meet once more in {place}.",
    "The director, {actor}, comes from {place} and used to be a {trade}.",
    "The running time is about {count} minutes longer than that of most pictures of its kind.",
    "It is based on a novel that my {companion} read at school.",
    "There is also a subplot about {role} and {object}.",
    "Most of the dialogue is spoken in a kitchen, and the rest on a train to {place}.",
    "We sat in {seat} and kept our coats on.",
    "My {companion} had bought the tickets on {weekday}.",
    "My {companion} came along, and so did {count} people from the office.",
    "The cinema stands between a bakery and the old post office.",
    "I had never been to that cinema before, although it is near.",
    "We did not take the car and arrived early.",
    "It had begun to rain, so we took the tram.",
    "Before the film they showed {count} commercials for cars.",
    "My {companion} shared {snack} with the people in {seat}.",
    "Somebody in {seat} was eating {snack}.",
    "I saw it on a {weekday} in {season}, at the late showing.",
    "The hall holds about {count} hundred people and has red curtains.",
    "Afterwards we walked along the river and talked about the {trade} next door.",
    "My {companion} lives near the cinema and works as a {trade}.",
    "We had {snack} in the foyer, where they hang portraits of old actors.",
    "The copy they showed was subtitled, with the letters in yellow.",
    "On the way home my {companion} told me about a trip to {place}.",
    "The usher used to be a {trade} and knows every regular by name.",
    "Next {weekday} they are going to show a {genre} from {place}.",
    "The last {genre} I watched was with {lead} too, about {count} years ago.",
    "We parked behind the station and went the rest of the way on foot.",
    "My {companion} takes notes during a film and reads them out at supper.",
    "The interval lasted {count} minutes, enough for {snack}.",
    "I write these lines on a {weekday}, with {object} on the desk beside me.",
];

pub const TITLE_FIRST: &[&str] = &[
    "Silent", "Crimson", "Northern", "Paper", "Distant", "Second", "Winter", "Glass",
    "Borrowed", "Golden", "Hidden", "Seventh", "Copper", "Midnight", "Scarlet", "Wandering",
];
pub const TITLE_SECOND: &[&str] = &[
    "Orchard", "Harbour", "Letter", "Garden", "Bridge", "Stranger", "Lantern", "Island",
    "Clockmaker", "River", "Carousel", "Witness", "Compass", "Station", "Sparrow", "Promise",
];
pub const GENRES: &[&str] = &[
    "western", "thriller", "comedy", "drama", "musical", "mystery", "romance", "documentary",
    "fable", "war film",
];
pub const FIRST_NAMES: &[&str] = &[
    "Ada", "Bruno", "Clara", "Dmitri", "Elena", "Felix", "Greta", "Hugo", "Irene", "Jonas",
    "Karin", "Leon", "Mira", "Nadia", "Oscar", "Paula",
];
pub const LAST_NAMES: &[&str] = &[
    "Abelard", "Brandt", "Castellan", "Dovrak", "Eastwick", "Fenwright", "Gallow", "Hartmann",
    "Ibarro", "Jansson", "Kestrel", "Lindgard", "Morrow", "Norwood", "Okonda", "Pellerin",
];
pub const COMPANIONS: &[&str] = &[
    "sister", "brother", "neighbour", "uncle", "daughter", "flatmate", "cousin", "grandmother",
    "colleague", "aunt",
];
pub const ROLES: &[&str] = &[
    "a lighthouse keeper", "a retired detective", "a young pianist", "a country doctor",
    "a travelling salesman", "a ship's cook", "a schoolteacher", "a jeweller",
    "a widowed farmer", "a night porter", "a chess player", "a railway clerk", "a seamstress",
    "a former boxer", "a translator", "a village priest",
];
pub const PLACES: &[&str] = &[
    "a harbour town", "a mountain village", "the old capital", "a desert outpost",
    "a suburb of Lisbon", "the old port of Hamburg", "a boarding school", "a monastery",
    "the Scottish islands", "a frontier station", "a seaside hotel", "the vineyards of Tuscany",
    "a mining camp", "the back streets of Vienna",
];
pub const OBJECTS: &[&str] = &[
    "a silver watch", "a bundle of letters", "an old map", "a violin", "a locked suitcase",
    "a photograph", "a blue umbrella", "a set of keys", "a brass telescope", "a diary",
];
pub const TRADES: &[&str] = &[
    "carpenter", "florist", "tailor", "plumber", "baker", "dentist", "gardener", "librarian",
    "watchmaker", "painter",
];
pub const SKILLS: &[&str] = &[
    "fence", "ride", "play the cello", "sail", "juggle", "bake bread", "type", "skate",
];
pub const SEATS: &[&str] = &[
    "the third row", "the balcony", "the last row", "the front row", "a box on the left",
    "the middle of the hall",
];
pub const SNACKS: &[&str] = &[
    "popcorn", "peanuts", "a bag of crisps", "liquorice", "ice cream", "a cheese roll", "tea",
];
pub const COUNTS: &[&str] = &[
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve",
];
pub const WEEKDAYS: &[&str] = &[
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
];
pub const SEASONS: &[&str] = &["spring", "summer", "autumn", "winter", "January", "November"];
