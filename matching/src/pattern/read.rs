//! Reads a pattern and finds all problems in it.

use std::rc::Rc;

use serde::de::IgnoredAny;

use super::{
    limits::Limits,
    scan::{Kind, Scan},
    tree::{Test, Tree},
};
use crate::{
    problem::{Problem, below},
    storable,
};

mod anything_but;
mod branch;
mod numeric;
mod operand;
mod operator;
mod reader;
mod text;
mod values;

use branch::{Branch, Path, fields};
use reader::Reader;

/// The place of an object in a pattern.
#[derive(Clone)]
struct Place {
    pointer: String,
    path: Path,
    depth: usize,
}

pub(super) fn tree(text: &str, limits: &Limits) -> Result<Tree, Vec<Problem>> {
    let mut reader = Reader::new(limits);
    let mut branches = vec![Branch::new()];
    reader.whole(text, &mut branches);
    reader.problems.or(())?;
    let mut branches = branches.iter().map(|branch| fields(branch, 0));
    let first = branches.next().unwrap_or_default();
    Ok(Tree { first, others: branches.collect() })
}

impl Reader<'_> {
    fn whole(&mut self, text: &str, branches: &mut Vec<Branch>) {
        if text.len() > self.limits.bytes {
            let most = self.limits.bytes;
            let message = format!("the pattern is {} bytes long, at most {most} are allowed", text.len());
            return self.problems.add("", "too_long", text, message);
        }
        if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
            let message = format!("this is not JSON ({error}); check quotes, commas and brackets there");
            return self.problems.add("", "not_json", text, message);
        }
        if Scan::new(text).kind() != Kind::Object {
            let message = "a pattern is an object such as {\"data\": {\"priority\": [1, 2]}}";
            return self.problems.add("", "not_an_object", text, message);
        }
        self.problems.0.extend(storable::problems(text));
        let top = Place { pointer: String::new(), path: Rc::new([]), depth: 1 };
        self.object(text, &top, branches);
        if self.fields > self.limits.fields {
            let message = format!(
                "{} fields have values, at most {} are allowed; split the pattern into several rules",
                self.fields, self.limits.fields
            );
            self.problems.add("", "too_many_fields", text, message);
        }
    }

    fn object(&mut self, text: &str, place: &Place, branches: &mut Vec<Branch>) {
        if place.depth > self.limits.depth {
            let message = format!("objects lie deeper than {} inside each other", self.limits.depth);
            return self.problems.add(&place.pointer, "too_deep", text, message);
        }
        let fields = in_order(text);
        if fields.is_empty() {
            let message = "an empty object says nothing; name a field in it, or leave it out";
            self.problems.add(&place.pointer, "empty_object", text, message);
        }
        for (name, value) in fields {
            let pointer = below(&place.pointer, &name);
            match name.as_str() {
                "$or" => self.or(value, &Place { pointer, ..place.clone() }, branches),
                name => {
                    let path: Path =
                        place.path.iter().cloned().chain(name.split('.').map(Into::into)).collect();
                    let depth = place.depth + path.len() - place.path.len();
                    self.field(value, &Place { pointer, path, depth }, branches);
                }
            }
        }
    }

    fn field(&mut self, text: &str, place: &Place, branches: &mut Vec<Branch>) {
        let mut scan = Scan::new(text);
        match scan.kind() {
            Kind::Object => self.object(text, place, branches),
            Kind::Array => {
                self.fields += 1;
                let tests: Rc<[Test]> = self.tests(&mut scan, &place.pointer).into();
                for branch in branches {
                    branch.retain(|(path, _)| *path != place.path);
                    branch.push((place.path.clone(), tests.clone()));
                }
            }
            Kind::Text | Kind::Number | Kind::Bool(_) | Kind::Null => {
                let message = format!("a field's values stand in a list: write [{text}]");
                self.problems.add(&place.pointer, "wrong_type", text, message);
            }
        }
    }

    /// Each alternative has the fields around the `$or`, too.
    fn or(&mut self, text: &str, place: &Place, branches: &mut Vec<Branch>) {
        let mut scan = Scan::new(text);
        if scan.kind() != Kind::Array {
            let message = "$or is a list of at least two objects, of which one must match";
            return self.problems.add(&place.pointer, "bad_or", text, message);
        }
        scan.enter();
        let around = std::mem::take(branches);
        let mut count = 0;
        while scan.next_item() {
            let pointer = format!("{}/{count}", place.pointer);
            let is_object = scan.kind() == Kind::Object;
            let item = scan.skip();
            count += 1;
            if !is_object {
                let message =
                    "an alternative of $or is an object such as {\"data\": {\"state\": [\"open\"]}}";
                self.problems.add(&pointer, "bad_or", item, message);
                continue;
            }
            let mut alternative = around.clone();
            self.object(item, &Place { pointer, depth: place.depth + 1, ..place.clone() }, &mut alternative);
            branches.append(&mut alternative);
            self.bound(place, text, branches);
        }
        if count < 2 {
            let message = "$or needs at least two alternatives; with one, write its fields without $or";
            self.problems.add(&place.pointer, "bad_or", text, message);
        }
        if branches.is_empty() {
            *branches = around;
        }
    }

    /// Reports too many branches once, and goes on with one of them to find other problems.
    fn bound(&mut self, place: &Place, text: &str, branches: &mut Vec<Branch>) {
        if branches.len() <= self.limits.branches {
            return;
        }
        branches.truncate(1);
        if self.problems.0.iter().all(|problem| problem.code != "too_many_branches") {
            let message = format!(
                "all $or together multiply to more than {} alternatives; split the pattern into several rules",
                self.limits.branches
            );
            self.problems.add(&place.pointer, "too_many_branches", text, message);
        }
    }
}

/// An object's fields in an order of their own, since PostgreSQL does not keep the order in which they were
/// written: those with more dots later, and `$or` last. The last of several with one name counts.
fn in_order(text: &str) -> Vec<(String, &str)> {
    let mut scan = Scan::new(text);
    let mut fields: Vec<(String, &str)> = Vec::new();
    scan.enter();
    while let Some(name) = scan.next_field() {
        let value = scan.skip();
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, earlier)) => *earlier = value,
            None => fields.push((name.into_owned(), value)),
        }
    }
    fields.sort_by_key(|(name, _)| (name == "$or", name.matches('.').count()));
    fields
}
