//! When a webhook counts as failing and when as recovered, which its owner is notified of.
//!
//! A delivery is *in trouble* once half of its retries are used and another one is due. A webhook is failing
//! while deliveries in trouble may still disable it; it has recovered when an attempt is accepted after the
//! last of their retries is due. So however often a receiver changes, the period between two changes is at
//! least the delay of a later retry, and at least [`QUIET`] between two notifications of failing.

use std::time::Duration;

use jiff::Timestamp;

use crate::webhook::{DisablePolicy, State};

/// The least time between two notifications that a webhook is failing.
pub const QUIET: Duration = Duration::from_secs(600);

/// What is known of a webhook's health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether it gets deliveries.
    pub state: State,
    /// Its epoch.
    pub epoch: u32,
    /// What disables it.
    pub disable_policy: DisablePolicy,
    /// When the newest accepted attempt began.
    pub last_accepted_at: Option<Timestamp>,
    /// Since when it fails, in which epoch, and until when at least.
    pub failing: Option<Failing>,
    /// When its owner was last notified that it is failing.
    pub notified_at: Option<Timestamp>,
}

/// A webhook fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failing {
    /// In this epoch; enabling a webhook begins another.
    pub epoch: u32,
    /// When the last retry of its deliveries in trouble is due.
    pub until: Timestamp,
}

/// A failed attempt of a delivery in trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    /// The epoch of the attempt.
    pub epoch: u32,
    /// When the attempt ended.
    pub at: Timestamp,
    /// When the next one is due.
    pub until: Timestamp,
    /// When the delivery's first attempt began.
    pub first_attempt_at: Timestamp,
}

/// A change that its owner is notified of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthChange {
    /// It fails, since then.
    Failing(Timestamp),
    /// It accepts deliveries again.
    Recovered(Timestamp),
}

/// Whether a failed attempt, counted from 1, leaves at most half of the retries.
pub fn is_half_used(attempt: u32, retries: usize) -> bool {
    let used = attempt.saturating_sub(1) as usize;
    used > 0 && used * 2 >= retries
}

/// Whether a webhook is failing after `troubles`, and the change to notify its owner of. Attempts are recorded
/// in any order, so `troubles` may be older than the last accepted attempt.
pub fn follow(health: &Health, troubles: &[Trouble]) -> (Option<Failing>, Option<HealthChange>) {
    if health.state != State::Enabled {
        return (health.failing, None);
    }
    let was = health.failing.filter(|failing| failing.epoch == health.epoch);
    let mut counting = troubles.iter().filter(|trouble| health.is_threatened_by(trouble));
    let last = counting.clone().max_by_key(|trouble| trouble.until);
    let Some(until) = last.map(|trouble| trouble.until).max(was.map(|failing| failing.until)) else {
        return (None, None);
    };
    let failing = Some(Failing { epoch: health.epoch, until });
    match (was, health.last_accepted_at.filter(|accepted_at| *accepted_at >= until)) {
        (Some(_), Some(accepted_at)) => (None, Some(HealthChange::Recovered(accepted_at))),
        (Some(_), None) => (failing, None),
        (None, _) => match counting.find(|trouble| !health.is_quiet(trouble.at)) {
            Some(trouble) => (failing, Some(HealthChange::Failing(trouble.at))),
            None => (None, None),
        },
    }
}

impl Health {
    /// Whether the delivery may still disable the webhook.
    fn is_threatened_by(&self, trouble: &Trouble) -> bool {
        let accepted_since = |time| self.last_accepted_at.is_some_and(|accepted_at| accepted_at >= time);
        let is_excused = match self.disable_policy {
            DisablePolicy::Exhausted => false,
            DisablePolicy::Failing => accepted_since(trouble.first_attempt_at),
        };
        trouble.epoch == self.epoch && !accepted_since(trouble.until) && !is_excused
    }

    fn is_quiet(&self, at: Timestamp) -> bool {
        self.notified_at.is_some_and(|notified_at| at.duration_since(notified_at).unsigned_abs() < QUIET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn healthy() -> Health {
        Health {
            state: State::Enabled,
            epoch: 1,
            disable_policy: DisablePolicy::Exhausted,
            last_accepted_at: Some(at(5000)),
            failing: None,
            notified_at: None,
        }
    }

    fn trouble(second: i64) -> Trouble {
        Trouble { epoch: 1, at: at(second), until: at(second + 1000), first_attempt_at: at(second - 100) }
    }

    #[test]
    fn trouble_begins_when_half_of_the_retries_are_used() {
        let first = |retries| (1..=retries as u32).find(|attempt| is_half_used(*attempt, retries));
        assert_eq!([1, 2, 3, 4, 5, 10].map(first), [None, Some(2), Some(3), Some(3), Some(4), Some(6)]);
        assert!(!is_half_used(1, 0));
    }

    #[test]
    fn a_webhook_fails_until_what_is_in_trouble_was_due_and_something_is_accepted() {
        let mut health = healthy();
        let (failing, turn) = follow(&health, &[trouble(6000), trouble(6100)]);
        assert_eq!(failing, Some(Failing { epoch: 1, until: at(7100) }));
        assert_eq!(turn, Some(HealthChange::Failing(at(6000))));

        (health.failing, health.notified_at) = (failing, Some(at(6000)));
        health.last_accepted_at = Some(at(7099));
        assert_eq!(follow(&health, &[]), (failing, None), "others are accepted, this one is still due");
        let (longer, turn) = follow(&health, &[trouble(7100)]);
        assert_eq!((longer, turn), (Some(Failing { epoch: 1, until: at(8100) }), None), "told once");

        health.last_accepted_at = Some(at(7100));
        assert_eq!(follow(&health, &[]), (None, Some(HealthChange::Recovered(at(7100)))));
    }

    #[test]
    fn what_flaps_is_told_only_once_in_a_while() {
        let health = Health { notified_at: Some(at(6000)), ..healthy() };
        assert_eq!(follow(&health, &[trouble(6599)]), (None, None));
        assert!(matches!(follow(&health, &[trouble(6600)]), (Some(_), Some(HealthChange::Failing(_)))));
    }

    #[test]
    fn what_cannot_disable_the_webhook_is_no_trouble() {
        let follow = |health: Health| follow(&health, &[trouble(6000)]);
        assert_eq!(follow(Health { epoch: 2, ..healthy() }), (None, None));
        assert_eq!(follow(Health { state: State::Disabled, ..healthy() }), (None, None));
        assert_eq!(
            follow(Health { last_accepted_at: Some(at(7000)), ..healthy() }),
            (None, None),
            "it is over"
        );
        let policy = DisablePolicy::Failing;
        let last_accepted_at = Some(at(5900));
        assert_eq!(follow(Health { disable_policy: policy, last_accepted_at, ..healthy() }), (None, None));
        assert!(follow(Health { disable_policy: policy, ..healthy() }).1.is_some());
    }

    #[test]
    fn failing_ends_with_its_epoch_and_nobody_is_told() {
        let failing = Some(Failing { epoch: 1, until: at(5500) });
        let health = Health { epoch: 2, failing, last_accepted_at: Some(at(6000)), ..healthy() };
        assert_eq!(follow(&health, &[]), (None, None));
    }
}
