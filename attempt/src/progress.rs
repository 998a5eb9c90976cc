//! How far an attempt has come, and how long its parts took.

use std::{net::IpAddr, time::Duration};

use posthorn_domain::{
    outage::Link,
    outcome::{Phases, UnreachableClass},
};

use crate::failure::{Failure, length};

/// How far an attempt has come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) stage: Stage,
    pub(crate) dns: Option<Duration>,
    pub(crate) connect: Option<Duration>,
    /// Whether there was a connection to the receiver.
    pub(crate) is_connected: bool,
    /// How many connections were made.
    pub(crate) connections: u32,
    /// How often the request went out again.
    pub(crate) repeats: u32,
    /// The address that is dialled, was reached, or is forbidden.
    pub(crate) address: Option<IpAddr>,
}

/// What an attempt waits for.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) enum Stage {
    #[default]
    Address,
    Connection,
    Handshake,
    Answer,
}

impl Progress {
    /// The phases of an attempt that took so long until its answer's head, or its end.
    pub(crate) fn phases(&self, total: Duration) -> Phases {
        let spent = self.dns.unwrap_or_default() + self.connect.unwrap_or_default();
        Phases { dns: self.dns, connect: self.connect, first_byte: total.saturating_sub(spent) }
    }

    /// How far it came with its connection.
    pub(crate) fn link(&self) -> Link {
        match (self.connections, self.is_connected) {
            (0, false) => Link::Unmade,
            (0, true) => Link::Kept,
            (1.., _) => Link::Made,
        }
    }

    /// The deadline has passed.
    pub(crate) fn timed_out(&self, timeout: Duration) -> Failure {
        let within = length(timeout);
        match self.stage {
            Stage::Address => {
                let words = format!("no name server told its address within {within}");
                Failure::new(UnreachableClass::Dns, words)
            }
            Stage::Connection => {
                Failure::new(UnreachableClass::Timeout, format!("no connection within {within}"))
            }
            Stage::Handshake => {
                let words = format!("the TLS handshake was not done within {within}");
                Failure::new(UnreachableClass::Timeout, words)
            }
            Stage::Answer => Failure::new(UnreachableClass::Timeout, format!("no answer within {within}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::Masks;

    #[test]
    fn phases_do_not_overlap() {
        let ms = Duration::from_millis;
        let progress = Progress { dns: Some(ms(10)), connect: Some(ms(20)), ..Progress::default() };
        let phases = Phases { dns: Some(ms(10)), connect: Some(ms(20)), first_byte: ms(70) };
        assert_eq!(progress.phases(ms(100)), phases);
        let kept = Phases { first_byte: ms(5), ..Phases::default() };
        assert_eq!(Progress::default().phases(ms(5)), kept);
    }

    #[test]
    fn a_deadline_names_what_was_waited_for() {
        let at = |stage| {
            let failure = Progress { stage, ..Progress::default() }.timed_out(Duration::from_secs(2));
            failure
                .outcome(&Masks::default())
                .unreachable()
                .map(|(class, words)| (class, words.to_owned()))
                .unwrap()
        };
        assert_eq!(at(Stage::Address).0, UnreachableClass::Dns);
        assert_eq!(at(Stage::Answer), (UnreachableClass::Timeout, "no answer within 2 s".to_owned()));
    }
}
