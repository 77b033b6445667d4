//! Figures as text: for a terminal, as Markdown, as TSV.

use std::fmt::Write;

/// What came of one system in one case.
#[derive(Clone, Debug)]
pub struct Figure {
    pub system: String,
    pub median: f64,
    pub least: f64,
    pub most: f64,
    pub cpu: Option<f64>,
    pub rounds: usize,
}

impl Figure {
    fn bounds(&self, unit: Unit) -> (f64, f64) {
        let (least, most) = (unit.of(self.least), unit.of(self.most));
        if unit.is_rate() { (most, least) } else { (least, most) }
    }
}

/// The unit in which a case is told; figures of time are kept in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Micros,
    Nanos,
    /// Of so many bytes, by the time they took.
    MegabytesPerSecond(u64),
    Bytes,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Micros => "us",
            Self::Nanos => "ns",
            Self::MegabytesPerSecond(_) => "MB/s",
            Self::Bytes => "B",
        }
    }

    /// Whether more is better, so that the least time is the most of it.
    fn is_rate(self) -> bool {
        matches!(self, Self::MegabytesPerSecond(_))
    }

    fn of(self, kept: f64) -> f64 {
        match self {
            Self::Micros => kept / 1e3,
            Self::Nanos | Self::Bytes => kept,
            Self::MegabytesPerSecond(len) => len as f64 * 1e3 / kept,
        }
    }
}

/// One case of a benchmark: what each system took for the same.
#[derive(Clone, Debug)]
pub struct Case {
    pub bench: &'static str,
    pub case: String,
    /// What is measured, in words.
    pub title: String,
    pub unit: Unit,
    /// The system that the others are compared with.
    pub scale: &'static str,
    pub figures: Vec<Figure>,
}

impl Case {
    /// The figure of a system.
    pub fn of(&self, system: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.system == system)
    }

    /// The case as a table.
    pub fn table(&self, is_markdown: bool) -> String {
        let unit = self.unit;
        let is_time = unit != Unit::Bytes;
        let (median, ratio) = (format!("median, {}", unit.name()), format!("to {}", self.scale));
        let head = if is_time {
            vec!["system", &median, "least", "most", "CPU", &ratio, "rounds"]
        } else {
            vec!["system", "held, B", "at most, B", &ratio]
        };
        let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
        let scale = self.of(self.scale).map(|figure| figure.median);
        for figure in &self.figures {
            let ratio = match scale {
                Some(scale) if scale > 0.0 => {
                    format!("{:.2}", unit.of(figure.median) / unit.of(scale))
                }
                _ => String::new(),
            };
            let mut row = vec![figure.system.clone(), short(unit.of(figure.median))];
            let (least, most) = figure.bounds(unit);
            if is_time {
                row.push(short(least));
                row.push(short(most));
                row.push(figure.cpu.map_or(String::new(), |cpu| short(unit.of(cpu))));
                row.push(ratio);
                row.push(figure.rounds.to_string());
            } else {
                row.push(short(most));
                row.push(ratio);
            }
            rows.push(row);
        }
        let mut text = String::new();
        let title = &self.title;
        let _ =
            if is_markdown { write!(text, "\n{title}:\n\n") } else { write!(text, "\n{title}\n") };
        text.push_str(&lay_out(&rows, is_markdown));
        text
    }

    /// The case as rows of the TSV.
    pub fn tsv(&self) -> String {
        let mut text = String::new();
        for figure in &self.figures {
            let Figure { system, median, cpu, rounds, .. } = figure;
            let (least, most) = figure.bounds(self.unit);
            let unit = self.unit.name();
            let mut row = |value: f64, suffix: &str| {
                let (bench, case) = (self.bench, &self.case);
                let _ = writeln!(
                    text,
                    "{bench}\t{system}\t{case}\t{value:.3}\t{unit}{suffix}\t{rounds}"
                );
            };
            row(self.unit.of(*median), "");
            row(least, " least");
            row(most, " most");
            if let Some(cpu) = cpu {
                row(self.unit.of(*cpu), " cpu");
            }
        }
        text
    }
}

/// The head of the TSV.
pub const TSV_HEAD: &str = "bench\tsystem\tcase\tvalue\tunit\trounds\n";

/// Three figures that count, as a person would write them.
fn short(value: f64) -> String {
    let decimals = match value.abs() {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        value if value >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = match text.split_once('.') {
        Some((whole, rest)) => (whole, format!(".{rest}")),
        None => (&*text, String::new()),
    };
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + &rest
}

fn lay_out(rows: &[Vec<String>], is_markdown: bool) -> String {
    let mut text = String::new();
    if is_markdown {
        for (index, row) in rows.iter().enumerate() {
            let _ = writeln!(text, "| {} |", row.join(" | "));
            if index == 0 {
                let _ = writeln!(text, "|{}", "---|".repeat(row.len()));
            }
        }
        return text;
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    for row in rows {
        text.push(' ');
        for (column, cell) in row.iter().enumerate() {
            let width = width(column);
            let _ = if column == 0 {
                write!(text, " {cell:<width$}")
            } else {
                write!(text, "  {cell:>width$}")
            };
        }
        text.push('\n');
    }
    text
}
