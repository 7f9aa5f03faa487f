//! The plot: calls beside each other as bars, growth as lines, in one SVG.

use crate::figures::{Case, Group, Spread};
use std::fmt::Write;

const WIDTH: f64 = 900.0;
/// Where the bars start, after their names.
const LEFT: f64 = 330.0;
const BAR: f64 = 22.0;
const CHART: (f64, f64) = (225.0, 110.0);

pub fn draw(beside: &Group, growth: &[Group]) -> String {
    let mut body = String::new();
    let below = bars(&mut body, beside);
    let rows = growth.len().div_ceil(3);
    for (number, group) in growth.iter().enumerate() {
        let (column, row) = ((number % 3) as f64, (number / 3) as f64);
        chart(&mut body, group, 40.0 + column * 290.0, below + 55.0 + row * (CHART.1 + 75.0));
    }
    let height = below + 55.0 + rows as f64 * (CHART.1 + 75.0);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

fn text(body: &mut String, x: f64, y: f64, anchor: &str, said: &str) {
    let said = said.replace('&', "&amp;").replace('<', "&lt;");
    writeln!(body, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{said}</text>").unwrap();
}

fn line(body: &mut String, from: (f64, f64), to: (f64, f64), colour: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let place = format!("x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"");
    writeln!(body, "<line {place} stroke=\"{colour}\"/>").unwrap();
}

/// A bar to the median, a line from the 10th to the 90th percentile; returns where it ends below.
fn bars(body: &mut String, group: &Group) -> f64 {
    text(body, 15.0, 22.0, "start", "Whole calls of /bin/true, ms: median, with the 10th and 90th percentile");
    let spreads: Vec<Spread> = group.cases.iter().map(|case| Spread::of(&case.ms)).collect();
    let longest = spreads.iter().map(|spread| spread.high).fold(1.0, f64::max);
    let scale = |ms: f64| LEFT + ms / longest * (WIDTH - LEFT - 70.0);
    let mut y = 38.0;
    for (case, spread) in group.cases.iter().zip(&spreads) {
        let colour = if case.name.starts_with("glexec") { "#2b6cb0" } else { "#b0b7c0" };
        text(body, LEFT - 8.0, y + 14.0, "end", &case.name);
        let (x, width, height) = (LEFT, scale(spread.median) - LEFT, BAR - 6.0);
        writeln!(body, "<rect x=\"{x}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{colour}\"/>")
            .unwrap();
        let middle = y + height / 2.0;
        line(body, (scale(spread.low), middle), (scale(spread.high), middle), "black");
        text(body, scale(spread.high) + 6.0, y + 13.0, "start", &format!("{:.2}", spread.median));
        y += BAR;
    }
    y
}

/// The ratio of each case to the first one.
fn chart(body: &mut String, group: &Group, left: f64, top: f64) {
    let Some(first) = group.cases.first() else { return };
    let ratios: Vec<Spread> = group.cases.iter().map(|case| ratio(case, first)).collect();
    let highest = ratios.iter().map(|ratio| ratio.high).fold(1.5, f64::max);
    let (width, height) = CHART;
    let x = |number: usize| left + 20.0 + number as f64 * (width - 20.0) / (ratios.len().max(2) - 1) as f64;
    let y = |ratio: f64| top + height * (1.0 - ratio / highest);
    let (name, more) = group.name.split_once([':', ',', '(']).unwrap_or((&group.name, ""));
    text(body, left, top - 22.0, "start", name.trim());
    text(body, left, top - 8.0, "start", more.trim().trim_end_matches(')'));
    for mark in [0.0, 1.0, highest] {
        line(body, (left, y(mark)), (left + width, y(mark)), "#d5d9de");
        text(body, left - 4.0, y(mark) + 4.0, "end", &format!("{mark:.1}"));
    }
    for (number, (case, ratio)) in group.cases.iter().zip(&ratios).enumerate() {
        line(body, (x(number), y(ratio.low)), (x(number), y(ratio.high)), "#2b6cb0");
        text(body, x(number), top + height + 15.0, "middle", &case.name);
        if let Some(next) = ratios.get(number + 1) {
            line(body, (x(number), y(ratio.median)), (x(number + 1), y(next.median)), "#2b6cb0");
        }
    }
}

fn ratio(case: &Case, first: &Case) -> Spread {
    if case.name == first.name { Spread { low: 1.0, median: 1.0, high: 1.0 } } else { case.ratio(first) }
}
