//! The memory tasks as tables, network by length.

use itertools::Itertools;

use super::TaskRow;
use super::page::Table;
use crate::memory_tasks::{ACCURACY, SOLVED_ACCURACY, SOLVED_ERROR};

/// A table for each task, in the order of their first rows.
pub(super) fn tables(rows: &[TaskRow]) -> Vec<Table> {
    let tasks = rows.iter().map(|row| &row.task).unique();
    tasks
        .map(|task| table(rows.iter().filter(|row| row.task == *task).collect()))
        .collect()
}

/// The table of one task, of which there is a row.
fn table(of_task: Vec<&TaskRow>) -> Table {
    let lengths = of_task.iter().map(|row| row.length).sorted().dedup();
    let lengths: Vec<usize> = lengths.collect();
    let cells = of_task.iter().map(|row| &row.cell).unique();
    let mut rows: Vec<Vec<String>> = cells
        .map(|cell| {
            let scores = lengths.iter().map(|&length| {
                of_task
                    .iter()
                    .find(|row| row.cell == *cell && row.length == length)
                    .map_or("–".into(), |row| verdict(row))
            });
            std::iter::once(cell.clone()).chain(scores).collect()
        })
        .collect();
    let chance = lengths.iter().map(|&length| {
        let row = of_task.iter().find(|row| row.length == length);
        row.map_or(String::new(), |row| format!("{:.4}", row.chance))
    });
    rows.push(
        std::iter::once("without memory".into())
            .chain(chance)
            .collect(),
    );
    let mut header = vec!["network".to_string()];
    header.extend(lengths.iter().map(|length| format!("{length} timesteps")));
    Table {
        caption: format!(
            "{}, {}; solved is {}",
            of_task[0].task,
            of_task[0].unit,
            match of_task[0].unit == ACCURACY {
                true => format!("above {SOLVED_ACCURACY}"),
                false => format!("below {SOLVED_ERROR}"),
            }
        ),
        header,
        rows,
    }
}

fn verdict(row: &TaskRow) -> String {
    if row.score.is_nan() {
        return "✗ diverged".into();
    }
    let verdict = if row.solved {
        "✓ solved"
    } else {
        "✗ failed"
    };
    format!("{verdict}, {:.4}", row.score)
}
