//! Distinguishes an outage of our own network from failing receivers.
//!
//! Hosts and tenants are counted by whether names resolve and connections are made. A receiver that accepted
//! a connection has shown that our network works, whatever it does then. A tenant has one vote, however many
//! webhooks and hosts it has.
//!
//! A host is *lost* when it could be reached before and no longer can. When most hosts of recent attempts are
//! lost within a minute, an outage is *suspected*: a few hosts are probed, those of other tenants first, and
//! [`Reachability::conclude`] decides. During an outage only webhooks with a lost host are held; their
//! attempts are not counted. It ends when a lost host is reached again, or too many other hosts are.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    outcome::{Outcome, UnreachableClass},
    tenant::Tenant,
};

/// Hosts lost within this time are counted together; an attempt within it is recent.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Hosts that must be lost: one alone may always be the receiver's fault.
const LEAST_HOSTS: usize = 2;
/// Tenants whose hosts must be lost, unless there are fewer.
const LEAST_TENANTS: usize = 2;
/// So many times more hosts must be lost than are reached. Some stay reachable in any outage: those inside
/// our own network.
const MAJORITY: usize = 2;
/// For so long after a suspicion or an outage none is suspected.
const TRUCE: Duration = Duration::from_secs(30);
/// Hosts that are remembered; one more replaces the host with the oldest attempt.
const MOST_HOSTS: usize = 10_000;
/// Tenants that are remembered for each host.
const MOST_TENANTS: usize = 8;

/// What an attempt shows about the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The receiver was reached.
    Reached,
    /// Its name did not resolve, or no connection was made.
    Unreached,
    /// Nothing.
    Unclear,
    /// This machine is short of something: open files, ports, memory. Certainly our fault.
    LocalFault,
}

/// How far an attempt came with its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Link {
    /// It used one that was there.
    #[default]
    Kept,
    /// None was made.
    Unmade,
    /// A new one: the receiver's TCP has answered.
    Made,
}

/// Whether it looks as if our network is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// No.
    #[default]
    Calm,
    /// Perhaps: probes are to decide.
    Suspected,
    /// Yes.
    Outage,
}

/// A host that could be probed, and whose webhooks it has.
#[derive(Debug, Clone)]
pub struct Candidate<T> {
    /// The host's name or address.
    pub host: Arc<str>,
    /// The tenant of one of its webhooks.
    pub tenant: Tenant,
    /// What the caller needs in order to probe it.
    pub with: T,
}

/// What is known of the reachability of hosts.
#[derive(Debug, Default)]
pub struct Reachability {
    hosts: HashMap<Arc<str>, Seen>,
    phase: Phase,
    /// When the suspicion arose that led to this phase.
    since: Option<Instant>,
    /// When the last suspicion or outage ended.
    calm_since: Option<Instant>,
    any_reached: bool,
    /// Tenants of the installation when it was last counted.
    tenants: usize,
}

#[derive(Debug)]
struct Seen {
    tenants: Vec<Tenant>,
    last_attempt: Instant,
    reached_at: Option<Instant>,
    lost_at: Option<Instant>,
    probed_at: Option<Instant>,
}

/// Hosts and tenants on either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Votes {
    lost_hosts: usize,
    lost_tenants: usize,
    reached_hosts: usize,
    reached_tenants: usize,
}

impl Reach {
    /// What an attempt with this outcome and connection shows about the network. `local` means that this
    /// machine was short of something.
    pub fn of(outcome: &Outcome, link: Link, local: bool) -> Self {
        let class = match outcome {
            Outcome::Accepted { .. } | Outcome::Refused { .. } | Outcome::Gone => return Self::Reached,
            Outcome::Interrupted => return Self::Unclear,
            Outcome::Unreachable { class, .. } => class,
        };
        match (class, link) {
            (UnreachableClass::Blocked, _) => Self::Unclear,
            _ if local => Self::LocalFault,
            (UnreachableClass::Dns, _) => Self::Unreached,
            (_, Link::Made) | (UnreachableClass::InvalidReply | UnreachableClass::Tls, _) => Self::Reached,
            // The connection was made when the network still worked, perhaps.
            (UnreachableClass::Timeout | UnreachableClass::Reset, Link::Kept) => Self::Unclear,
            (UnreachableClass::Connect, _) | (_, Link::Unmade) => Self::Unreached,
        }
    }
}

impl Votes {
    /// Whether our network is down, in an installation of so many tenants.
    fn indicate_outage(self, tenants: usize) -> bool {
        self.lost_hosts >= LEAST_HOSTS
            && self.lost_tenants >= LEAST_TENANTS.min(tenants)
            && self.lost_hosts > MAJORITY * self.reached_hosts
            && self.lost_tenants > MAJORITY * self.reached_tenants
    }
}

impl Reachability {
    /// Whether it looks as if our network is down.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether attempts at this host are to wait.
    pub fn holds(&self, host: &str) -> bool {
        self.phase != Phase::Calm && self.hosts.get(host).is_some_and(|seen| seen.lost_at.is_some())
    }

    /// Records an attempt or a probe; returns whether its failure is due to our network.
    pub fn note(&mut self, host: &Arc<str>, tenant: &Tenant, reach: Reach, now: Instant) -> bool {
        match reach {
            Reach::LocalFault => return true,
            Reach::Unclear => return self.holds(host),
            Reach::Reached => self.note_reached(host, tenant, now),
            Reach::Unreached => self.note_unreached(host, tenant, now),
        }
        reach == Reach::Unreached && self.phase != Phase::Calm
    }

    /// Which of these to probe now, at most `most`: hosts that were not probed for longest, of as many
    /// tenants as possible; while an outage is only suspected, hosts that are not lost first.
    pub fn choose<T>(
        &mut self,
        mut candidates: Vec<Candidate<T>>,
        most: usize,
        now: Instant,
    ) -> Vec<Candidate<T>> {
        let is_suspected = self.phase == Phase::Suspected;
        candidates.sort_by_key(|candidate| {
            let seen = self.hosts.get(&candidate.host);
            let is_lost = seen.is_some_and(|seen| seen.lost_at.is_some());
            (is_lost == is_suspected, seen.and_then(|seen| seen.probed_at))
        });
        let (mut hosts, mut tenants) = (HashSet::new(), HashSet::new());
        candidates.retain(|candidate| hosts.insert(candidate.host.clone()));
        let (mut chosen, others): (Vec<_>, Vec<_>) =
            candidates.into_iter().partition(|candidate| tenants.insert(candidate.tenant.clone()));
        chosen.extend(others);
        chosen.truncate(most);
        for candidate in &chosen {
            self.seen(&candidate.host, &candidate.tenant, now).probed_at = Some(now);
        }
        chosen
    }

    /// Decides, after probes, in an installation of so many tenants.
    pub fn conclude(&mut self, tenants: usize, now: Instant) {
        self.tenants = tenants;
        match (self.phase, self.votes().indicate_outage(tenants)) {
            (Phase::Calm, _) | (Phase::Outage, true) => {}
            (Phase::Suspected, true) => self.phase = Phase::Outage,
            (Phase::Suspected | Phase::Outage, false) => self.calm_down(now),
        }
    }

    fn note_reached(&mut self, host: &Arc<str>, tenant: &Tenant, now: Instant) {
        self.any_reached = true;
        let seen = self.seen(host, tenant, now);
        seen.reached_at = Some(now);
        let was_lost = seen.lost_at.take().is_some();
        if self.phase == Phase::Outage && was_lost {
            // The other hosts can be lost again.
            self.hosts.values_mut().for_each(|seen| seen.lost_at = None);
            self.calm_down(now);
        } else if self.phase == Phase::Outage && !self.votes().indicate_outage(self.tenants) {
            self.calm_down(now);
        }
    }

    fn note_unreached(&mut self, host: &Arc<str>, tenant: &Tenant, now: Instant) {
        let seen = self.seen(host, tenant, now);
        seen.lost_at.get_or_insert(now);
        self.suspect(now);
    }

    fn suspect(&mut self, now: Instant) {
        let is_recent = |at: Instant| now.duration_since(at) <= WINDOW;
        let is_truce = self.calm_since.is_some_and(|since| now.duration_since(since) < TRUCE);
        if self.phase != Phase::Calm || is_truce {
            return;
        }
        let recent = self.hosts.values().filter(|seen| is_recent(seen.last_attempt)).count();
        let lost = self.hosts.values().filter(|seen| self.is_lost(seen, now)).count();
        if lost >= LEAST_HOSTS && lost * 2 > recent {
            self.phase = Phase::Suspected;
            self.since = Some(now);
        }
    }

    fn calm_down(&mut self, now: Instant) {
        self.phase = Phase::Calm;
        self.since = None;
        self.calm_since = Some(now);
    }

    /// A host that this process has never reached counts only while it has reached no host at all: it may have
    /// been dead for long.
    fn is_lost(&self, seen: &Seen, since: Instant) -> bool {
        let is_new = |at: Instant| since.saturating_duration_since(at) <= WINDOW;
        seen.lost_at.is_some_and(is_new) && (seen.reached_at.is_some() || !self.any_reached)
    }

    fn votes(&self) -> Votes {
        let Some(since) = self.since else {
            return Votes { lost_hosts: 0, lost_tenants: 0, reached_hosts: 0, reached_tenants: 0 };
        };
        let is_reached = |seen: &&Seen| seen.reached_at.is_some_and(|at| at >= since);
        let still = |seen: &&Seen| is_reached(seen) && seen.lost_at.is_none();
        let reached: HashSet<_> = self.hosts.values().filter(still).flat_map(|seen| &seen.tenants).collect();
        let lost = || self.hosts.values().filter(|seen| self.is_lost(seen, since));
        let tenants: HashSet<_> = lost().flat_map(|seen| &seen.tenants).collect();
        Votes {
            lost_hosts: lost().count(),
            lost_tenants: tenants.difference(&reached).count(),
            reached_hosts: self.hosts.values().filter(still).count(),
            reached_tenants: reached.len(),
        }
    }

    fn seen(&mut self, host: &Arc<str>, tenant: &Tenant, now: Instant) -> &mut Seen {
        if !self.hosts.contains_key(host) && self.hosts.len() >= MOST_HOSTS {
            let oldest = self.hosts.iter().min_by_key(|(_, seen)| seen.last_attempt);
            if let Some(oldest) = oldest.map(|(host, _)| host.clone()) {
                self.hosts.remove(&oldest);
            }
        }
        let seen = self.hosts.entry(host.clone()).or_insert_with(|| Seen::new(now));
        seen.last_attempt = now;
        if seen.tenants.len() < MOST_TENANTS && !seen.tenants.contains(tenant) {
            seen.tenants.push(tenant.clone());
        }
        seen
    }
}

impl Seen {
    fn new(now: Instant) -> Self {
        Self { tenants: Vec::new(), last_attempt: now, reached_at: None, lost_at: None, probed_at: None }
    }
}

#[cfg(test)]
mod tests;
