//! All traps, each with what it does and what a good client does with it.

mod answers;
mod drips;
mod floods;
mod http1;
mod http2;
mod names;
mod tls;

use std::{borrow::Cow, sync::LazyLock};

use crate::{http2::Manner, lookup::Lookup, script::Step, tls::Certificate};

/// A receiver that behaves in one way.
#[derive(Debug)]
pub struct Trap {
    /// Its name, in words joined by hyphens.
    pub name: Cow<'static, str>,
    /// What it does.
    pub does: Cow<'static, str>,
    /// What a good client makes of it.
    pub client: Cow<'static, str>,
    /// Where that is written.
    pub spec: Cow<'static, str>,
    pub(crate) behaviour: Behaviour,
}

/// How a trap does what it does.
#[derive(Debug)]
pub(crate) enum Behaviour {
    /// Without TLS.
    Plain(Vec<Step>),
    /// Without TLS, where TLS is expected.
    NoTls(Vec<Step>),
    /// Behind TLS.
    Tls(Certificate, Vec<Step>),
    /// The bytes of a good TLS handshake one by one.
    SlowTls,
    /// HTTP/2, with and without TLS.
    Http2(Manner),
    /// A good receiver whose name is answered oddly.
    Named(Lookup),
}

/// What a trap is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Heads and bodies of HTTP/1.1.
    Http1,
    /// Frames of HTTP/2.
    Http2,
    /// The handshake.
    Tls,
    /// Name lookup.
    Names,
}

impl Trap {
    /// What it is about.
    pub fn kind(&self) -> Kind {
        match self.behaviour {
            Behaviour::Plain(_) => Kind::Http1,
            Behaviour::Http2(_) => Kind::Http2,
            Behaviour::Tls(..) | Behaviour::NoTls(_) | Behaviour::SlowTls => Kind::Tls,
            Behaviour::Named(_) => Kind::Names,
        }
    }
}

/// All traps, in the order of their ports.
pub fn all() -> &'static [Trap] {
    static ALL: LazyLock<Vec<Trap>> = LazyLock::new(|| {
        let http1 = [http1::traps(), drips::traps(), floods::traps(), answers::traps()];
        let others = [http2::traps(), tls::traps(), names::traps()];
        http1.into_iter().chain(others).flatten().collect()
    });
    &ALL
}

fn trap(
    name: &'static str,
    behaviour: Behaviour,
    does: &'static str,
    client: &'static str,
    spec: &'static str,
) -> Trap {
    Trap { name: name.into(), does: does.into(), client: client.into(), spec: spec.into(), behaviour }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_trap_has_a_name_of_its_own_and_says_all_about_itself() {
        let names: BTreeSet<_> = all().iter().map(|trap| &trap.name).collect();
        assert_eq!(names.len(), all().len());
        for trap in all() {
            let name_is_plain = trap.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
            assert!(name_is_plain, "{trap:?}");
            for text in [&trap.does, &trap.client, &trap.spec] {
                assert!(!text.is_empty() && !text.contains('|'), "{trap:?}");
            }
        }
    }
}
