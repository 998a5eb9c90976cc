//! Why a request got no answer: its class, and words that name what to look at.
//!
//! The words are read by owners of webhooks: they hold no address, which may be one of an inner network,
//! and nothing that a receiver could make long.

use std::{io, time::Duration};

use posthorn_domain::outcome::{Outcome, UnreachableClass};

use crate::{answer::shortened, mask::Masks};

mod http2;
mod tls;

/// The longest words, in bytes.
const LONGEST: usize = 1 << 10;

/// No file, port, buffer or memory is left, or the network interface is down.
const SHORTAGES: [i32; 6] =
    [libc::EMFILE, libc::ENFILE, libc::EADDRNOTAVAIL, libc::ENOBUFS, libc::ENOMEM, libc::ENETDOWN];

/// A request that got no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    class: UnreachableClass,
    words: String,
    /// What the receiver sent instead of an answer: how it begins.
    quoted: Option<String>,
    pub(crate) repeat: Repeat,
    /// This machine is short of what a connection needs.
    pub(crate) is_local: bool,
}

/// Whether the request may be sent again within its attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// The receiver may have processed it.
    Never,
    /// Nothing of an answer has come: a connection that was kept had probably been closed by then.
    OnKept,
    /// The receiver says that it has not processed it.
    Always,
}

impl Failure {
    pub(crate) fn new(class: UnreachableClass, words: impl Into<String>) -> Self {
        Self { class, words: words.into(), quoted: None, repeat: Repeat::Never, is_local: false }
    }

    /// The same, before any byte of an answer.
    pub(crate) fn on_kept(self) -> Self {
        Self { repeat: Repeat::OnKept, ..self }
    }

    /// The same, where the receiver cannot have processed the request.
    pub(crate) fn unprocessed(self) -> Self {
        Self { repeat: Repeat::Always, ..self }
    }

    /// The same, where this machine may be at fault.
    pub(crate) fn local(self, is_local: bool) -> Self {
        Self { is_local, ..self }
    }

    /// The outcome of an attempt that ends with it.
    pub(crate) fn outcome(self, masks: &Masks) -> Outcome {
        let Self { class, words, quoted, .. } = self;
        let error = match quoted {
            Some(quoted) => format!("{words}: `{}`", masks.hide_in_cut(&quoted)),
            None => words,
        };
        Outcome::Unreachable { class, error: shortened(error, LONGEST) }
    }

    /// No connection.
    pub(crate) fn connecting(error: &io::Error) -> Self {
        let is_local = is_shortage(error);
        let words = match error.kind() {
            io::ErrorKind::NetworkDown => "no connection: the sender's network is down".to_owned(),
            _ if is_local => "no connection: the sender is short of open files, ports or memory".to_owned(),
            io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            io::ErrorKind::NetworkUnreachable => "no way to its network".to_owned(),
            io::ErrorKind::HostUnreachable => "no way to its host".to_owned(),
            io::ErrorKind::TimedOut => "no connection: it does not answer".to_owned(),
            kind => format!("no connection: {kind}"),
        };
        Self { is_local, ..Self::new(UnreachableClass::Connect, words) }
    }

    /// The TLS handshake failed.
    pub(crate) fn handshake(error: &io::Error) -> Self {
        match tls_error(error) {
            Some(error) => Self::new(UnreachableClass::Tls, tls::words(error)),
            None => {
                let words = "it closed the connection during the TLS handshake: is its port one for https?";
                Self::new(UnreachableClass::Tls, words)
            }
        }
    }

    /// The connection broke before the answer.
    pub(crate) fn broken(error: &io::Error) -> Self {
        match tls_error(error) {
            // In TLS 1.3 a receiver judges a client's certificate behind the client's handshake.
            Some(error) => Self::new(UnreachableClass::Tls, tls::words(error)),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::closed(),
            None if error.kind() == io::ErrorKind::TimedOut => {
                Self::new(UnreachableClass::Timeout, "the connection died: its network no longer answers")
            }
            None => Self::new(UnreachableClass::Reset, "it broke the connection off before its answer"),
        }
    }

    pub(crate) fn closed() -> Self {
        Self::new(UnreachableClass::Reset, "it closed the connection without an answer")
    }

    pub(crate) fn closed_inside() -> Self {
        Self::new(UnreachableClass::Reset, "it closed the connection inside the headers of its answer")
    }

    /// What came begins like this.
    pub(crate) fn not_http(beginning: &str) -> Self {
        let failure = Self::new(UnreachableClass::InvalidReply, "it answers, but not with HTTP");
        Self { quoted: Some(beginning.to_owned()), ..failure }
    }

    pub(crate) fn long_head(most: usize) -> Self {
        let words = format!("the headers of its answer are longer than {} KiB", most >> 10);
        Self::new(UnreachableClass::InvalidReply, words)
    }

    pub(crate) fn only_interim(most: usize) -> Self {
        let words = format!("it sent more than {most} interim answers (1xx) and none that is final");
        Self::new(UnreachableClass::InvalidReply, words)
    }
}

/// Whether this machine is short of what a connection needs: certainly our own fault.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| SHORTAGES.contains(&code))
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// A length of time as people write it.
pub(crate) fn length(time: Duration) -> String {
    match time.as_millis() {
        millis if millis % 1000 == 0 => format!("{} s", millis / 1000),
        millis => format!("{}.{} s", millis / 1000, format!("{:03}", millis % 1000).trim_end_matches('0')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_is_short_of_is_a_local_fault() {
        let is_local = |code| Failure::connecting(&io::Error::from_raw_os_error(code)).is_local;
        for code in SHORTAGES {
            assert!(is_local(code), "{code}");
        }
        for code in [libc::ECONNREFUSED, libc::EHOSTUNREACH, libc::ENETUNREACH, libc::ECONNRESET] {
            assert!(!is_local(code), "{code}");
        }
    }

    #[test]
    fn words_are_bounded() {
        let failure = Failure::new(UnreachableClass::Tls, "é".repeat(70_000));
        let (_, error) = failure
            .outcome(&Masks::default())
            .unreachable()
            .map(|(class, error)| (class, error.len()))
            .unwrap();
        assert!((1023..=1024).contains(&error), "{error}");
    }

    #[test]
    fn times_read_well() {
        assert_eq!(length(Duration::from_secs(15)), "15 s");
        assert_eq!(length(Duration::from_millis(1500)), "1.5 s");
        assert_eq!(length(Duration::from_millis(1050)), "1.05 s");
    }
}
