//! One alternative of a pattern, while it is being read.

use std::rc::Rc;

use crate::pattern::tree::{Field, Test};

/// The tests of the fields by their paths, in one choice among all `$or`. The last entry of a path replaces
/// earlier ones, as with several fields of one name.
pub(super) type Branch = Vec<(Path, Rc<[Test]>)>;
pub(super) type Path = Rc<[Box<str>]>;

/// The tree below the first `depth` names of a branch whose paths agree in them.
pub(super) fn fields(branch: &[(Path, Rc<[Test]>)], depth: usize) -> Box<[Field]> {
    let mut names: Vec<&str> = Vec::new();
    for (path, _) in branch.iter().filter(|(path, _)| path.len() > depth) {
        if !names.contains(&&*path[depth]) {
            names.push(&path[depth]);
        }
    }
    let field = |name: &str| {
        let inside: Branch = branch
            .iter()
            .filter(|(path, _)| path.get(depth).is_some_and(|known| **known == *name))
            .cloned()
            .collect();
        let here = inside.iter().find(|(path, _)| path.len() == depth + 1);
        let tests = here.map_or_else(Box::default, |(_, tests)| tests.iter().cloned().collect());
        joined(Field { path: name.into(), tests, fields: fields(&inside, depth + 1) })
    };
    names.into_iter().map(field).collect()
}

/// A field without tests and with one field below it becomes one field with that: `a` with `b` is `a.b`.
fn joined(field: Field) -> Field {
    match (&*field.tests, &*field.fields) {
        ([], [only]) => {
            let path = format!("{}.{}", field.path, only.path).into();
            Field { path, tests: only.tests.clone(), fields: only.fields.clone() }
        }
        _ => field,
    }
}
