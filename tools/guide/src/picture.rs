//! A plot of a report as a file of its own.

use anyhow::{Context, Result};

const LEGEND_ROW: f64 = 24.0;
const LEGEND_COLUMNS: usize = 2;

/// The plot under `title` in the HTML of a report, as an SVG that stands alone: with its legend below it
/// and the report's colours, for light and dark screens.
pub fn from_report(report: &str, title: &str) -> Result<String> {
    let caption = format!("<figcaption>{title}</figcaption>");
    let (head, rest) = report
        .split_once(&caption)
        .with_context(|| format!("the report has no plot {title:?}"))?;
    let figure = before(rest, "</figure>")?;
    let plot = between(figure, "<svg", "</svg>")?;
    let view_box = between(plot, "viewBox=\"", "\"")?;
    let numbers: Vec<f64> = view_box.split(' ').flat_map(str::parse).collect();
    let [_, _, width, height] = numbers[..] else {
        anyhow::bail!("the plot's viewBox is {view_box:?}, not four numbers");
    };
    let style = between(report, "<style>", "</style>")?;
    // The colours come first, then rules for the rest of the page.
    let colors = before(
        &style[style.find(":root").context("the style has no colours")?..],
        "\n* {",
    )?;

    // The figure's own legend, else the one above it that figures side by side share.
    let section = head.rsplit("<h2>").next().unwrap_or_default();
    let shared = section.rsplit_once("<ul class=\"legend\">");
    let legend = match (figure.contains("<li>"), shared) {
        (false, Some((_, shared))) => before(shared, "</ul>")?,
        _ => figure,
    };
    let entries: Vec<&str> = legend.split("<li>").skip(1).collect();
    let full_height = height + LEGEND_ROW * entries.len().div_ceil(LEGEND_COLUMNS) as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {full_height}\">\n<style>\n{colors}\n\
         svg {{ color: var(--text); font: 14px system-ui, sans-serif; }}\n</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"var(--panel)\"/>\n\
         <svg width=\"{width}\" height=\"{height}\"{plot}</svg>\n"
    );
    for (index, entry) in entries.into_iter().enumerate() {
        let sample = between(entry, "<line", "/>")?;
        let (_, after) = entry
            .split_once("</svg>")
            .context("an entry without a line")?;
        let name = before(after, "</li>")?.trim();
        let column = width / LEGEND_COLUMNS as f64 - 20.0;
        let x = 30.0 + (index % LEGEND_COLUMNS) as f64 * column;
        let y = height + LEGEND_ROW * (index / LEGEND_COLUMNS) as f64;
        svg += &format!(
            "<g transform=\"translate({x} {y})\"><line{sample}/>\
             <text x=\"42\" y=\"10\" fill=\"currentColor\">{name}</text></g>\n"
        );
    }
    Ok(svg + "</svg>\n")
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Result<&'a str> {
    let (_, rest) = text
        .split_once(start)
        .with_context(|| format!("the report has no {start:?}"))?;
    before(rest, end)
}

fn before<'a>(text: &'a str, end: &str) -> Result<&'a str> {
    let (found, _) = text
        .split_once(end)
        .with_context(|| format!("the report has no {end:?}"))?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r##"<style>
/* Colours. */
:root {
  --text: #111;
}
* { margin: 0; }
</style>
<figure><figcaption>Loss</figcaption><svg viewBox="0 0 9 9"><path/></svg></figure>
<figure>
<figcaption>Accuracy</figcaption>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 520 330"><circle/></svg>
<ul class="legend">
<li><svg width="34"><line x1="1" stroke="var(--line-1)" stroke-width="3" /></svg>rnn</li>
<li><svg width="34"><line x1="1" stroke="var(--line-2)" stroke-width="3" /></svg>lstm</li>
<li><svg width="34"><line x1="1" stroke="var(--line-3)" stroke-width="3" /></svg>gru</li>
</ul>
</figure>
"##;

    #[test]
    fn a_plot_keeps_its_legend_and_colours() {
        let svg = from_report(REPORT, "Accuracy").unwrap();
        assert!(svg.contains("viewBox=\"0 0 520 378\""), "{svg}");
        assert!(svg.contains(":root {\n  --text: #111;\n}"), "{svg}");
        assert!(
            svg.contains("<circle/>") && !svg.contains("<path/>"),
            "{svg}"
        );
        assert!(
            svg.contains("stroke=\"var(--line-3)\" stroke-width=\"3\" />"),
            "{svg}"
        );
        for name in ["rnn", "lstm", "gru"] {
            assert!(svg.contains(&format!(">{name}</text>")), "{svg}");
        }
        assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
    }

    #[test]
    fn a_legend_above_several_plots_is_each_ones() {
        let (_, legend) = REPORT.split_once("<ul").unwrap();
        let (legend, _) = legend.split_once("</ul>").unwrap();
        let report = REPORT.replace(
            "<figure><figcaption>Loss",
            &format!("<h2>Curves</h2>\n<ul{legend}</ul>\n<figure><figcaption>Loss"),
        );
        let svg = from_report(&report, "Loss").unwrap();
        assert_eq!(svg.matches("</text>").count(), 3, "{svg}");
        let alone = from_report(REPORT, "Loss").unwrap();
        assert_eq!(alone.matches("</text>").count(), 0, "{alone}");
    }

    #[test]
    fn a_plot_that_is_not_there_is_an_error() {
        let error = from_report(REPORT, "Time").unwrap_err().to_string();
        assert_eq!(error, "the report has no plot \"Time\"");
    }
}
