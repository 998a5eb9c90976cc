//! Tells an outage of ours from failing receivers.
//!
//! What counts is whether names resolve and connections are made, by distinct hosts and by distinct
//! tenants: a receiver that accepted a connection has shown that our network works, whatever it does
//! then, and a tenant has one vote, however many webhooks and hosts it has.
//!
//! When most hosts that were attempted lately *turn* within a minute (they could be reached and now
//! cannot), an outage is *suspected*. A few hosts are probed then, of other tenants first, and
//! [`Reachability::conclude`] decides. During an outage only webhooks whose host has turned are held;
//! their attempts use up no number. It ends when a host that had turned is reached again, or when too
//! many others are.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    outcome::{Outcome, UnreachableClass},
    tenant::Tenant,
};

/// Hosts that turn within this time turn together; an attempt within it is recent.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Hosts that must have turned: one alone may always be the receiver's fault.
const LEAST_HOSTS: usize = 2;
/// Tenants whose hosts must have turned, unless there are fewer.
const LEAST_TENANTS: usize = 2;
/// So many times more must have turned than are reached: hosts inside our own network stay reachable
/// when the way out is cut.
const MAJORITY: usize = 2;
/// After a suspicion or an outage none is suspected for this long.
const TRUCE: Duration = Duration::from_secs(30);
/// Hosts that are remembered; beyond it the one that was not attempted for longest is forgotten.
const MOST_HOSTS: usize = 10_000;
/// Tenants that are remembered for each host.
const MOST_TENANTS: usize = 8;

/// What an attempt tells about the network.
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
    /// Perhaps: probes are to tell.
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
    turned_at: Option<Instant>,
    probed_at: Option<Instant>,
}

/// Hosts and tenants on either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Votes {
    turned_hosts: usize,
    turned_tenants: usize,
    reached_hosts: usize,
    reached_tenants: usize,
}

impl Reach {
    /// What an attempt with this outcome tells, that came so far with its connection. `local` says that
    /// this machine was short of something.
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
    /// Whether it is our network that is down, in an installation of so many tenants.
    fn tell_an_outage(self, tenants: usize) -> bool {
        self.turned_hosts >= LEAST_HOSTS
            && self.turned_tenants >= LEAST_TENANTS.min(tenants)
            && self.turned_hosts > MAJORITY * self.reached_hosts
            && self.turned_tenants > MAJORITY * self.reached_tenants
    }
}

impl Reachability {
    /// Whether it looks as if our network is down.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether attempts at this host are to wait.
    pub fn holds(&self, host: &str) -> bool {
        self.phase != Phase::Calm && self.hosts.get(host).is_some_and(|seen| seen.turned_at.is_some())
    }

    /// Notes an attempt or a probe; tells whether its failure is to be put down to our network.
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
    /// tenants as possible; while an outage is only suspected, hosts that have not turned first.
    pub fn choose<T>(
        &mut self,
        mut candidates: Vec<Candidate<T>>,
        most: usize,
        now: Instant,
    ) -> Vec<Candidate<T>> {
        let is_suspected = self.phase == Phase::Suspected;
        candidates.sort_by_key(|candidate| {
            let seen = self.hosts.get(&candidate.host);
            let has_turned = seen.is_some_and(|seen| seen.turned_at.is_some());
            (has_turned == is_suspected, seen.and_then(|seen| seen.probed_at))
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
        match (self.phase, self.votes().tell_an_outage(tenants)) {
            (Phase::Calm, _) | (Phase::Outage, true) => {}
            (Phase::Suspected, true) => self.phase = Phase::Outage,
            (Phase::Suspected | Phase::Outage, false) => self.calm_down(now),
        }
    }

    fn note_reached(&mut self, host: &Arc<str>, tenant: &Tenant, now: Instant) {
        self.any_reached = true;
        let seen = self.seen(host, tenant, now);
        seen.reached_at = Some(now);
        let had_turned = seen.turned_at.take().is_some();
        if self.phase == Phase::Outage && had_turned {
            // The others may turn anew.
            self.hosts.values_mut().for_each(|seen| seen.turned_at = None);
            self.calm_down(now);
        } else if self.phase == Phase::Outage && !self.votes().tell_an_outage(self.tenants) {
            self.calm_down(now);
        }
    }

    fn note_unreached(&mut self, host: &Arc<str>, tenant: &Tenant, now: Instant) {
        let seen = self.seen(host, tenant, now);
        seen.turned_at.get_or_insert(now);
        self.suspect(now);
    }

    fn suspect(&mut self, now: Instant) {
        let is_recent = |at: Instant| now.duration_since(at) <= WINDOW;
        let is_truce = self.calm_since.is_some_and(|since| now.duration_since(since) < TRUCE);
        if self.phase != Phase::Calm || is_truce {
            return;
        }
        let recent = self.hosts.values().filter(|seen| is_recent(seen.last_attempt)).count();
        let turned = self.hosts.values().filter(|seen| self.has_turned(seen, now)).count();
        if turned >= LEAST_HOSTS && turned * 2 > recent {
            self.phase = Phase::Suspected;
            self.since = Some(now);
        }
    }

    fn calm_down(&mut self, now: Instant) {
        self.phase = Phase::Calm;
        self.since = None;
        self.calm_since = Some(now);
    }

    /// A host that this process has never reached says something only as long as it has reached none:
    /// it may have been dead for long.
    fn has_turned(&self, seen: &Seen, since: Instant) -> bool {
        let is_new = |at: Instant| since.saturating_duration_since(at) <= WINDOW;
        seen.turned_at.is_some_and(is_new) && (seen.reached_at.is_some() || !self.any_reached)
    }

    fn votes(&self) -> Votes {
        let Some(since) = self.since else {
            return Votes { turned_hosts: 0, turned_tenants: 0, reached_hosts: 0, reached_tenants: 0 };
        };
        let is_reached = |seen: &&Seen| seen.reached_at.is_some_and(|at| at >= since);
        let still = |seen: &&Seen| is_reached(seen) && seen.turned_at.is_none();
        let reached: HashSet<_> = self.hosts.values().filter(still).flat_map(|seen| &seen.tenants).collect();
        let turned = || self.hosts.values().filter(|seen| self.has_turned(seen, since));
        let tenants: HashSet<_> = turned().flat_map(|seen| &seen.tenants).collect();
        Votes {
            turned_hosts: turned().count(),
            turned_tenants: tenants.difference(&reached).count(),
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
        Self { tenants: Vec::new(), last_attempt: now, reached_at: None, turned_at: None, probed_at: None }
    }
}

#[cfg(test)]
mod tests;
