//! No file imports what imports it.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use xtask::{
    imports::{Crate, circles, module},
    repository,
};

/// Folders that are not ours to arrange, or are built on their own.
const SKIPPED: [&str; 5] = ["fuzz", "vendor", "target", ".local", ".git"];

pub(super) fn run() -> anyhow::Result<()> {
    let mut found = Vec::new();
    visit(repository(), &mut found)?;
    if found.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = found.iter().map(|circle| format!("\n  {}", circle.join(", "))).collect();
    bail!("files that import each other: move what they share into a file below them{}", lines.concat())
}

/// Looks for crates: folders with a `src`.
fn visit(folder: &Path, found: &mut Vec<Vec<String>>) -> anyhow::Result<()> {
    let source = folder.join("src");
    if source.is_dir() {
        let mut files = Crate::new();
        read(&source, &source, &mut files)?;
        found.extend(circles(&files));
    }
    for inner in folders(folder)? {
        let name = inner.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name != "src" && !SKIPPED.contains(&name) {
            visit(&inner, found)?;
        }
    }
    Ok(())
}

fn read(source: &Path, folder: &Path, files: &mut Crate) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read(source, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let below = path.strip_prefix(source)?.to_string_lossy().into_owned();
            let shown = path.strip_prefix(repository())?.display().to_string();
            files.insert(module(&below), (shown, text));
        }
    }
    Ok(())
}

fn folders(folder: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let entries: Result<Vec<_>, _> = fs::read_dir(folder)?.collect();
    Ok(entries?.into_iter().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
}
