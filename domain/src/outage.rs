//! Tells an outage of ours from failing receivers.
//!
//! When more than half of all webhooks with recent attempts, and at least ten, turn unreachable
//! within a short window, it is our network that is down, not they. Attempts pause then, and a few
//! probe, until one that had turned is reached again; no attempt number is used up meanwhile.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use crate::id::WebhookId;

/// The window in which webhooks must turn unreachable, and in which an attempt is recent.
pub const WINDOW: Duration = Duration::from_secs(60);
/// The least number of webhooks that must turn unreachable.
pub const LEAST: usize = 10;

/// So many other webhooks that are reached end an outage too: it was not ours then.
pub const REACHED: usize = 3;

/// What is known of the reachability of the webhooks.
#[derive(Debug, Default)]
pub struct Reachability {
    webhooks: HashMap<WebhookId, Seen>,
    outage: bool,
    /// The webhooks that were reached during the outage though they had not turned.
    reached: HashSet<WebhookId>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    last_attempt: Instant,
    unreachable_since: Option<Instant>,
}

impl Reachability {
    /// Notes whether an attempt reached its receiver, whatever that answered.
    pub fn note(&mut self, webhook: WebhookId, reached: bool, now: Instant) {
        let seen =
            self.webhooks.entry(webhook).or_insert(Seen { last_attempt: now, unreachable_since: None });
        seen.last_attempt = now;
        match (reached, seen.unreachable_since) {
            (true, since) => {
                seen.unreachable_since = None;
                self.note_reached(webhook, since.is_some());
            }
            (false, None) => {
                seen.unreachable_since = Some(now);
                self.outage = self.outage || self.most_have_turned(now);
            }
            (false, Some(_)) => {}
        }
    }

    /// A webhook that had turned and is reached again ends the outage, and the others may turn anew.
    /// One that never turned, such as one in our own network, tells little alone.
    fn note_reached(&mut self, webhook: WebhookId, recovered: bool) {
        if !self.outage {
            return;
        }
        if recovered {
            self.webhooks.values_mut().for_each(|seen| seen.unreachable_since = None);
        }
        self.reached.insert(webhook);
        if recovered || self.reached.len() >= REACHED {
            self.outage = false;
            self.reached.clear();
        }
    }

    /// Whether it looks as if the outage is ours.
    pub fn is_outage(&self) -> bool {
        self.outage
    }

    fn most_have_turned(&mut self, now: Instant) -> bool {
        self.webhooks.retain(|_, seen| now.duration_since(seen.last_attempt) <= WINDOW);
        let turned =
            |seen: &&Seen| seen.unreachable_since.is_some_and(|since| now.duration_since(since) <= WINDOW);
        let turned = self.webhooks.values().filter(turned).count();
        turned >= LEAST && turned * 2 > self.webhooks.len()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn webhook(number: u128) -> WebhookId {
        WebhookId(Uuid::from_u128(number))
    }

    #[test]
    fn many_turning_at_once_is_an_outage_until_one_is_reached() {
        let now = Instant::now();
        let mut seen = Reachability::default();
        (0..18).for_each(|number| seen.note(webhook(number), true, now));
        (0..9).for_each(|number| seen.note(webhook(number), false, now));
        assert!(!seen.is_outage(), "nine of eighteen");
        seen.note(webhook(9), false, now);
        assert!(seen.is_outage(), "ten of eighteen");
        seen.note(webhook(9), false, now);
        assert!(seen.is_outage());
        seen.note(webhook(15), true, now);
        assert!(seen.is_outage(), "one that never turned");
        seen.note(webhook(3), true, now);
        assert!(!seen.is_outage());
        (0..10).for_each(|number| seen.note(webhook(number), false, now));
        assert!(seen.is_outage(), "they may turn anew");
    }

    #[test]
    fn dead_webhooks_alone_keep_no_outage_up() {
        let now = Instant::now();
        let mut seen = Reachability::default();
        (0..12).for_each(|number| seen.note(webhook(number), false, now));
        assert!(seen.is_outage());
        (20..23).for_each(|number| seen.note(webhook(number), true, now));
        assert!(!seen.is_outage(), "three others are reached");
        (0..12).for_each(|number| seen.note(webhook(number), false, now));
        assert!(!seen.is_outage(), "those have not turned again");
    }

    #[test]
    fn few_webhooks_or_old_failures_are_no_outage() {
        let now = Instant::now();
        let mut few = Reachability::default();
        (0..9).for_each(|number| few.note(webhook(number), false, now));
        assert!(!few.is_outage(), "nine in all");

        let mut slow = Reachability::default();
        for number in 0..30u32 {
            slow.note(webhook(number.into()), false, now + number * WINDOW / 8);
        }
        assert!(!slow.is_outage(), "never ten within the window");
    }
}
