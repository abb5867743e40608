//! How a plot is drawn: text, lines and marks in a picture that is readable on light and dark pages, in
//! print, without colours and without a picture at all, through its description. It knows no figures.

use std::fmt::Write as _;

pub(super) const WIDTH: f64 = 760.0;

/// The looks of each contestant follow from its place in the list; ours is the first, the limit the second.
const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1f2328}.head{font-size:15px;font-weight:600}.note{fill:#59636e;font-size:12px}\
.paper{fill:#fff}.grid{stroke:#d1d9e0}.base{stroke:#59636e}.ours{font-weight:600;fill:#b3370f}\
.line{fill:none;stroke-width:1.5}.spread{stroke-width:1.5;opacity:.35}\
.c0{stroke:#d9480f;fill:#d9480f}.c1{stroke:#59636e;fill:#59636e}.c2{stroke:#0969da;fill:#0969da}\
.c3{stroke:#1a7f37;fill:#1a7f37}.c4{stroke:#8250df;fill:#8250df}.c5{stroke:#9a6700;fill:#9a6700}\
.line.c0{stroke-width:3}.line.c1{stroke-dasharray:5 4}.line{fill:none}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.note{fill:#9198a1}.paper{fill:#0d1117}.grid{stroke:#3d444d}\
.base{stroke:#9198a1}.ours{fill:#ff9d6f}.c0{stroke:#ff7b45;fill:#ff7b45}.c1{stroke:#9198a1;fill:#9198a1}\
.c2{stroke:#4493f8;fill:#4493f8}.c3{stroke:#3fb950;fill:#3fb950}.c4{stroke:#ab7df8;fill:#ab7df8}\
.c5{stroke:#d29922;fill:#d29922}.line{fill:none}}";

pub(super) struct Picture {
    title: String,
    description: String,
    height: f64,
    body: String,
}

/// Where a line of text is tied to its position.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Picture {
    /// An empty picture with its title above. The description says all that the picture shows.
    pub(super) fn new(title: &str, description: &str, height: f64) -> Self {
        let mut picture =
            Self { title: escape(title), description: escape(description), height, body: String::new() };
        picture.text((16.0, 26.0), Anchor::Start, "head", title);
        picture
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        self.add(&format!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" class="{class}">{text}</text>"#
        ));
    }

    pub(super) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) {
        self.add(&format!(r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" class="{class}"/>"#));
    }

    pub(super) fn bar(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), class: &str) {
        self.add(&format!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" class="{class}"/>"#
        ));
    }

    /// The line of a curve.
    pub(super) fn curve(&mut self, points: &[(f64, f64)], series: usize) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.add(&format!(r#"<polyline points="{}" class="line c{series}"/>"#, points.join(" ")));
    }

    /// Draws a contestant's mark; each has its own shape, so that the plot needs no colours.
    pub(super) fn mark(&mut self, (x, y): (f64, f64), series: usize) {
        let path = match series {
            0 => return self.add(&format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="6" class="c0"/>"#)),
            1 => "m-1 -7h2v14h-2z",
            2 => "m-4 -4h8v8h-8z",
            3 => "m0 -5l5 9h-10z",
            4 => "m0 -6l5 6l-5 6l-5 -6z",
            _ => "m-5 -4h10l-5 9z",
        };
        let class = series.min(5);
        self.add(&format!(r#"<path d="M{x:.1} {y:.1}{path}" class="c{class}"/>"#));
    }

    /// Draws the legend: the mark of each contestant.
    pub(super) fn legend(&mut self, names: &[&str], y: f64) {
        let mut x = 22.0;
        for (series, name) in names.iter().enumerate() {
            self.mark((x, y - 4.0), series);
            self.text((x + 11.0, y), Anchor::Start, if series == 0 { "ours" } else { "note" }, name);
            x += 34.0 + 7.2 * name.len() as f64;
        }
    }

    pub(super) fn finish(self) -> String {
        let Self { title, description, height, body } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" role=\"img\" aria-labelledby=\"title description\">\n\
             <title id=\"title\">{title}</title>\n<desc id=\"description\">{description}</desc>\n\
             <style>{STYLE}</style>\n<rect class=\"paper\" width=\"100%\" height=\"100%\" rx=\"6\"/>\n{body}</svg>\n"
        )
    }

    fn add(&mut self, element: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.body, "{element}");
    }
}

/// A scale on which equal quotients are equally far apart.
pub(super) struct LogScale {
    from: (f64, f64),
    to: (f64, f64),
}

impl LogScale {
    /// Maps the two values to the two positions.
    pub(super) const fn new(values: (f64, f64), positions: (f64, f64)) -> Self {
        Self { from: values, to: positions }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        let share = (value / self.from.0).ln() / (self.from.1 / self.from.0).ln();
        self.to.0 + share * (self.to.1 - self.to.0)
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
