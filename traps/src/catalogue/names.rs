//! Traps of name lookup. Behind each name is a receiver that answers well, at 127.0.0.1, and closes the
//! connection, so that the next request looks the name up again.

use super::{Behaviour, Trap, trap};
use crate::lookup::Lookup;

pub(super) fn traps() -> Vec<Trap> {
    let named = |name, lookup, does, client, spec| trap(name, Behaviour::Named(lookup), does, client, spec);
    let unknown = "No connection: the name has no address.";
    vec![
        named(
            "dns-silent",
            Lookup::Silent,
            "The name server does not answer.",
            "No connection: the name cannot be looked up; says so before its deadline has passed.",
            "RFC 1035 7.2",
        ),
        named("dns-nxdomain", Lookup::Absent, "There is no such name (NXDOMAIN).", unknown, "RFC 8020"),
        named(
            "dns-servfail",
            Lookup::Fails,
            "The name server fails (SERVFAIL).",
            "No connection: the name cannot be looked up.",
            "RFC 1035 4.1.1",
        ),
        named(
            "dns-garbage",
            Lookup::Garbage,
            "The name server answers with bytes that mean nothing.",
            "No connection: the name cannot be looked up.",
            "RFC 1035 4",
        ),
        named("dns-no-address", Lookup::Empty, "The name has no address.", unknown, "RFC 2308 2.2"),
        named("dns-circle", Lookup::Circle, "The name is an alias of itself.", unknown, "RFC 1034 3.6.2"),
        named(
            "dns-mixed",
            Lookup::Mixed,
            "The name has the addresses 127.0.0.1 and 127.0.0.2.",
            "If one of them is forbidden, does not dial it.",
            "RFC 1918",
        ),
        named(
            "dns-rebinding",
            Lookup::Rebinds,
            "The name has the address 127.0.0.1 and 127.0.0.2 in turn, each for no time.",
            "Judges the address that it dials, at each request: if the second is forbidden, does not dial it.",
            "RFC 1035 3.2.1",
        ),
        named(
            "dns-17-addresses",
            Lookup::Seventeen,
            "The name has seventeen addresses, of which the first (127.0.0.1) listens and the last is 127.0.1.1.",
            "Dials only those that are allowed, a bounded number of them, within one deadline.",
            "RFC 1123 2.3",
        ),
        named(
            "dns-localhost",
            Lookup::Localhost,
            "`localhost`, with the addresses 127.0.0.1 and ::1.",
            "If only 127.0.0.0/8 is allowed, dials 127.0.0.1.",
            "RFC 6761 6.3",
        ),
        named(
            "dns-truncated",
            Lookup::Truncated,
            "The answer over UDP is truncated, that over TCP is whole.",
            "Accepted: asks again over TCP.",
            "RFC 7766 5",
        ),
    ]
}
