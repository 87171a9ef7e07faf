//! A lab as a picture: horizontal bars of each switch's ratio to the standard, with the spread of its runs.

mod rows;
mod scale;

use svg::node::element::{Group, Line, Rectangle, Style, Text, Title};
use svg::{Document, Node};

use super::summary::Summary;
use super::table::figure;
use rows::{Bar, Panel, Row, panels};
use scale::Scale;

/// Pixels, from left to right: figures' names, bars, ratios.
const WIDTH: f64 = 1120.0;
const BARS_FROM: f64 = 450.0;
const BARS_TO: f64 = 1050.0;
const MARGIN: f64 = 20.0;
/// Pixels, from top to bottom.
const LINE: f64 = 16.0;
const BAR: f64 = 10.0;
const BAR_AND_GAP: f64 = 14.0;
const ROW_GAP: f64 = 10.0;
/// Of two lines of text.
const ROW: f64 = 2.0 * LINE;

/// Readable on light and dark pages, as the background is its own.
const STYLE: &str = "
text { font: 12px system-ui, 'DejaVu Sans', sans-serif; fill: #1f2328 }
.small { font-size: 11px; fill: #59636e }
.heading { font-size: 15px; font-weight: 600 }
.paper { fill: #ffffff }
.grid { stroke: #d1d9e0 }
.one { stroke: #1f2328; stroke-width: 1.5 }
.band { fill: #d1d9e0; fill-opacity: .7 }
.whisker { stroke: #1f2328 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .small { fill: #9198a1 }
  .paper { fill: #151b23 }
  .grid { stroke: #3d444d }
  .one, .whisker { stroke: #f0f6fc }
  .band { fill: #3d444d }
}
";

/// Colours that the colour-blind can tell apart (Okabe and Ito), and some more.
const COLOURS: [&str; 10] = [
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6bb1", "#7f7f7f",
    "#a6761d", "#66a61e",
];

/// The picture, as SVG.
pub(crate) fn draw(results: &[Summary]) -> String {
    let panels = panels(results);
    let peers = peers(&panels);
    let mut page = Page {
        group: Group::new(),
        y: MARGIN,
        peers,
    };
    page.y += LINE;
    let title = "Ratio to the standard of each figure";
    page.text(MARGIN, title, "heading", "start");
    page.y += LINE + 4.0;
    page.text(
        MARGIN,
        "Bar: median of the runs. Whiskers: the lowest and the highest run. Grey: those of the standard. The scale is logarithmic.",
        "small",
        "start",
    );
    page.legend();
    if panels.is_empty() {
        page.y += 2.0 * LINE;
        page.text(
            MARGIN,
            "Nothing was measured beside a standard.",
            "",
            "start",
        );
    }
    for panel in &panels {
        page.panel(panel);
    }
    let height = page.y + MARGIN;
    let paper = Rectangle::new()
        .set("class", "paper")
        .set("width", WIDTH)
        .set("height", height)
        .set("rx", 6);
    let document = Document::new()
        .set("viewBox", (0, 0, WIDTH, height))
        .set("width", WIDTH)
        .set("height", height)
        .set("role", "img")
        .add(Style::new(STYLE))
        .add(paper)
        .add(page.group);
    format!("{document}\n")
}

/// All that have a bar, in the order of the first one.
fn peers(panels: &[Panel]) -> Vec<String> {
    let mut peers = Vec::new();
    let rows = panels.iter().flat_map(|panel| &panel.rows);
    for bar in rows.flat_map(|row| &row.bars) {
        if !peers.contains(&bar.peer) {
            peers.push(bar.peer.clone());
        }
    }
    peers
}

/// What is drawn so far, from the top.
struct Page {
    group: Group,
    /// The base line of the last text.
    y: f64,
    /// Each has the colour of its place.
    peers: Vec<String>,
}

impl Page {
    fn add(&mut self, node: impl Into<Box<dyn Node>>) {
        self.group.append(node);
    }

    fn text(&mut self, x: f64, content: &str, class: &str, anchor: &str) {
        let text = Text::new(content)
            .set("x", x)
            .set("y", self.y)
            .set("class", class)
            .set("text-anchor", anchor);
        self.add(text);
    }

    fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let line = Line::new()
            .set("class", class)
            .set("x1", x1)
            .set("y1", y1)
            .set("x2", x2)
            .set("y2", y2);
        self.add(line);
    }

    fn colour(&self, peer: &str) -> &'static str {
        let place = self.peers.iter().position(|one| one == peer).unwrap_or(0);
        COLOURS[place % COLOURS.len()]
    }

    fn legend(&mut self) {
        const EACH: f64 = 150.0;
        let mut x = WIDTH;
        for peer in self.peers.clone() {
            if x + EACH > WIDTH {
                x = MARGIN;
                self.y += LINE + 6.0;
            }
            let sample = Rectangle::new()
                .set("fill", self.colour(&peer))
                .set("x", x)
                .set("y", self.y - BAR)
                .set("width", 2.0 * BAR)
                .set("height", BAR);
            self.add(sample);
            self.text(x + 2.5 * BAR, &peer, "", "start");
            x += EACH;
        }
    }

    fn panel(&mut self, panel: &Panel) {
        let scale = Scale::of(&panel.rows);
        self.y += 2.5 * LINE;
        self.text(MARGIN, panel.heading, "heading", "start");
        self.y += LINE + 4.0;
        self.marks(&scale);
        let top = self.y + 4.0;
        let heights = panel.rows.iter().map(height);
        let bottom = top + heights.sum::<f64>();
        for mark in scale.marks() {
            let x = x(&scale, mark);
            self.line("grid", (x, top), (x, bottom));
        }
        self.y = top;
        for row in &panel.rows {
            self.row(row, &scale);
        }
        // In front of the standard's band.
        let one = x(&scale, 1.0);
        self.line("one", (one, top), (one, bottom));
        self.y += LINE;
        self.marks(&scale);
    }

    fn marks(&mut self, scale: &Scale) {
        for mark in scale.marks() {
            self.text(x(scale, mark), &mark.to_string(), "small", "middle");
        }
    }

    /// Draws a row below what is there.
    fn row(&mut self, row: &Row, scale: &Scale) {
        let top = self.y + ROW_GAP / 2.0;
        let inner = height(row) - ROW_GAP;
        let label = top + (inner - ROW) / 2.0;
        self.y = label + 12.0;
        self.text(BARS_FROM - 12.0, &row.title, "", "end");
        self.y = label + 12.0 + LINE - 2.0;
        self.text(BARS_FROM - 12.0, &row.standard, "small", "end");
        let (from, to) = (x(scale, row.band.0), x(scale, row.band.1));
        let band = Rectangle::new()
            .set("class", "band")
            .set("x", from)
            .set("y", top)
            .set("width", (to - from).max(1.0))
            .set("height", inner);
        self.add(band);
        let bars = BAR_AND_GAP * count(row);
        let mut y = top + (inner - bars) / 2.0 + (BAR_AND_GAP - BAR) / 2.0;
        for bar in &row.bars {
            self.bar(bar, scale, y);
            y += BAR_AND_GAP;
        }
        self.y = top + inner + ROW_GAP / 2.0;
    }

    /// From the line at 1.0 to the ratio, with its whiskers and its number.
    fn bar(&mut self, bar: &Bar, scale: &Scale, y: f64) {
        let (one, end) = (x(scale, 1.0), x(scale, bar.ratio));
        let shape = Rectangle::new()
            .set("fill", self.colour(&bar.peer))
            .set("x", one.min(end))
            .set("y", y)
            .set("width", (end - one).abs().max(1.0))
            .set("height", BAR)
            .add(Title::new(&*bar.told));
        self.add(shape);
        let middle = y + BAR / 2.0;
        let (from, to) = (x(scale, bar.whiskers.0), x(scale, bar.whiskers.1));
        self.line("whisker", (from, middle), (to, middle));
        for x in [from, to] {
            self.line("whisker", (x, middle - 3.0), (x, middle + 3.0));
        }
        self.y = y + BAR - 1.0;
        self.text(WIDTH - MARGIN, &figure(bar.ratio), "small", "end");
    }
}

fn x(scale: &Scale, ratio: f64) -> f64 {
    let place = BARS_FROM + (BARS_TO - BARS_FROM) * scale.place(ratio);
    // Tenths of a pixel.
    (place * 10.0).round() / 10.0
}

fn height(row: &Row) -> f64 {
    (BAR_AND_GAP * count(row)).max(ROW) + ROW_GAP
}

fn count(row: &Row) -> f64 {
    row.bars.iter().map(|_| 1.0).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::record::tests::sample;

    #[test]
    fn a_picture_has_bars_whiskers_and_a_line_at_one() {
        let picture = draw(&sample().results);
        assert!(picture.starts_with("<svg "), "{picture}");
        assert_eq!(picture.matches("class=\"one\"").count(), 3);
        assert_eq!(picture.matches("<title>").count(), 3);
        assert_eq!(picture.matches("class=\"whisker\"").count(), 9);
        assert!(picture.contains("TCP &amp; &lt;more&gt;"), "{picture}");
    }

    #[test]
    fn nothing_to_draw_is_said() {
        let picture = draw(&sample().results[..1]);
        assert!(picture.contains("Nothing was measured"), "{picture}");
    }
}
