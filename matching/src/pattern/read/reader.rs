//! The state of reading a pattern, and its literals.

use crate::{
    pattern::{
        decimal::Decimal,
        limits::Limits,
        scan::{Kind, Scan},
        tree::Test,
    },
    problem::Problems,
};

/// What is known while a pattern is being read.
pub(super) struct Reader<'l> {
    pub(super) limits: &'l Limits,
    pub(super) problems: Problems,
    /// How many fields with values were read.
    pub(super) fields: usize,
}

impl<'l> Reader<'l> {
    pub(super) fn new(limits: &'l Limits) -> Self {
        Self { limits, problems: Problems::default(), fields: 0 }
    }

    /// A string, number, `true`, `false` or `null`.
    pub(super) fn literal(&mut self, scan: &mut Scan<'_>, pointer: &str) -> Option<Test> {
        match scan.kind() {
            Kind::Text => Some(Test::Text(scan.text().into())),
            Kind::Number => Some(Test::Number(Box::new(self.number(scan, pointer)?))),
            Kind::Bool(truth) => {
                scan.word();
                Some(Test::Bool(truth))
            }
            Kind::Null => {
                scan.word();
                Some(Test::Null)
            }
            Kind::Object | Kind::Array => {
                let message = "write a string, a number, true, false or null here";
                self.problems.add(pointer, "wrong_type", scan.skip(), message);
                None
            }
        }
    }

    pub(super) fn number(&mut self, scan: &mut Scan<'_>, pointer: &str) -> Option<Decimal> {
        let text = scan.word();
        if Decimal::fits_a_double(text) {
            return Some(Decimal::read(text));
        }
        let message = "numbers lie between ±1.8e308, and not nearer to zero than ±4.9e-324";
        self.problems.add(pointer, "number_out_of_range", text, message);
        None
    }
}
