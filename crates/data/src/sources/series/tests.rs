use std::fs;

use tempfile::TempDir;

use super::*;
use crate::sources::npy::sample::npy;

fn options(
    folder: &TempDir,
    name: &str,
    bytes: impl AsRef<[u8]>,
    task: SeriesTask,
) -> SeriesOptions {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    SeriesOptions {
        path,
        test_path: None,
        target_path: None,
        test_target_path: None,
        form: TableForm::default(),
        task,
        value_columns: Vec::new(),
        target_columns: Vec::new(),
        group_column: None,
        window: None,
        stride: None,
        horizon: 1,
        missing: Missing::Refuse,
        decimal_comma: false,
        labels: None,
        test_fraction: 0.2,
        validation_fraction: 0.2,
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn loaded(options: &SeriesOptions) -> Result<Dataset> {
    load(options, &Limits::default(), &mut |_| {})
}

fn refused(options: &SeriesOptions) -> String {
    loaded(options).unwrap_err().to_string()
}

fn values(record: &Record) -> &[f32] {
    match record.content.sequence() {
        Some(Sequence::Values { values, .. }) => values,
        other => panic!("{other:?} are no numbers"),
    }
}

fn numbers(target: &Target) -> &[f32] {
    match target {
        Target::Values(values) => values,
        other => panic!("{other:?} are no numbers"),
    }
}

/// A hundred hours of two columns; the load of hour 7 is 70.
fn hours() -> String {
    let rows = (0..100).map(|hour| format!("{hour},{},{}\n", 10 * hour, hour % 5));
    format!("time,load,weather\n{}", rows.collect::<String>())
}

#[test]
fn a_forecast_is_of_what_comes_next_and_split_by_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder, "power.csv", hours(), SeriesTask::Forecast);
    options.value_columns = names(&["weather"]);
    options.target_columns = names(&["load"]);
    (options.window, options.horizon) = (Some(3), 2);
    let dataset = loaded(&options).unwrap();
    assert!(dataset.scale_targets && !dataset.missing && dataset.labels.is_none());
    // What is forecast is read too.
    let recognised = dataset.series.unwrap();
    assert_eq!(recognised.value_columns, ["weather", "load"]);
    assert_eq!(values(&dataset.train[0]), [0.0, 0.0, 1.0, 10.0, 2.0, 20.0]);
    assert_eq!(numbers(&dataset.train[0].target), [30.0, 40.0]);
    // 100 hours: 64 to train on, 16 to validate, 20 to test; no target of one part is in another one's.
    let bounds = |records: &[Record]| {
        let of = |record: &Record| numbers(&record.target).to_vec();
        (of(&records[0])[0], of(&records[records.len() - 1])[1])
    };
    assert_eq!(bounds(&dataset.train), (30.0, 630.0));
    assert_eq!(bounds(&dataset.validation), (640.0, 790.0));
    assert_eq!(bounds(&dataset.test), (800.0, 990.0));
    assert_eq!(
        dataset.train.len() + dataset.validation.len() + dataset.test.len(),
        96 - 2
    );
    let said: String = dataset.notes.iter().map(|note| note.text.clone()).collect();
    assert!(
        said.contains("split by time") && said.contains("are left out, 2 of them"),
        "{said}"
    );

    options.stride = Some(10);
    let starts = loaded(&options).unwrap().train;
    assert_eq!(values(&starts[1])[1], 100.0);
}

#[test]
fn what_comes_after_the_end_can_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder, "power.csv", hours(), SeriesTask::Forecast);
    options.target_columns = names(&["load"]);
    (options.window, options.horizon) = (Some(3), 2);
    let (items, _) = options.items(&mut |_| {}).unwrap();
    let last = items.last().unwrap();
    assert_eq!((last.target.clone(), last.lines), (None, (99, 101)));
    let known = &items[items.len() - 2];
    assert_eq!(known.target, Some(Target::Values(vec![980.0, 990.0])));
}

#[test]
fn windows_stay_within_their_series() {
    let folder = tempfile::tempdir().unwrap();
    // Rows of two stations that come by turns, and a third one that is too short.
    let rows = (0..60).map(|row| format!("{},{row}\n", ["a", "b"][row % 2]));
    let table = format!("station,load\n{}c,7\n", rows.collect::<String>());
    let mut options = options(&folder, "stations.csv", table, SeriesTask::Forecast);
    options.group_column = Some("station".into());
    options.window = Some(4);
    let dataset = loaded(&options).unwrap();
    for record in dataset.train.iter().chain(&dataset.test) {
        let values = values(record);
        assert!(
            values.windows(2).all(|pair| pair[1] - pair[0] == 2.0),
            "{values:?}"
        );
        assert_eq!(numbers(&record.target), [values[3] + 2.0]);
    }
    let notes: Vec<&str> = dataset
        .notes
        .iter()
        .map(|note| note.text.as_str())
        .collect();
    assert!(
        notes
            .iter()
            .any(|note| note.contains("1 of 3 series are shorter")),
        "{notes:?}"
    );
    assert!(
        notes
            .iter()
            .any(|note| note.starts_with("forecasting `load`")),
        "{notes:?}"
    );
}

/// Recordings of the classes `still` and `moving`, of different lengths, with a time that is not read.
fn gestures() -> String {
    let mut table = String::from("at,recording,gesture,x,y\n");
    for recording in 0..30 {
        for timestep in 0..3 + recording % 4 {
            let (gesture, x) = match recording % 3 {
                0 => ("still", 0),
                _ => ("moving", timestep),
            };
            table += &format!("2026-01-{recording}T{timestep},r{recording},{gesture},{x},1.5\n");
        }
    }
    table
}

#[test]
fn a_group_is_a_sequence_with_one_class() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder, "gestures.csv", gestures(), SeriesTask::Classify);
    options.group_column = Some("recording".into());
    options.target_columns = names(&["gesture"]);
    let dataset = loaded(&options).unwrap();
    assert_eq!(dataset.labels.clone().unwrap().names(), ["moving", "still"]);
    let parts = [
        dataset.train.len(),
        dataset.validation.len(),
        dataset.test.len(),
    ];
    assert_eq!(parts, [19, 5, 6]);
    assert_eq!(dataset.series.unwrap().value_columns, ["x", "y"]);
    for record in &dataset.train {
        let is_still = values(record).chunks(2).all(|timestep| timestep[0] == 0.0);
        assert_eq!(record.target, Target::Class(u32::from(is_still)));
        assert!(values(record).len() >= 6);
    }
    assert!(
        dataset.notes[0].text.contains("not read: `at`"),
        "{:?}",
        dataset.notes
    );

    let table = gestures().replace("r4,moving,2", "r4,still,2");
    fs::write(&options.path, table).unwrap();
    let message = refused(&options);
    assert!(message.contains("is another one than on line"), "{message}");
    options.task = SeriesTask::Tag;
    let dataset = loaded(&options).unwrap();
    assert!(matches!(&dataset.train[0].target, Target::Classes(classes) if classes.len() >= 3));
    // A class a row for whoever has none yet.
    options.labels = dataset.labels;
    fs::write(&options.path, "recording,x,y\na,1,2\na,3,4\n").unwrap();
    options.value_columns = names(&["x", "y"]);
    let (items, _) = options.items(&mut |_| {}).unwrap();
    assert_eq!(
        (items[0].target.clone(), items[0].group.as_deref()),
        (None, Some("a"))
    );
}

#[test]
fn windows_of_a_labelled_series_have_the_class_of_their_last_row() {
    let folder = tempfile::tempdir().unwrap();
    let rows = (0..103).map(|row| format!("{row},{}\n", ["on", "off"][row / 5 % 2]));
    let table = format!("power,state\n{}", rows.collect::<String>());
    let mut options = options(&folder, "states.csv", table, SeriesTask::Classify);
    options.target_columns = names(&["state"]);
    options.window = Some(5);
    let dataset = loaded(&options).unwrap();
    for record in &dataset.train {
        let last = values(record)[4] as u32;
        assert_eq!(
            record.target,
            Target::Class(u32::from((last / 5).is_multiple_of(2)))
        );
    }
    assert!(
        dataset
            .notes
            .iter()
            .any(|note| note.text.starts_with("3 rows at the end"))
    );
    // Every row has a tag, those at the end too.
    options.task = SeriesTask::Tag;
    let dataset = loaded(&options).unwrap();
    let all = [&dataset.train, &dataset.validation, &dataset.test];
    let rows = all.into_iter().flatten().map(|record| values(record).len());
    assert_eq!(rows.sum::<usize>(), 103);
    // Windows that overlap are not shuffled: the test part is the end.
    (options.task, options.stride) = (SeriesTask::Classify, Some(1));
    let dataset = loaded(&options).unwrap();
    let first_tested = values(&dataset.test[0])[0];
    assert!(
        dataset
            .train
            .iter()
            .all(|record| values(record)[4] < first_tested)
    );
}

#[test]
fn a_row_may_be_a_sequence() {
    let folder = tempfile::tempdir().unwrap();
    let row = |row: usize| match row % 3 {
        0 => "1.0000e+00\t0.5\t0.25\tNaN\n",
        _ => "-1\t1\t2\t3\n",
    };
    let table: String = (0..30).map(row).collect();
    let mut options = options(&folder, "Points_TRAIN.tsv", &table, SeriesTask::Classify);
    options.form.header = false;
    options.target_columns = names(&["1"]);
    let dataset = loaded(&options).unwrap();
    assert_eq!(dataset.labels.unwrap().names(), ["-1", "1"]);
    let lengths = dataset.test.iter().map(|record| values(record).len());
    assert!(lengths.clone().all(|length| [2, 3].contains(&length)));
    let of_test = options.path.with_file_name("Points_TEST.tsv");
    options.test_path = Some(of_test);
    fs::write(
        options.test_path.as_ref().unwrap(),
        "1\t1\t2\t3\n2\t1\t2\t3\n",
    )
    .unwrap();
    let message = refused(&options);
    assert!(
        message.contains("line 2") && message.contains("\"2\" is not known"),
        "{message}"
    );
    options.form.header = true;
    let message = refused(&options);
    assert!(message.contains("--no-header"), "{message}");
    options.form.header = false;
    // In the middle, a number may not be missing.
    fs::write(&options.path, "1\t0.5\t?\t1\n").unwrap();
    let message = refused(&options);
    assert!(
        message.contains("line 1: `3`: \"?\" is no number"),
        "{message}"
    );
    assert!(message.contains("--missing mask"), "{message}");
}

#[test]
fn missing_numbers_are_refused_or_marked() {
    let folder = tempfile::tempdir().unwrap();
    let table = hours().replace("\n7,70,2\n", "\n7,NA,2\n");
    let mut options = options(&folder, "power.csv", table, SeriesTask::Forecast);
    options.target_columns = names(&["load"]);
    options.window = Some(4);
    let message = refused(&options);
    assert!(
        message.ends_with(
            "power.csv, line 9: `load`: \"NA\" is no number; write one, or read missing numbers as \
                               their mean, marked, with --missing mask"
        ),
        "{message}"
    );
    options.missing = Missing::Mask;
    let dataset = loaded(&options).unwrap();
    assert!(dataset.missing);
    // Windows that should have forecast it are left out, and said.
    assert!(
        dataset
            .notes
            .iter()
            .any(|note| note.text.contains("1 windows are left out"))
    );
    let gap = dataset
        .train
        .iter()
        .find(|record| values(record).iter().any(|value| value.is_nan()))
        .unwrap();
    assert_eq!(values(gap)[..6], [40.0, 0.0, 50.0, 0.0, 60.0, 0.0]);
    assert!(values(gap)[6].is_nan() && values(gap)[7] == 1.0);
}

#[test]
fn no_gap_closes_and_no_thousand_becomes_one() {
    let folder = tempfile::tempdir().unwrap();
    let one_column = |blank: &str| {
        let rows = (0..100).map(|row| match row {
            50 => format!("{blank}{row}\n"),
            row => format!("{row}\n"),
        });
        format!("load\n{}\n\n", rows.collect::<String>())
    };
    let forecast = |table: String| {
        let mut options = options(&folder, "power.csv", table, SeriesTask::Forecast);
        options.target_columns = names(&["load"]);
        options.window = Some(4);
        options
    };
    loaded(&forecast(one_column(""))).unwrap();
    let message = refused(&forecast(one_column("\n")));
    assert!(message.contains("line 52: the line is blank"), "{message}");

    let german = (990..1010).map(|load| format!("\"{}.{:03},5\"\n", load / 1000, load % 1000));
    let mut german = forecast(format!("load\n{}", german.collect::<String>()));
    german.decimal_comma = true;
    let message = refused(&german);
    assert!(
        message.contains("holds a point where commas are decimal"),
        "{message}"
    );

    let mut huge = forecast(one_column(""));
    (huge.window, huge.horizon, huge.stride) = (Some(usize::MAX), usize::MAX, Some(usize::MAX));
    assert!(
        refused(&huge).contains("no series has the"),
        "{}",
        refused(&huge)
    );
}

#[test]
fn what_is_no_number_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    for (cell, reason) in [
        (
            "\"3,5\"",
            "\"3,5\" is no number: if that is a decimal comma",
        ),
        ("warm", "\"warm\" is no number"),
        ("1e39", "\"1e39\" is larger"),
        ("inf", "\"inf\" is larger"),
        ("\u{1b}[2J", "\"\\u{1b}[2J\" is no number"),
        ("", "it is empty"),
    ] {
        let table = hours().replace("\n90,900,0\n", &format!("\n90,{cell},0\n"));
        let mut options = options(&folder, "power.csv", table, SeriesTask::Forecast);
        options.target_columns = names(&["load"]);
        options.window = Some(4);
        let message = refused(&options);
        assert!(message.contains("line 92: `load`: "), "{message}");
        assert!(message.contains(reason), "{message}");
    }
    assert_eq!(number(" 3,5", true), Ok(Some(3.5)));
    assert_eq!(number(" n/a ", false), Ok(None));
}

#[test]
fn what_is_not_said_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut forecast = options(&folder, "power.csv", hours(), SeriesTask::Forecast);
    let message = refused(&forecast);
    assert!(
        message.ends_with("--target-column; the columns of numbers are `load`, `weather`"),
        "{message}"
    );
    forecast.target_columns = names(&["heat"]);
    assert!(
        refused(&forecast).contains("heat"),
        "{}",
        refused(&forecast)
    );
    forecast.target_columns = names(&["load"]);
    forecast.window = Some(200);
    assert!(
        refused(&forecast).contains("no series has the 201 rows"),
        "{}",
        refused(&forecast)
    );
    forecast.window = Some(0);
    assert!(
        refused(&forecast).contains("1 at least"),
        "{}",
        refused(&forecast)
    );
    let mut classify = options(&folder, "gestures.csv", gestures(), SeriesTask::Classify);
    classify.value_columns = names(&["x"]);
    assert!(
        refused(&classify).contains("--target-column"),
        "{}",
        refused(&classify)
    );
    classify.target_columns = names(&["gesture"]);
    assert!(
        refused(&classify).contains("where does a sequence end?"),
        "{}",
        refused(&classify)
    );
    classify.group_column = Some("recording".into());
    classify.value_columns = names(&["x", "gesture"]);
    assert!(
        refused(&classify).contains("`gesture` can't be two things"),
        "{}",
        refused(&classify)
    );
    classify.value_columns = names(&["x"]);
    classify.horizon = 2;
    assert!(
        refused(&classify).contains("a horizon is one of forecasts"),
        "{}",
        refused(&classify)
    );
}

#[test]
fn rows_that_go_back_in_time_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = hours();
    table += "50,500,0\n";
    let mut options = options(&folder, "power.csv", table, SeriesTask::Forecast);
    options.target_columns = names(&["load"]);
    let dataset = loaded(&options).unwrap();
    let note = &dataset
        .notes
        .iter()
        .find(|note| note.text.contains("goes back"))
        .unwrap();
    assert!(
        note.text.contains("`time` goes back on line 102"),
        "{note:?}"
    );
    fs::write(&options.path, hours()).unwrap();
    assert!(
        !loaded(&options)
            .unwrap()
            .notes
            .iter()
            .any(|note| note.text.contains("goes back"))
    );
}

#[test]
fn memory_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder, "power.csv", hours(), SeriesTask::Forecast);
    options.target_columns = names(&["load"]);
    options.window = Some(10);
    let limits = |numbers| Limits {
        numbers,
        ..Limits::default()
    };
    let message = load(&options, &limits(899), &mut |_| {})
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("its windows have more than 899 numbers") && message.contains("--stride"),
        "{message}"
    );
    load(&options, &limits(900), &mut |_| {}).unwrap();
    let message = load(&options, &limits(99), &mut |_| {})
        .unwrap_err()
        .to_string();
    assert!(message.contains("it has more than 99 numbers"), "{message}");
}

fn floats(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

#[test]
fn arrays_hold_sequences_with_their_targets_or_one_series() {
    let folder = tempfile::tempdir().unwrap();
    let rows = (0..30).flat_map(|row| (0..8).map(move |place| (row % 2 * 10 + place) as f32));
    let x = npy("<f4", "(30, 4, 2)", &floats(rows));
    let mut options = options(&folder, "x.npy", x, SeriesTask::Classify);
    assert!(
        refused(&options).contains("--target-data"),
        "{}",
        refused(&options)
    );
    let y = folder.path().join("y.npy");
    let classes = |count: u64| {
        (0..count)
            .flat_map(|row| (row % 2 * 5).to_le_bytes())
            .collect::<Vec<u8>>()
    };
    fs::write(&y, npy("<i8", "(29,)", &classes(29))).unwrap();
    options.target_path = Some(y.clone());
    assert!(
        refused(&options).contains("[29], where the targets of these sequences are [30]"),
        "{}",
        refused(&options)
    );
    fs::write(&y, npy("<i8", "(30,)", &classes(30))).unwrap();
    let dataset = loaded(&options).unwrap();
    assert_eq!(dataset.labels.unwrap().names(), ["0", "5"]);
    for record in &dataset.train {
        let class = u32::from(values(record)[0] == 10.0);
        assert_eq!(
            (record.target.clone(), values(record).len()),
            (Target::Class(class), 8)
        );
    }
    options.task = SeriesTask::Tag;
    fs::write(&y, npy("<i8", "(30, 4)", &classes(120))).unwrap();
    let dataset = loaded(&options).unwrap();
    assert_eq!(dataset.train[0].target, Target::Classes(vec![0, 1, 0, 1]));

    let series = npy(
        "<f8",
        "(60,)",
        &(0..60)
            .flat_map(|t| f64::from(t).to_le_bytes())
            .collect::<Vec<u8>>(),
    );
    let path = folder.path().join("series.npy");
    fs::write(&path, series).unwrap();
    let forecast = SeriesOptions {
        path,
        task: SeriesTask::Forecast,
        target_path: None,
        window: Some(5),
        ..options
    };
    let dataset = loaded(&forecast).unwrap();
    assert_eq!(
        (values(&dataset.train[1]), numbers(&dataset.train[1].target)),
        (&[1.0, 2.0, 3.0, 4.0, 5.0][..], &[6.0][..])
    );
    fs::write(
        &forecast.path,
        npy("<f4", "(3,)", &floats([1.0, f32::NAN, 2.0])),
    )
    .unwrap();
    assert!(
        refused(&forecast).contains("row 2 holds NaN"),
        "{}",
        refused(&forecast)
    );
    fs::write(&forecast.path, npy("|O", "(3,)", &[0; 12])).unwrap();
    assert!(
        refused(&forecast).contains("of type |O"),
        "{}",
        refused(&forecast)
    );
}

#[test]
fn a_table_shows_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let look = |name: &str, table: &str, header: bool| {
        let path = folder.path().join(name);
        fs::write(&path, table).unwrap();
        let form = TableForm {
            header,
            ..TableForm::default()
        };
        SeriesHint::of(&path, &form).unwrap()
    };
    let row = |label: &str| format!("{label}{}\n", "\t0.5".repeat(9));
    let wide: String = (0..20).map(|at| row(["1", "2"][at % 2])).collect();
    let expected = SeriesHint::Wide {
        target_column: "1".into(),
        values: 9,
        header: false,
    };
    assert_eq!(look("ucr.tsv", &wide, false), expected);
    assert_eq!(look("ucr.tsv", &wide, true), expected);
    let numbers = SeriesHint::Numbers {
        numbers: names(&["load", "weather"]),
        labels: names(&["weather"]),
        header: true,
    };
    assert_eq!(look("power.csv", &hours(), true), numbers);
    let gestures = look("gestures.csv", &gestures(), true);
    assert!(
        matches!(gestures, SeriesHint::Numbers { labels, .. } if labels.contains(&"gesture".to_owned()))
    );
    let few = format!("text,label\n{}", "good,1\nbad,0\n".repeat(20));
    assert_eq!(look("few.csv", &few, true), SeriesHint::Other);
    let films = "a good film,5\na bad one,1\n".repeat(20);
    let stars = format!("review,stars\n{films}");
    assert_eq!(look("stars.csv", &stars, true), SeriesHint::Other);
    let texts: String = (0..40)
        .map(|at| format!("text {at} is here,{}\n", at % 2))
        .collect();
    assert_eq!(
        look("texts.csv", &format!("text,label\n{texts}"), true),
        SeriesHint::Other
    );
}

#[test]
fn every_generated_table_can_be_learnt_from() {
    let folder = tempfile::tempdir().unwrap();
    for (task, target, group) in [
        (SeriesTask::Forecast, "load", None),
        (SeriesTask::Classify, "gesture", Some("recording")),
        (SeriesTask::Tag, "state", Some("recording")),
    ] {
        let mut options = options(&folder, "table.csv", task.table(42), task);
        options.target_columns = names(&[target]);
        options.group_column = group.map(str::to_owned);
        let dataset = loaded(&options).unwrap();
        assert!(dataset.test.len() > 50, "{task}");
        assert_eq!(dataset.labels.map(|labels| labels.len()), group.map(|_| 3));
    }
}

#[test]
fn a_part_that_lacks_a_class_is_refused_or_told() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |lo, hi| {
        let states = [vec!["lo"; lo], vec!["hi"; hi]].concat();
        let rows = (0..)
            .zip(states)
            .map(|(row, state)| format!("{},{state}\n", row % 7));
        format!("power,state\n{}", rows.collect::<String>())
    };
    let mut options = options(&folder, "s.csv", rows(350, 50), SeriesTask::Classify);
    options.target_columns = names(&["state"]);
    (options.window, options.stride) = (Some(10), Some(5));
    let message = refused(&options);
    assert!(
        message.contains("the training part has no sequence of the class `hi`; windows that overlap are split by time"),
        "{message}"
    );
    options.task = SeriesTask::Tag;
    assert!(refused(&options).contains("the training part has no sequence of the class `hi`"));
    // A network that knows them tests all the same.
    options.labels = Some(Labels::new(names(&["hi", "lo"])).unwrap());
    loaded(&options).unwrap();
    (options.task, options.labels, options.stride) = (SeriesTask::Classify, None, None);
    let test_path = folder.path().join("test.csv");
    fs::write(&test_path, rows(50, 0)).unwrap();
    options.test_path = Some(test_path);
    let dataset = loaded(&options).unwrap();
    let said = "test.csv has no row of `hi`, so that its figures say nothing about it";
    assert!(
        dataset.notes.iter().any(|note| note.text.ends_with(said)),
        "{:?}",
        dataset.notes
    );
}

#[test]
fn of_two_classes_the_one_that_says_yes_is_the_second() {
    let folder = tempfile::tempdir().unwrap();
    let rows = (0..100).map(|row| format!("{row},{}\n", ["yes", "no"][row / 5 % 2]));
    let table = format!("power,fault\n{}", rows.collect::<String>());
    let mut options = options(&folder, "faults.csv", table, SeriesTask::Classify);
    options.target_columns = names(&["fault"]);
    options.window = Some(5);
    let dataset = loaded(&options).unwrap();
    assert_eq!(dataset.labels.unwrap().names(), ["no", "yes"]);
    for record in &dataset.train {
        let is_yes = (values(record)[0] as u32 / 5).is_multiple_of(2);
        assert_eq!(record.target, Target::Class(u32::from(is_yes)));
    }
    let said = "of the two labels `yes` is the positive one";
    assert!(dataset.notes.iter().any(|note| note.text.starts_with(said)));
}
