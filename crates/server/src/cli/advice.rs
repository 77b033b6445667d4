//! What to do about what is refused, once for each rule.

use entryway::Rule;

/// The rules that something was refused for, in the order in which they were met.
#[derive(Default)]
pub(super) struct Advice {
    rules: Vec<Rule>,
}

impl Advice {
    pub(super) fn note(&mut self, rule: Rule) {
        if !self.rules.contains(&rule) {
            self.rules.push(rule);
        }
    }

    /// A line for each rule: its label, and what to do.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.rules.iter().map(|rule| format!("{}: {}", rule.label(), rule.advice()))
    }
}
