//! Entries by networks, found by an address in one of them.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{entry::Entry, posting::Posting};

#[derive(Debug, Default)]
pub(super) struct Networks {
    postings: HashMap<IpNet, Posting, ahash::RandomState>,
    /// How many networks have a prefix length, by whether they are of version 4.
    lengths: BTreeMap<(bool, u8), usize>,
}

impl Networks {
    pub(super) fn insert(&mut self, network: &IpNet, entry: &Entry) {
        let network = network.trunc();
        let posting = self.postings.entry(network).or_insert_with(|| {
            *self.lengths.entry(length(&network)).or_default() += 1;
            Posting::None
        });
        posting.insert(entry);
    }

    pub(super) fn remove(&mut self, network: &IpNet, entry: &Entry) {
        let network = network.trunc();
        if !self.postings.get_mut(&network).is_some_and(|posting| posting.remove(entry)) {
            return;
        }
        self.postings.remove(&network);
        if let Some(count) = self.lengths.get_mut(&length(&network)) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&length(&network));
            }
        }
    }

    /// Calls `found` with the entries whose networks contain the address.
    pub(super) fn holding<'n>(&'n self, address: IpAddr, mut found: impl FnMut(&'n Entry)) {
        let of_its_kind = (address.is_ipv4(), 0)..=(address.is_ipv4(), u8::MAX);
        for (&(_, bits), _) in self.lengths.range(of_its_kind) {
            let network = IpNet::new(address, bits).ok().map(|network| network.trunc());
            if let Some(posting) = network.and_then(|network| self.postings.get(&network)) {
                posting.each(&mut found);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.postings.is_empty()
    }
}

fn length(network: &IpNet) -> (bool, u8) {
    (network.addr().is_ipv4(), network.prefix_len())
}
