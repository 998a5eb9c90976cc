//! Networks, found by an address in them.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{posting::Posting, wish::Wish};

#[derive(Debug, Default)]
pub(super) struct Networks {
    filed: HashMap<IpNet, Posting, ahash::RandomState>,
    /// How many networks have so many bits, by whether they are of version 4.
    lengths: BTreeMap<(bool, u8), usize>,
}

impl Networks {
    pub(super) fn put(&mut self, network: &IpNet, wish: &Wish) {
        let network = network.trunc();
        let posting = self.filed.entry(network).or_insert_with(|| {
            *self.lengths.entry(length(&network)).or_default() += 1;
            Posting::None
        });
        posting.put(wish);
    }

    pub(super) fn remove(&mut self, network: &IpNet, wish: &Wish) {
        let network = network.trunc();
        if !self.filed.get_mut(&network).is_some_and(|posting| posting.remove(wish)) {
            return;
        }
        self.filed.remove(&network);
        if let Some(count) = self.lengths.get_mut(&length(&network)) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&length(&network));
            }
        }
    }

    /// Hands over the wishes in whose networks the address lies.
    pub(super) fn holding<'n>(&'n self, address: IpAddr, mut found: impl FnMut(&'n Wish)) {
        let of_its_kind = (address.is_ipv4(), 0)..=(address.is_ipv4(), u8::MAX);
        for (&(_, bits), _) in self.lengths.range(of_its_kind) {
            let network = IpNet::new(address, bits).ok().map(|network| network.trunc());
            if let Some(posting) = network.and_then(|network| self.filed.get(&network)) {
                posting.each(&mut found);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.filed.is_empty()
    }
}

fn length(network: &IpNet) -> (bool, u8) {
    (network.addr().is_ipv4(), network.prefix_len())
}
