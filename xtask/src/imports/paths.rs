//! The paths that a file's text imports.

/// All of them, each as its words; without those of comments and of an inline module of tests.
pub(super) fn of(text: &str) -> Vec<Vec<String>> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: Vec<_> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let mut paths = Vec::new();
    for after in code.split("use ").skip(1) {
        expand(&[], after.split(';').next().unwrap_or_default(), &mut paths);
    }
    for start in ["crate::", "super::"] {
        let is_start = |at: usize| {
            !code[..at].ends_with(|before: char| before.is_alphanumeric() || "_:".contains(before))
        };
        let found =
            code.match_indices(start).filter(|(at, _)| is_start(*at)).map(|(at, _)| words(&code[at..]));
        paths.extend(found.filter(|path| path.last().is_some_and(|word| format!("{word}::") != start)));
    }
    paths
}

/// Reads a tree of `use`: `a::{b, c::{d}}`.
fn expand(before: &[String], tree: &str, paths: &mut Vec<Vec<String>>) {
    if tree.trim().is_empty() {
        return; // behind a last comma
    }
    let Some((stem, branches)) = tree.split_once('{') else {
        return paths.push([before, &words(tree.trim())].concat());
    };
    let before = [before, &words(stem.trim())].concat();
    let branches = branches.rsplit_once('}').map_or(branches, |(inside, _)| inside);
    let (mut depth, mut start) = (0, 0);
    for (at, letter) in branches.char_indices().chain([(branches.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&before, &branches[start..at], paths);
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// The words of a path at the start of a text: `a::b::C` is `[a, b, C]`.
fn words(text: &str) -> Vec<String> {
    let is_of_path = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | ':');
    let path = text.split(|letter| !is_of_path(letter)).next().unwrap_or_default();
    path.split("::").filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
