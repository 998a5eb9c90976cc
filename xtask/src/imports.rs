//! Which files of a crate import each other: none does.
//!
//! An import is a `use`, or a path that begins with `crate` or `super`; tests don't count. What is read is
//! the text as rustfmt leaves it, without building it.

use std::collections::{BTreeMap, BTreeSet};

mod graph;
mod paths;

/// The files of one crate: for each module, the words of its path, its file and its text.
pub type Crate = BTreeMap<Vec<String>, (String, String)>;

/// The module that a file below `src` is: `a/b.rs` and `a/b/mod.rs` are `[a, b]`, `lib.rs` is `[]`.
pub fn module(below_src: &str) -> Vec<String> {
    let words = below_src.trim_end_matches(".rs").split('/');
    words.filter(|word| !matches!(*word, "lib" | "main" | "mod")).map(str::to_owned).collect()
}

/// The groups of files that import each other, directly or around others.
pub fn circles(files: &Crate) -> Vec<Vec<String>> {
    let file = |module: &[String]| files[module].0.clone();
    let imports: BTreeMap<_, BTreeSet<_>> = files
        .iter()
        .filter(|(module, _)| !module.iter().any(|word| word == "tests"))
        .map(|(module, (_, text))| (module.clone(), imported(files, module, text)))
        .collect();
    let circles = graph::circles(&imports).into_iter();
    circles.map(|modules| modules.iter().map(|module| file(module)).collect()).collect()
}

fn imported(files: &Crate, module: &[String], text: &str) -> BTreeSet<Vec<String>> {
    let found = paths::of(text).into_iter().filter_map(|path| target(files, module, &path));
    found.filter(|found| found != module).collect()
}

/// The module whose file a path leads to, if it is one of this crate; never the crate's root, which
/// declares all and is imported for what it re-exports.
fn target(files: &Crate, module: &[String], path: &[String]) -> Option<Vec<String>> {
    let ups = path.iter().take_while(|word| *word == "super").count();
    let absolute = match path.first()?.as_str() {
        "crate" => path[1..].to_vec(),
        "super" => [&module[..module.len().checked_sub(ups)?], &path[ups..]].concat(),
        "self" => [module, &path[1..]].concat(),
        _ => [module, path].concat(),
    };
    let is_child = !matches!(path[0].as_str(), "crate" | "super");
    let least = if is_child { module.len() + 1 } else { 1 };
    (least..=absolute.len())
        .rev()
        .map(|length| absolute[..length].to_vec())
        .find(|name| files.contains_key(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(all: &[(&str, &str)]) -> Crate {
        all.iter().map(|(path, text)| (module(path), ((*path).to_owned(), (*text).to_owned()))).collect()
    }

    #[test]
    fn files_that_import_each_other_are_found_around_others_too() {
        let crate_of = files(&[
            ("lib.rs", "mod a;\nmod b;\npub use a::A;\n"),
            ("a.rs", "use crate::{\n    b::{B, C as D},\n    other,\n};\n"),
            ("b.rs", "mod c;\nuse c::C;\n"),
            ("b/c.rs", "fn f() -> super::super::a::A { loop {} }\n"),
            ("d.rs", "mod e;\nuse crate::b::B;\nuse e::E;\n"),
            ("d/e.rs", "use super::super::b::B;\nuse super::{\n    f::F,\n};\n"),
            ("d/f.rs", ""),
        ]);
        assert_eq!(circles(&crate_of), [["a.rs", "b.rs", "b/c.rs"]]);
    }

    #[test]
    fn comments_tests_and_the_root_make_no_circle() {
        let crate_of = files(&[
            ("lib.rs", "mod a;\nuse a::A;\npub struct Root;\n"),
            ("a.rs", "//! See crate::b.\nuse crate::{Root, b};\n"),
            ("b.rs", "// crate::a\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n"),
            ("b/tests.rs", "use crate::a::A;\nuse super::*;\n"),
        ]);
        assert_eq!(circles(&crate_of), Vec::<Vec<String>>::new());
    }
}
