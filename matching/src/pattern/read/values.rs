//! Reads a field's list of values and operators.

use super::{operator, reader::Reader};
use crate::pattern::{
    scan::{Kind, Scan},
    tree::Test,
};

impl Reader<'_> {
    pub(super) fn tests(&mut self, scan: &mut Scan<'_>, pointer: &str) -> Vec<Test> {
        let text = scan.clone().skip();
        let mut tests = Vec::new();
        let mut count = 0;
        scan.enter();
        while scan.next_item() {
            let place = format!("{pointer}/{count}");
            count += 1;
            match scan.kind() {
                Kind::Object => tests.extend(operator::read(self, scan, &place)),
                Kind::Array => {
                    let message = "a list cannot stand in a list; write its values one after the other";
                    self.problems.add(&place, "wrong_type", scan.skip(), message);
                }
                _ => tests.extend(self.literal(scan, &place)),
            }
        }
        if count == 0 {
            let message = "an empty list would want nothing; name a value, or leave the field out";
            self.problems.add(pointer, "empty_list", text, message);
        }
        let values = count.max(tests.iter().map(Test::size).sum());
        if values > self.limits.values {
            let message = format!(
                "{values} values, at most {} are allowed for a field; split them over several rules",
                self.limits.values
            );
            self.problems.add(pointer, "too_many_values", text, message);
        }
        tests
    }
}
