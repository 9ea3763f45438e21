use gatefold_training::scores::{
    Bin, Calibration, ClassMeans, ClassScore, ClassScores, Confused, Confusion, Mistake, Roc,
};

use super::*;

const NAME: &str = "<b>&\"'$a$";

fn section(name: &str, cell: Cell, epochs: usize, lengths: &[usize]) -> RunSection {
    let mut config = RunConfig::default();
    config.model.cell = cell;
    let epochs: Vec<EpochMetrics> = (1..=epochs)
        .map(|epoch| EpochMetrics {
            epoch,
            train_loss: 0.7 / epoch as f64,
            train_accuracy: Some(0.9 - 0.4 / epoch as f64),
            validation_loss: 0.72 / epoch as f64,
            validation_accuracy: Some(0.88 - 0.4 / epoch as f64),
            validation_f1: None,
            seconds: 11.0,
        })
        .collect();
    let reach = lengths.iter().flat_map(|&length| {
        [false, true].map(|trained| ReachCurve {
            length,
            trained,
            norms: (0..length)
                .map(|t| 0.9f64.powi((length - t) as i32))
                .collect(),
        })
    });
    RunSection {
        name: name.into(),
        config,
        summary: RunSummary {
            version: "0.1.0".into(),
            device: "the CPU".into(),
            parameters: 184_961,
            best_epoch: epochs.len(),
            best: epochs.last().unwrap().clone(),
            test_loss: 0.345_67,
            test_accuracy: Some(0.8604),
            test_examples: 25_000,
            refit_examples: None,
            forecast: None,
            language: None,
            largest_class: Some(0.5),
            baseline_accuracy: None,
            ngrams: None,
            warnings: Vec::new(),
            training_seconds: 55.12,
            milliseconds_per_step: 44.25,
        },
        epochs,
        scores: None,
        reach: reach.collect(),
        forecast: None,
    }
}

fn task(cell: &str, length: usize, solved: bool) -> TaskRow {
    TaskRow {
        task: "first-token recall".into(),
        length,
        cell: cell.into(),
        score: if solved { 0.998 } else { 0.101 },
        chance: 0.1,
        unit: "accuracy".into(),
        solved,
    }
}

/// What holds of every page; returns the number of its plots.
fn check(page: &str) -> usize {
    assert!(
        page.starts_with("<!doctype html>\n<html lang=\"en\">"),
        "{page}"
    );
    assert!(page.contains("name=\"viewport\"") && page.contains("prefers-color-scheme"));
    assert!(
        !page.contains("<script") && !page.contains("<link"),
        "{page}"
    );
    // Even what should slip through the escaping would neither run nor load.
    assert!(page.contains("Content-Security-Policy\" content=\"default-src 'none';"));
    let plain = page.replace("http://www.w3.org/2000/svg", "");
    for outside in ["http:", "https:", "//www", "url(h", "@import", "src="] {
        assert!(!plain.contains(outside), "{outside} in {page}");
    }
    assert!(!page.contains("NaN") && !page.contains("<b>"), "{page}");
    for tag in [
        "svg", "figure", "table", "div", "details", "section", "g", "p", "ul",
    ] {
        let opened =
            page.matches(&format!("<{tag} ")).count() + page.matches(&format!("<{tag}>")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    let ids: Vec<&str> = page
        .split(" id=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert!(ids.iter().all_unique(), "{ids:?}");
    let plots = page.matches("role=\"img\"").count();
    assert_eq!(plots, page.matches("viewBox=").count());
    assert_eq!(plots, page.matches("role=\"img\" aria-label=\"").count());
    plots
}

#[test]
fn a_runs_page_shows_its_result_curves_reach_and_settings() {
    let page = run_page(&section("lstm", Cell::Lstm, 5, &[50, 200])).unwrap();
    assert_eq!(check(&page), 4);
    for shown in [
        "0.3457",
        "0.8604",
        "184\u{202f}961",
        "55.1",
        "44.2",
        "the CPU",
        "5 of 5",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(page.contains("hidden_size = 64"), "{page}");
}

/// What a test of classes may find.
fn scores(classes: usize) -> Scores {
    let name = |class: usize| match class {
        0 => NAME.to_owned(),
        _ => format!("class {class}"),
    };
    let means = ClassMeans {
        precision: 0.75,
        recall: 0.5,
        f1: 0.6125,
    };
    Scores::Classes(ClassScores {
        largest_class_share: Some(0.625),
        macro_mean: means,
        weighted_mean: means,
        classes: (0..classes)
            .map(|class| ClassScore {
                label: name(class),
                precision: 0.5,
                recall: 0.25,
                f1: 0.3333,
                support: 4,
                answered: 8,
            })
            .collect(),
        confusion: Confusion {
            matrix: (classes <= 100).then(|| vec![vec![1; classes]; classes]),
            most_frequent: vec![Confused {
                label: name(0),
                answer: name(1),
                count: 3,
            }],
        },
        roc: (classes == 2).then(|| Roc {
            area: 0.8765,
            points: vec![(0.0, 0.0), (0.25, 0.75), (1.0, 1.0)],
        }),
        calibration: Calibration {
            expected_error: 0.0432,
            bins: vec![Bin {
                from: 0.5,
                to: 0.6,
                count: 8,
                probability: 0.55,
                accuracy: 0.5,
            }],
        },
        worst_mistakes: vec![Mistake {
            example: 6,
            step: None,
            label: name(0),
            answer: name(1),
            probability: 0.9876,
            text: Some(format!("{NAME} \u{1b}[31m")),
        }],
    })
}

#[test]
fn a_runs_page_shows_what_the_test_found() {
    let mut section = section("lstm", Cell::Lstm, 2, &[]);
    section.scores = Some(scores(2));
    let page = run_page(&section).unwrap();
    assert_eq!(check(&page), 4);
    for shown in [
        "0.8765",
        "0.0432",
        "0.6125",
        "62.5",
        "0.9876",
        "class \\ answer",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(!page.contains('\u{1b}'), "{page}");
    assert!(page.contains(">0.25</text>"), "{page}");

    section.scores = Some(scores(500));
    let page = run_page(&section).unwrap();
    assert_eq!(check(&page), 3);
    assert!(page.contains("Of 500 classes the 30"), "{page}");
    assert!(page.contains("most frequent confusions"), "{page}");
}

#[test]
fn one_epoch_without_reach_makes_a_page() {
    let page = run_page(&section("lstm", Cell::Lstm, 1, &[])).unwrap();
    assert_eq!(check(&page), 2);
    assert!(page.contains("<circle"), "one epoch is a marker");
    assert!(!page.contains("How far back"), "{page}");
}

#[test]
fn names_are_escaped() {
    let mut rows = [task(NAME, 50, true)];
    rows[0].task = NAME.into();
    let sections = [section(NAME, Cell::Lstm, 2, &[50])];
    for page in [
        run_page(&sections[0]).unwrap(),
        comparison_page(&sections, &rows).unwrap(),
    ] {
        check(&page);
        assert!(page.contains("&lt;b&gt;&amp;&quot;&#x27;$a$"), "{page}");
    }
}

#[test]
fn a_comparison_has_a_row_a_network_and_a_plot_a_length() {
    let sections = [
        section("rnn", Cell::Rnn, 3, &[50, 200]),
        section("lstm", Cell::Lstm, 3, &[50, 200]),
        section("gru", Cell::Gru, 3, &[50, 200]),
    ];
    let tasks = [
        task("rnn", 50, true),
        task("rnn", 200, false),
        task("lstm", 200, true),
    ];
    let page = comparison_page(&sections, &tasks).unwrap();
    assert_eq!(check(&page), 4);
    assert!(page.contains("only the recurrent cell differs"), "{page}");
    assert_eq!(
        page.matches("rnn, before training").count(),
        1 + 1,
        "one legend, one table"
    );
    assert!(page.contains("✗ failed, 0.1010") && page.contains("✓ solved, 0.9980"));
    assert!(page.contains("<td>–</td>"), "the LSTM was not tried at 50");
    // 0.9 to the 44th is the first power below a hundredth.
    assert!(page.contains("<td>44</td>"), "{page}");
}

#[test]
fn a_comparison_without_tasks_has_no_such_part() {
    let mut sections = [
        section("first", Cell::Lstm, 1, &[]),
        section("second", Cell::Lstm, 1, &[]),
    ];
    sections[1].config.model.hidden_size = 7;
    let page = comparison_page(&sections, &[]).unwrap();
    assert_eq!(check(&page), 2);
    assert!(!page.contains("Memory tasks"));
    assert!(page.contains("differ in more than their cells"));
    assert_eq!(colors(&sections), ["var(--line-2)", "var(--line-1)"]);
}

#[test]
fn gradients_that_are_zero_or_no_number_are_left_out() {
    let mut section = section("rnn", Cell::Rnn, 1, &[3]);
    section.reach[0].norms = vec![0.0, f64::NAN, 1e-40];
    section.reach[1].norms = vec![0.0, 1e-5, 1.0];
    let page = comparison_page(&[section.clone()], &[]).unwrap();
    assert_eq!(check(&page), 3);
    assert!(page.contains("no gradient"), "{page}");
    section.reach[1].norms = vec![f64::INFINITY; 3];
    let page = comparison_page(&[section], &[]).unwrap();
    assert_eq!(check(&page), 2);
    assert!(page.contains("There is nothing to plot"), "{page}");
}

#[test]
fn numbers_as_answers_have_a_loss_and_no_accuracy() {
    let mut section = section("lstm", Cell::Lstm, 2, &[]);
    section.config.training.objective = Some(gatefold_training::Objective::Values);
    section.summary.test_accuracy = None;
    for epoch in &mut section.epochs {
        (epoch.train_accuracy, epoch.validation_accuracy) = (None, None);
    }
    for page in [
        run_page(&section).unwrap(),
        comparison_page(std::slice::from_ref(&section), &[]).unwrap(),
    ] {
        assert_eq!(check(&page), 1);
        assert!(page.contains("Mean squared error"), "{page}");
        assert!(!page.contains("ccuracy by epoch"), "{page}");
    }
}
