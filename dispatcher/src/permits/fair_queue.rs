//! Who gets the next permit: counts and queues, no tasks.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use posthorn_domain::{id::WebhookId, tenant::Tenant};

/// How much of the permits that are its own or free one may have, in percent; 100 is no limit.
#[derive(Debug, Clone, Copy)]
pub struct Shares {
    /// A tenant.
    pub tenant: u8,
    /// A receiving host.
    pub host: u8,
}

/// For what a permit is.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) tenant: Tenant,
    pub(crate) host: Arc<str>,
    pub(crate) webhook: WebhookId,
}

/// Finds what waits again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// The permits and those who wait for them. Between two calls nobody waits who could have one. It knows
/// only who has a permit or waits.
pub(crate) struct FairQueue<T> {
    shares: Shares,
    free: usize,
    tenants: HashMap<Tenant, TenantQueue<T>>,
    hosts: HashMap<Arc<str>, usize>,
    /// The tenants that wait, the next one first.
    order: VecDeque<Tenant>,
    tickets: u64,
}

/// A tenant.
struct TenantQueue<T> {
    taken: usize,
    waiting: usize,
    webhooks: HashMap<WebhookId, WebhookQueue<T>>,
    /// The webhooks that wait, the next one first.
    order: VecDeque<WebhookId>,
}

/// A webhook.
struct WebhookQueue<T> {
    taken: usize,
    waiting: VecDeque<Waiter<T>>,
}

struct Waiter<T> {
    ticket: Ticket,
    /// A webhook's host can change while it waits.
    host: Arc<str>,
    grant: T,
}

/// Whether one that has `taken` may have one more while `free` are free.
fn fits(taken: usize, free: usize, share: u8) -> bool {
    free > 0 && (taken == 0 || taken * 100 < (taken + free) * usize::from(share))
}

/// How many more it may have.
fn room(taken: usize, free: usize, share: u8) -> usize {
    ((taken + free) * usize::from(share) / 100).saturating_sub(taken).min(free).max(usize::from(taken == 0))
}

impl<T> FairQueue<T> {
    pub(crate) fn new(permits: usize, shares: Shares) -> Self {
        let (tenants, hosts, order) = Default::default();
        Self { shares, free: permits, tenants, hosts, order, tickets: 0 }
    }

    /// Takes a permit if there is one for it now.
    pub(crate) fn take(&mut self, who: &Who) -> bool {
        let is_allowed = self.allows(&who.tenant, &who.host, who.webhook);
        if is_allowed {
            self.count(who);
        }
        is_allowed
    }

    /// Gives a permit back. Whoever can have one now comes out of [`FairQueue::next`].
    pub(crate) fn give_back(&mut self, who: &Who) {
        self.free += 1;
        if let Some(taken) = self.hosts.get_mut(&who.host) {
            *taken -= 1;
            if *taken == 0 {
                self.hosts.remove(&who.host);
            }
        }
        if let Some(line) = self.tenants.get_mut(&who.tenant) {
            line.taken -= 1;
            if let Some(one) = line.webhooks.get_mut(&who.webhook) {
                one.taken -= 1;
            }
        }
        self.tidy(who);
    }

    /// How many wait of a tenant.
    pub(crate) fn waiting(&self, tenant: &Tenant) -> usize {
        self.tenants.get(tenant).map_or(0, |line| line.waiting)
    }

    /// Waits; `grant` comes out of [`FairQueue::next`].
    pub(crate) fn wait(&mut self, who: &Who, grant: T) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let line = self.tenants.entry(who.tenant.clone()).or_insert_with(TenantQueue::new);
        if line.order.is_empty() {
            self.order.push_back(who.tenant.clone());
        }
        let one = line.webhooks.entry(who.webhook).or_insert_with(WebhookQueue::new);
        if one.waiting.is_empty() {
            line.order.push_back(who.webhook);
        }
        line.waiting += 1;
        one.waiting.push_back(Waiter { ticket, host: who.host.clone(), grant });
        ticket
    }

    /// Waits no longer; tells whether it still did.
    pub(crate) fn leave(&mut self, who: &Who, ticket: Ticket) -> bool {
        let Some(line) = self.tenants.get_mut(&who.tenant) else { return false };
        let Some(one) = line.webhooks.get_mut(&who.webhook) else { return false };
        let Some(position) = one.waiting.iter().position(|waiter| waiter.ticket == ticket) else {
            return false;
        };
        one.waiting.remove(position);
        line.waiting -= 1;
        if one.waiting.is_empty() {
            line.order.retain(|webhook| *webhook != who.webhook);
        }
        if line.order.is_empty() {
            self.order.retain(|tenant| *tenant != who.tenant);
        }
        self.tidy(who);
        true
    }

    /// Takes a permit for the next of those who wait and can have one.
    pub(crate) fn next(&mut self) -> Option<T> {
        for _ in 0..self.order.len() {
            let tenant = self.order.pop_front()?;
            let next = self.next_of(&tenant);
            if self.tenants.get(&tenant).is_some_and(|line| !line.order.is_empty()) {
                self.order.push_back(tenant);
            }
            if let Some((who, grant)) = next {
                self.count(&who);
                return Some(grant);
            }
        }
        None
    }

    fn next_of(&mut self, tenant: &Tenant) -> Option<(Who, T)> {
        let waiting = self.tenants.get(tenant)?;
        if !fits(waiting.taken, self.free, self.shares.tenant) {
            return None;
        }
        let allowed = waiting.order.iter().position(|webhook| {
            let first = waiting.webhooks.get(webhook).and_then(|one| one.waiting.front());
            first.is_some_and(|waiter| self.allows(tenant, &waiter.host, *webhook))
        })?;
        let line = self.tenants.get_mut(tenant)?;
        line.order.rotate_left(allowed);
        let webhook = line.order.pop_front()?;
        let one = line.webhooks.get_mut(&webhook)?;
        let Waiter { host, grant, .. } = one.waiting.pop_front()?;
        line.waiting -= 1;
        if !one.waiting.is_empty() {
            line.order.push_back(webhook);
        }
        Some((Who { tenant: tenant.clone(), host, webhook }, grant))
    }

    fn allows(&self, tenant: &Tenant, host: &str, webhook: WebhookId) -> bool {
        let line = self.tenants.get(tenant);
        let taken = line.map_or(0, |line| line.taken);
        let of_webhook = line.and_then(|line| line.webhooks.get(&webhook)).map_or(0, |one| one.taken);
        let of_host = self.hosts.get(host).copied().unwrap_or_default();
        fits(taken, self.free, self.shares.tenant)
            && fits(of_host, self.free, self.shares.host)
            && fits(of_webhook, room(taken, self.free, self.shares.tenant), self.shares.tenant)
    }

    fn count(&mut self, who: &Who) {
        self.free -= 1;
        *self.hosts.entry(who.host.clone()).or_default() += 1;
        let line = self.tenants.entry(who.tenant.clone()).or_insert_with(TenantQueue::new);
        line.taken += 1;
        line.webhooks.entry(who.webhook).or_insert_with(WebhookQueue::new).taken += 1;
    }

    /// Forgets who has no permit and does not wait.
    fn tidy(&mut self, who: &Who) {
        let Some(line) = self.tenants.get_mut(&who.tenant) else { return };
        let is_idle = |one: &WebhookQueue<T>| one.taken == 0 && one.waiting.is_empty();
        if line.webhooks.get(&who.webhook).is_some_and(is_idle) {
            line.webhooks.remove(&who.webhook);
        }
        if line.webhooks.is_empty() {
            self.tenants.remove(&who.tenant);
        }
    }
}

impl<T> TenantQueue<T> {
    fn new() -> Self {
        Self { taken: 0, waiting: 0, webhooks: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> WebhookQueue<T> {
    fn new() -> Self {
        Self { taken: 0, waiting: VecDeque::new() }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const HALVES: Shares = Shares { tenant: 50, host: 50 };

    fn who(tenant: &str, host: &str, webhook: u128) -> Who {
        let (tenant, webhook) = (Tenant::Company(tenant.into()), WebhookId(Uuid::from_u128(webhook)));
        Who { tenant, host: host.into(), webhook }
    }

    /// How many it gets, one after the other.
    fn takes(queue: &mut FairQueue<u32>, who: &Who) -> usize {
        (0..10_000).take_while(|_| queue.take(who)).count()
    }

    #[test]
    fn however_many_hog_there_is_room_for_the_next() {
        let mut queue = FairQueue::new(200, HALVES);
        let hogs: Vec<_> = (1..=3).map(|hog| takes(&mut queue, &who("a", &format!("a{hog}"), hog))).collect();
        assert_eq!(hogs, [50, 25, 13], "each webhook leaves room for the tenant's others");
        assert!(queue.tenants[&Tenant::Company("a".into())].taken <= 100);
        let other = who("b", "b", 10);
        assert_eq!(takes(&mut queue, &other), 28, "and each tenant for other tenants");
        assert!(queue.take(&who("c", "c", 11)));
    }

    #[test]
    fn a_host_leaves_room_for_others_whosever_webhooks_it_has() {
        let mut queue = FairQueue::new(80, HALVES);
        let of_one_host: usize = (0..20).map(|n| takes(&mut queue, &who(&format!("t{n}"), "same", n))).sum();
        assert_eq!(of_one_host, 40);
        assert!(queue.take(&who("t1", "other", 30)), "the tenants may go on elsewhere");
    }

    #[test]
    fn a_share_of_a_hundred_percent_is_no_limit() {
        let mut queue = FairQueue::new(10, Shares { tenant: 100, host: 100 });
        assert_eq!(takes(&mut queue, &who("a", "a", 1)), 10);
    }

    #[test]
    fn few_permits_serve_everybody_in_turn() {
        let mut queue = FairQueue::new(1, HALVES);
        let (a, b) = (who("a", "a", 1), who("b", "b", 2));
        assert!(queue.take(&a));
        assert!(!queue.take(&b));
        queue.wait(&a, 1);
        queue.wait(&a, 2);
        queue.wait(&b, 3);
        let mut served = Vec::new();
        for owner in [&a, &a, &b] {
            queue.give_back(owner);
            served.extend(queue.next());
        }
        assert_eq!(served, [1, 3, 2], "round robin over tenants");
    }

    #[test]
    fn what_waits_behind_a_full_share_holds_up_nobody_else() {
        let mut queue = FairQueue::new(16, HALVES);
        let (hog, same_tenant, other) = (who("a", "a", 1), who("a", "x", 2), who("b", "b", 3));
        let taken = takes(&mut queue, &hog);
        (0..5).for_each(|n| _ = queue.wait(&hog, n));
        assert_eq!(queue.waiting(&hog.tenant), 5);
        assert_eq!(queue.next(), None);
        assert!(queue.take(&other) && queue.take(&same_tenant));
        (0..taken).for_each(|_| queue.give_back(&hog));
        let served: Vec<_> = std::iter::from_fn(|| queue.next()).collect();
        assert_eq!(served, [0, 1, 2], "in order, as many as fit");
        assert_eq!(queue.waiting(&hog.tenant), 2);
    }

    #[test]
    fn who_leaves_is_forgotten() {
        let mut queue = FairQueue::new(1, HALVES);
        let (a, b) = (who("a", "a", 1), who("b", "b", 2));
        assert!(queue.take(&a));
        let ticket = queue.wait(&b, 1);
        assert!(queue.leave(&b, ticket));
        assert!(!queue.leave(&b, ticket), "it has left, or was served");
        queue.give_back(&a);
        assert_eq!(queue.next(), None);
        assert!(queue.tenants.is_empty() && queue.hosts.is_empty() && queue.order.is_empty());
    }
}
