//! LaTeX as MathML, which browsers draw without scripts.

use pulldown_latex::config::DisplayMode;
use pulldown_latex::{Parser, ParserError, RenderConfig, Storage, push_mathml};

/// MathML that can stand in Markdown, on one line.
///
/// # Errors
/// What is wrong with the LaTeX.
pub fn mathml(latex: &str, display: bool) -> Result<String, String> {
    let storage = Storage::new();
    let events = Parser::new(latex, &storage)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("the equation is no LaTeX: {error}"))?;
    let config = RenderConfig {
        display_mode: if display {
            DisplayMode::Block
        } else {
            DisplayMode::Inline
        },
        ..RenderConfig::default()
    };
    let mut mathml = String::new();
    push_mathml(
        &mut mathml,
        events.into_iter().map(Ok::<_, Box<ParserError>>),
        config,
    )
    .map_err(|error| format!("the equation can't be drawn: {error}"))?;
    // Two slips of pulldown-latex 0.8: a space escaped twice, and none between two attributes.
    let mathml = mathml
        .replace("&amp;nbsp;", "\u{a0}")
        .replace("\"minsize", "\" minsize");
    Ok(escape(&mathml))
}

/// Hides from Markdown what it would take for its own between the tags.
fn escape(mathml: &str) -> String {
    let mut escaped = String::new();
    let mut in_tag = false;
    for letter in mathml.chars() {
        match letter {
            '\n' => escaped.push(' '),
            '\\' | '*' | '_' | '`' | '[' | ']' | '~' | '|' | '\'' | '"' | '$' if !in_tag => {
                escaped.push_str(&format!("&#{};", u32::from(letter)));
            }
            _ => {
                in_tag = letter == '<' || (in_tag && letter != '>');
                escaped.push(letter);
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_equation_is_one_line_of_mathml_that_markdown_leaves_alone() {
        let equation = mathml("[a_t]\n* \\tanh|b|", true).unwrap();
        assert!(
            equation.starts_with("<math display=\"block\""),
            "{equation}"
        );
        assert!(equation.contains("<msub>"), "{equation}");
        let text: Vec<&str> = equation
            .split('<')
            .filter_map(|part| part.split_once('>'))
            .map(|(_, text)| text)
            .collect();
        assert!(
            !text.concat().contains(['*', '_', '[', '|', '\n']),
            "{equation}"
        );
    }

    #[test]
    fn spaces_and_large_brackets_are_drawn() {
        let equation = mathml("\\bigl(a,\\ b\\bigr)", false).unwrap();
        assert!(equation.contains("<mtext>\u{a0}</mtext>"), "{equation}");
        assert!(equation.contains("\" minsize="), "{equation}");
        assert!(!equation.contains("amp;"), "{equation}");
    }

    #[test]
    fn what_is_no_latex_is_an_error() {
        for latex in ["\\nosuchcommand", "\\frac{1}", "{a"] {
            assert!(
                mathml(latex, false).unwrap_err().contains("no LaTeX"),
                "{latex}"
            );
        }
    }
}
