//! Line plots as SVG: enough for a report that needs no script, no network and no library.

use std::fmt::{self, Write as _};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;

pub(crate) struct Plot<'a> {
    pub(crate) title: &'a str,
    /// What the vertical axis counts.
    pub(crate) unit: &'a str,
    /// Where to write what on the horizontal axis; empty: round numbers.
    pub(crate) marks: Vec<(f64, String)>,
    pub(crate) lines: Vec<Line<'a>>,
}

pub(crate) struct Line<'a> {
    pub(crate) name: &'a str,
    /// Without a point where there is nothing: the line is interrupted where x jumps by more than `gap`.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Plot<'_> {
    /// A figure with its legend; `None` if there is nothing to draw.
    pub(crate) fn render(&self) -> Option<String> {
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let x_end = all().map(|point| point.0).fold(f64::MIN, f64::max);
        let x_begin = all().map(|point| point.0).fold(f64::MAX, f64::min);
        let top = all().map(|point| point.1).fold(0.0, f64::max);
        if x_begin > x_end {
            return None;
        }
        let step = round_step(top.max(1e-3) / 4.0);
        let top = (top / step).ceil().max(1.0) * step;
        let frame = Frame {
            x: (
                x_begin,
                if x_end > x_begin {
                    x_end
                } else {
                    x_begin + 1.0
                },
            ),
            top,
        };
        let mut out = String::new();
        self.write(&frame, step, &mut out)
            .expect("a String takes whatever is written");
        Some(out)
    }

    fn write(&self, frame: &Frame, step: f64, out: &mut String) -> fmt::Result {
        write!(
            out,
            "<figure><figcaption><b>{}</b> <span>{}</span>",
            escape(self.title),
            escape(self.unit)
        )?;
        for (index, line) in self.lines.iter().enumerate() {
            write!(
                out,
                " <span class=\"key\"><i class=\"l{index}\"></i>{}</span>",
                escape(line.name)
            )?;
        }
        let title = escape(self.title);
        write!(
            out,
            "</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">"
        )?;
        let lines = (frame.top / step).round() as u32;
        for value in (0..=lines).map(|index| f64::from(index) * step) {
            let y = frame.y(value);
            write!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{}\"/>",
                WIDTH - RIGHT
            )?;
            write!(
                out,
                "<text class=\"y\" x=\"{}\" y=\"{:.1}\">{}</text>",
                LEFT - 6.0,
                y + 4.0,
                short(value)
            )?;
        }
        let marks = if self.marks.is_empty() {
            frame.round_marks()
        } else {
            self.marks.clone()
        };
        for (x, text) in marks
            .iter()
            .filter(|(x, _)| (frame.x.0..=frame.x.1).contains(x))
        {
            write!(
                out,
                "<text class=\"x\" x=\"{:.1}\" y=\"{}\">{}</text>",
                frame.x(*x),
                HEIGHT - 6.0,
                escape(text)
            )?;
        }
        for (index, line) in self.lines.iter().enumerate() {
            line.write(frame, index, out)?;
        }
        write!(out, "</svg></figure>")
    }
}

impl Line<'_> {
    fn write(&self, frame: &Frame, index: usize, out: &mut String) -> fmt::Result {
        if let [(x, y)] = self.points[..] {
            return write!(
                out,
                "<circle class=\"l{index}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>",
                frame.x(x),
                frame.y(y)
            );
        }
        write!(out, "<path class=\"l{index}\" d=\"")?;
        for (place, (x, y)) in self.points.iter().enumerate() {
            let command = if place == 0 { 'M' } else { 'L' };
            write!(out, "{command}{:.1} {:.1}", frame.x(*x), frame.y(*y))?;
        }
        write!(out, "\"/>")
    }
}

/// From values to places in the picture.
struct Frame {
    x: (f64, f64),
    top: f64,
}

impl Frame {
    fn x(&self, value: f64) -> f64 {
        LEFT + (value - self.x.0) / (self.x.1 - self.x.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM)
    }

    fn round_marks(&self) -> Vec<(f64, String)> {
        let step = round_step((self.x.1 - self.x.0) / 6.0);
        let first = (self.x.0 / step).ceil() as i64;
        let last = (self.x.1 / step).floor() as i64;
        (first..=last)
            .map(|index| index as f64 * step)
            .map(|value| (value, short(value)))
            .collect()
    }
}

/// 1, 2 or 5 times a power of ten, at least as large.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= least * 0.999)
        .unwrap_or(power)
}

fn short(value: f64) -> String {
    let text = match value.abs() {
        large if large >= 1e6 => format!("{:.1}M", value / 1e6),
        large if large >= 1e4 => format!("{:.0}k", value / 1e3),
        _ => format!("{value:.3}"),
    };
    if text.contains('.') && !text.ends_with('M') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_numbers() {
        for (least, step) in [
            (0.3, 0.5),
            (1.0, 1.0),
            (23.0, 50.0),
            (700.0, 1_000.0),
            (0.0012, 0.002),
        ] {
            assert!((round_step(least) - step).abs() < step * 1e-9, "{least}");
        }
        assert_eq!(
            [short(0.0), short(0.25), short(20_000.0), short(1_500_000.0)],
            ["0", "0.25", "20k", "1.5M"]
        );
    }

    #[test]
    fn everything_lies_within_the_picture() {
        let points = vec![(0.0, 0.0), (10.0, 123.4)];
        let plot = Plot {
            title: "<t>",
            unit: "ms",
            marks: Vec::new(),
            lines: vec![Line {
                name: "a&b",
                points,
            }],
        };
        let svg = plot.render().unwrap();
        assert!(svg.contains("&lt;t&gt;") && svg.contains("a&amp;b"));
        assert!(svg.contains("M56.0 214.0L620.0 "), "{svg}");
        assert!(
            Plot {
                lines: Vec::new(),
                ..plot
            }
            .render()
            .is_none()
        );
    }
}
