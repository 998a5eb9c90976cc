//! What a run is made of: a system, its webhooks and the load on it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The bare broker with the least around it that delivers: the bound.
    Ceiling,
    /// The roles of the `posthorn` binary.
    Posthorn,
}

/// The kind of the webhooks' queues, as RabbitMQ names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum QueueType {
    Quorum,
    Classic,
}

/// How events come.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Load {
    /// The next as soon as fewer than so many are undelivered: measures throughput.
    Closed {
        /// Undelivered events.
        window: usize,
    },
    /// At a constant rate, whatever becomes of them: measures latency.
    Open {
        /// Events per second.
        rate: f64,
    },
    /// So many deliveries wait before the first is made.
    Backlog {
        /// Deliveries in the webhooks' queues.
        deliveries: usize,
    },
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) kind: Kind,
    pub(crate) webhooks: usize,
    pub(crate) fan_out: usize,
    /// Bytes of an event's data.
    pub(crate) payload: usize,
    /// Webhooks of a second company, whose deliveries are not measured; the first ones.
    pub(crate) of_tenant: usize,
    /// Webhooks that never answer; the first ones.
    pub(crate) hanging: usize,
    /// Webhooks that answer 503; those after the hanging ones.
    pub(crate) failing: usize,
    /// Whether those that accept answer late.
    pub(crate) is_late: bool,
    pub(crate) dispatchers: usize,
    pub(crate) load: Load,
    /// The kind of the webhooks' queues.
    pub(crate) queue_type: QueueType,
    /// How long the system is watched doing nothing before the load begins.
    pub(crate) idle_seconds: u64,
}

impl QueueType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Quorum => "quorum",
            Self::Classic => "classic",
        }
    }
}

/// What the webhook does with what it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Accepts,
    AcceptsLate,
    Hangs,
    Fails,
}

pub(crate) const IN_FLIGHT: u16 = 64;
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);
/// How long those that are late take to answer.
pub(crate) const LATE: Duration = Duration::from_millis(500);

impl Setup {
    /// 512-byte events, each for one of `webhooks`, as fast as they are delivered.
    pub(crate) const fn new(kind: Kind, webhooks: usize, fan_out: usize) -> Self {
        Self {
            kind,
            webhooks,
            fan_out,
            payload: 512,
            of_tenant: 0,
            hanging: 0,
            failing: 0,
            is_late: false,
            dispatchers: 1,
            load: Load::Closed { window: 1000 },
            queue_type: QueueType::Quorum,
            idle_seconds: 0,
        }
    }

    /// Events go round the groups: each group has as many webhooks as the fan-out.
    pub(crate) fn groups(&self) -> usize {
        self.webhooks / self.fan_out
    }

    /// The group, hence the project, of an event.
    pub(crate) fn group_of_event(&self, number: u64) -> usize {
        (number % self.groups() as u64) as usize
    }

    /// The company of a group's events.
    pub(crate) fn company(&self, group: usize) -> &'static str {
        if group < self.of_tenant { "tenant" } else { "bench" }
    }

    /// Whether the deliveries of an event are measured.
    pub(crate) fn is_measured(&self, number: u64) -> bool {
        self.group_of_event(number) >= self.of_tenant
    }

    /// The webhooks of a group.
    pub(crate) fn members(&self, group: usize) -> impl Iterator<Item = usize> {
        (group..self.webhooks).step_by(self.groups())
    }

    /// What a webhook does.
    pub(crate) fn manner(&self, webhook: usize) -> Manner {
        match webhook {
            hanging if hanging < self.hanging => Manner::Hangs,
            failing if failing < self.hanging + self.failing => Manner::Fails,
            _ if self.is_late => Manner::AcceptsLate,
            _ => Manner::Accepts,
        }
    }

    /// How often an event is accepted in the end, by webhooks that accept.
    pub(crate) fn expected(&self, number: u64) -> u8 {
        let members = self.members(self.group_of_event(number));
        members.filter(|webhook| self.manner(*webhook).accepts()).count() as u8
    }
}

impl Manner {
    fn accepts(self) -> bool {
        matches!(self, Self::Accepts | Self::AcceptsLate)
    }

    /// The first part of the path of its URL.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Accepts => "accept",
            Self::AcceptsLate => "late",
            Self::Hangs => "hang",
            Self::Fails => "fail",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_has_its_fan_out_and_each_webhook_its_share() {
        let setup = Setup { hanging: 5, failing: 5, ..Setup::new(Kind::Ceiling, 100, 10) };
        assert_eq!(setup.groups(), 10);
        let mut share = vec![0; 100];
        for number in 0..1000 {
            let members: Vec<_> = setup.members(setup.group_of_event(number)).collect();
            assert_eq!(members.len(), 10);
            assert_eq!(setup.expected(number), 9);
            members.into_iter().for_each(|webhook| share[webhook] += 1);
        }
        assert_eq!(share, vec![100; 100]);
    }
}
