//! Plots as SVG: what a page shows of figures with intervals. Colours are the page's own, by class, so that one drawing
//! serves light and dark.

use std::fmt::Write as _;

/// One line of a plot.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) low: f64,
    pub(crate) middle: f64,
    pub(crate) high: f64,
    /// What is written beside it.
    pub(crate) value: String,
}

/// As narrow as a phone, so that letters can be read on it. A label has a line of its own over what is drawn for it.
const WIDTH: f64 = 360.0;
/// Room before the axis, for half of its first number, and for values behind it.
const LEFT: f64 = 26.0;
const RIGHT: f64 = 116.0;
/// And for the number at a tick.
const TICK: f64 = 50.0;
const STEP: f64 = 36.0;
/// How far what is drawn is below the letters of its label.
const BELOW: f64 = 14.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 26.0;

/// Positive values on a logarithmic axis, each with its interval. What is not positive has no place on one and is left
/// out. Nothing at all gives nothing. `name` is for whoever has the page read to them.
pub(crate) fn intervals(name: &str, lines: &[Line], tick: impl Fn(f64) -> String) -> String {
    let lines: Vec<&Line> = lines.iter().filter(|line| line.low > 0.0 && line.high.is_finite()).collect();
    let (least, most) = lines
        .iter()
        .fold((f64::MAX, 0.0f64), |(least, most), line| (least.min(line.low), most.max(line.high)));
    if lines.is_empty() {
        return String::new();
    }
    let decades = (least.log10().floor(), most.log10().ceil().max(least.log10().floor() + 1.0));
    let x =
        |value: f64| LEFT + (value.log10() - decades.0) / (decades.1 - decades.0) * (WIDTH - LEFT - RIGHT);
    let height = TOP + STEP * lines.len() as f64 + BOTTOM;
    let mut svg = open(name, height);
    let mut exponent = decades.0;
    // No more ticks than have room for their numbers.
    let most_ticks = ((WIDTH - LEFT - RIGHT) / TICK).floor();
    let stride = ((decades.1 - decades.0) / most_ticks).ceil().max(1.0);
    while exponent <= decades.1 {
        grid(&mut svg, x(10f64.powf(exponent)), height, &tick(10f64.powf(exponent)));
        exponent += stride;
    }
    for (index, line) in lines.iter().enumerate() {
        let y = middle_of(index);
        label(&mut svg, line, y);
        let (low, middle, high) = (x(line.low), x(line.middle), x(line.high));
        let _ = write!(
            svg,
            r#"<line class="mark" x1="{low:.1}" x2="{high:.1}" y1="{y:.1}" y2="{y:.1}"/><circle class="dot" cx="{middle:.1}" cy="{y:.1}" r="4"/>"#
        );
    }
    svg + "</svg>"
}

/// A tornado: for each input a bar from the result at its lowest to that at its highest, around the middle one.
pub(crate) fn tornado(name: &str, lines: &[Line], tick: impl Fn(f64) -> String) -> String {
    let Some(first) = lines.first() else { return String::new() };
    let least = lines.iter().map(|line| line.low.min(line.middle)).fold(first.middle, f64::min);
    let most = lines.iter().map(|line| line.high.max(line.middle)).fold(first.middle, f64::max);
    let span = if most > least { most - least } else { 1.0 };
    let x = |value: f64| LEFT + (value - least) / span * (WIDTH - LEFT - RIGHT);
    let height = TOP + STEP * lines.len() as f64 + BOTTOM;
    let mut svg = open(name, height);
    for value in [least, most] {
        grid(&mut svg, x(value), height, &tick(value));
    }
    let middle = x(first.middle);
    let roomy = middle - x(least) > TICK && x(most) - middle > TICK;
    grid(&mut svg, middle, height, &if roomy { tick(first.middle) } else { String::new() });
    for (index, line) in lines.iter().enumerate() {
        let y = middle_of(index);
        label(&mut svg, line, y);
        let (low, high) = (x(line.low), x(line.high));
        let width = (high - low).abs().max(1.0);
        let _ = write!(
            svg,
            r#"<rect class="bar" x="{:.1}" y="{:.1}" width="{width:.1}" height="12"/>"#,
            low.min(high),
            y - 6.0
        );
    }
    svg + "</svg>"
}

/// Where what is drawn of a line is, below the letters of its label.
fn middle_of(line: usize) -> f64 {
    TOP + STEP * line as f64 + BELOW + 8.0
}

fn open(name: &str, height: f64) -> String {
    let name = escaped(name);
    format!(
        r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{name}" xmlns="http://www.w3.org/2000/svg">"#
    )
}

fn grid(svg: &mut String, x: f64, height: f64, text: &str) {
    let _ = write!(
        svg,
        r#"<line class="grid" x1="{x:.1}" x2="{x:.1}" y1="{TOP}" y2="{:.1}"/><text class="tick" x="{x:.1}" y="{:.1}">{}</text>"#,
        height - BOTTOM,
        height - 8.0,
        escaped(text)
    );
}

fn label(svg: &mut String, line: &Line, y: f64) {
    let _ = write!(
        svg,
        r#"<text class="label" x="{:.1}" y="{:.1}">{}</text><text class="value" x="{:.1}" y="{:.1}">{}</text>"#,
        0.0,
        y - BELOW + 4.0,
        escaped(&line.label),
        WIDTH - RIGHT + 10.0,
        y + 4.0,
        escaped(&line.value)
    );
}

/// Text as HTML and SVG take it.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(label: &str, low: f64, middle: f64, high: f64) -> Line {
        Line { label: label.to_owned(), low, middle, high, value: String::new() }
    }

    #[test]
    fn what_has_no_place_on_a_logarithmic_axis_is_left_out() {
        let svg =
            intervals("x", &[line("a<b", 1.0, 2.0, 3.0), line("zero", 0.0, 1.0, 2.0)], |v| v.to_string());
        assert!(svg.contains("a&lt;b") && !svg.contains("zero") && !svg.contains("NaN"));
        assert_eq!(svg.matches("<circle").count(), 1);
        assert_eq!(intervals("x", &[line("x", -1.0, 1.0, 1.0)], |v| v.to_string()), "");
    }

    #[test]
    fn greater_values_lie_further_right() {
        let svg = intervals("x", &[line("a", 1.0, 1.0, 1.0), line("b", 50.0, 50.0, 50.0)], |v| v.to_string());
        let at: Vec<f64> =
            svg.split("cx=\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse().ok()).collect();
        assert!(at.len() == 2 && at[0] < at[1], "{at:?}");
        assert!(!tornado("x", &[line("same", 1.0, 1.0, 1.0)], |v| v.to_string()).contains("NaN"));
    }

    /// Places of one attribute, in the order in which they are drawn.
    fn places(svg: &str, attribute: &str) -> Vec<f64> {
        let before = format!(" {attribute}=\"");
        let parts = svg.split(&before).skip(1);
        parts.filter_map(|rest| rest.split('"').next()?.parse().ok()).collect()
    }

    #[test]
    fn a_bar_of_a_tornado_goes_from_the_lower_end_to_the_higher_whichever_is_which() {
        let drawn = |low, high| {
            let svg =
                tornado("x", &[line("a", 0.0, 5.0, 10.0), line("b", low, 5.0, high)], |v| v.to_string());
            let bars: String = svg.split("<rect").skip(1).filter_map(|bar| bar.split("/>").next()).collect();
            (places(&bars, "x"), places(&bars, "width"))
        };
        let (at, width) = drawn(4.0, 7.5);
        let of_span = |part: f64| (WIDTH - LEFT - RIGHT) * part;
        let near = |one: f64, other: f64| (one - other).abs() < 0.1;
        assert!(near(at[0], LEFT) && near(width[0], of_span(1.0)), "{at:?} {width:?}");
        assert!(near(at[1], LEFT + of_span(0.4)) && near(width[1], of_span(0.35)), "{at:?} {width:?}");
        assert_eq!(drawn(7.5, 4.0), (at, width));
    }

    /// Letters are some six tenths as wide as they are high.
    #[test]
    fn a_label_as_long_as_any_row_has_room_on_its_line() {
        let longest = "zk_deferred/sigveil/baseline/sigveil";
        let svg = intervals("a \"plot\"", &[line(longest, 1.0, 2.0, 3.0)], |v| v.to_string());
        assert!(longest.len() as f64 * 12.0 * 0.62 < WIDTH);
        assert!(svg.contains(r#"<text class="label" x="0.0""#) && svg.contains("a &quot;plot&quot;"));
    }
}
