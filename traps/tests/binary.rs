//! The binary, and its README.md.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use posthorn_traps::{catalogue, table};

#[test]
fn it_names_every_trap_and_stops_when_it_is_interrupted() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_posthorn-traps"))
        .args(["--port", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let named: Vec<_> = lines.take_while(|line| !line.starts_with("stop with")).collect();
    assert!(named[0].starts_with("name server: 127.0.0.1:"), "{named:?}");
    assert_eq!(named.len(), 1 + catalogue::all().len());
    let interrupt = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_readme_shows_the_table_of_this_code() {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("<!-- the table -->\n").expect("a mark before the table");
    let (shown, _) = rest.split_once("<!-- its end -->").expect("a mark after the table");
    assert!(
        shown.trim() == table().trim(),
        "README.md is stale: put what `cargo run -p posthorn-traps -- --table` prints between its marks"
    );
}
