//! The tables of README.md.

use crate::{
    Trap,
    catalogue::{self, Kind},
};

const KINDS: [(Kind, &str); 4] =
    [(Kind::Http1, "HTTP/1.1"), (Kind::Http2, "HTTP/2"), (Kind::Tls, "TLS"), (Kind::Names, "Names")];

/// A table of the traps of each kind, in Markdown. `+n` is added to the first port.
pub fn table() -> String {
    let numbered: Vec<_> = (1..).zip(catalogue::all()).collect();
    let of = |(kind, title): (Kind, &str)| {
        let rows = numbered.iter().filter(|(_, trap)| trap.kind() == kind);
        let rows: String = rows.map(|(number, trap)| row(*number, trap)).collect();
        format!(
            "### {title}\n\n| trap | port | what it does | what a good client does | where it is written |\n|---|---|---|---|---|\n{rows}"
        )
    };
    KINDS.map(of).join("\n")
}

fn row(number: u16, trap: &Trap) -> String {
    let Trap { name, does, client, spec, .. } = trap;
    format!("| `{name}` | +{number} | {does} | {client} | {spec} |\n")
}
