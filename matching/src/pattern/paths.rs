//! The paths of the fields that patterns use.

use std::collections::HashMap;

use super::tree::{Field, Tree};

/// The names of fields as a tree, each with the number of its uses. A dot in a name leads into an object:
/// `a.b` is the field `b` of the object `a`.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    below: HashMap<Box<str>, Paths, ahash::RandomState>,
    uses: usize,
}

impl Paths {
    pub(crate) fn add(&mut self, tree: &Tree) {
        tree.branches().for_each(|fields| self.add_fields(fields));
    }

    /// Removes a tree that was added.
    pub(crate) fn remove(&mut self, tree: &Tree) {
        tree.branches().for_each(|fields| self.remove_fields(fields));
    }

    /// What is used below the name, if the name is used.
    pub(crate) fn at(&self, name: &str) -> Option<&Paths> {
        match self.below.get(name) {
            None if name.contains('.') => name.split('.').try_fold(self, |paths, name| paths.below.get(name)),
            found => found,
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.below.is_empty()
    }

    fn add_fields(&mut self, fields: &[Field]) {
        for field in fields {
            let mut paths = &mut *self;
            for name in field.path.split('.') {
                if !paths.below.contains_key(name) {
                    paths.below.insert(name.into(), Self::default());
                }
                paths = paths.below.get_mut(name).expect("inserted above");
                paths.uses += 1;
            }
            paths.add_fields(&field.fields);
        }
    }

    fn remove_fields(&mut self, fields: &[Field]) {
        fields.iter().for_each(|field| self.remove_field(&field.path, &field.fields));
    }

    fn remove_field(&mut self, path: &str, fields: &[Field]) {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let Some(paths) = self.below.get_mut(name) else { return };
        match rest {
            Some(rest) => paths.remove_field(rest, fields),
            None => paths.remove_fields(fields),
        }
        paths.uses -= 1;
        if paths.uses == 0 {
            self.below.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;

    #[test]
    fn paths_that_no_pattern_uses_any_more_are_dropped() {
        let one = Pattern::parse(r#"{"a": {"b": ["x"]}, "$or": [{"c": [1]}, {"d": [2]}]}"#).unwrap();
        let other = Pattern::parse(r#"{"a": {"c": ["x"]}}"#).unwrap();
        let mut paths = Paths::default();
        paths.add(&one.tree);
        paths.add(&other.tree);
        paths.remove(&one.tree);
        assert!(paths.at("a.b").is_none() && paths.at("a").unwrap().at("c").is_some());
        paths.remove(&other.tree);
        assert!(paths.is_empty());
    }
}
