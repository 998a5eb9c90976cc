//! Shares of what is scarce: so many at a time in all, and fewer of one tenant, so that none takes all.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// So many tenants are remembered before those that hold nothing are forgotten.
const MANY: usize = 1000;

/// What is shared among tenants.
pub(crate) struct Shares<K> {
    all: Arc<Semaphore>,
    of_one: usize,
    tenants: Mutex<HashMap<K, Arc<Semaphore>>>,
}

/// One taken; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    _of_one: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl<K: Hash + Eq> Shares<K> {
    /// `all` at a time, `of_one` of each tenant.
    pub(crate) fn new(all: usize, of_one: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), of_one, tenants: Mutex::default() }
    }

    /// Takes one, if one is free.
    pub(crate) fn try_take(&self, tenant: K) -> Option<Share> {
        let of_one = self.tenant(tenant).try_acquire_owned().ok()?;
        let of_all = self.all.clone().try_acquire_owned().ok()?;
        Some(Share { _of_one: of_one, _of_all: of_all })
    }

    /// Takes one, waiting for that time at most. Who waits for its own share holds nothing of the others'.
    pub(crate) async fn take(&self, tenant: K, within: Duration) -> Option<Share> {
        let tenant = self.tenant(tenant);
        let taking = async {
            let of_one = tenant.acquire_owned().await.ok()?;
            let of_all = self.all.clone().acquire_owned().await.ok()?;
            Some(Share { _of_one: of_one, _of_all: of_all })
        };
        timeout(within, taking).await.ok().flatten()
    }

    fn tenant(&self, tenant: K) -> Arc<Semaphore> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= MANY {
            tenants.retain(|_, of_one| Arc::strong_count(of_one) > 1);
        }
        tenants.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(self.of_one))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tenant_leaves_room_for_another() {
        let shares = Shares::new(3, 2);
        let (first, _second) = (shares.try_take("a").unwrap(), shares.try_take("a").unwrap());
        assert!(shares.try_take("a").is_none());
        let _other = shares.try_take("b").unwrap();
        assert!(shares.try_take("c").is_none());
        drop(first);
        assert!(shares.try_take("a").is_some());
    }

    #[test]
    fn who_holds_nothing_is_forgotten() {
        let shares = Shares::new(10, 1);
        let _held = shares.try_take(0).unwrap();
        (1..3 * MANY).for_each(|tenant| drop(shares.try_take(tenant)));
        assert!(shares.tenants.lock().unwrap().len() <= MANY && shares.try_take(0).is_none());
    }
}
