//! How large rules may be.

use crate::pattern;

/// How large the rules of a webhook may be; the default is what the documentation states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many rules a webhook has.
    pub rules: usize,
    /// How many entries a list of event types has.
    pub types: usize,
    /// How many entries a list of companies or projects has.
    pub ids: usize,
    /// How many tests the patterns of all rules make of an event.
    pub tests: usize,
    /// How large a pattern is.
    pub pattern: pattern::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rules: 20, types: 200, ids: 1000, tests: 2000, pattern: pattern::Limits::default() }
    }
}

impl Limits {
    /// The highest that an operator can set. What was saved within them is read within these.
    pub const HIGHEST: Self = Self {
        rules: 200,
        types: 10_000,
        ids: 100_000,
        tests: usize::MAX,
        pattern: pattern::Limits::HIGHEST,
    };
}
