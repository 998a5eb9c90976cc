//! The wishes that are filed under one key.

use hashbrown::HashSet;

use super::wish::Wish;

/// One wish or many; taking one out is quick either way.
#[derive(Debug, Default)]
pub(super) enum Posting {
    #[default]
    None,
    One(Wish),
    Many(Box<HashSet<Wish, ahash::RandomState>>),
}

impl Posting {
    /// Once, however often it is put.
    pub(super) fn put(&mut self, wish: &Wish) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(wish.clone()),
            Self::One(known) if known == *wish => Self::One(known),
            Self::One(known) => Self::Many(Box::new([known, wish.clone()].into_iter().collect())),
            Self::Many(mut known) => {
                known.insert(wish.clone());
                Self::Many(known)
            }
        };
    }

    /// Whether nothing is left.
    pub(super) fn remove(&mut self, wish: &Wish) -> bool {
        match self {
            Self::None => {}
            Self::One(known) if known == wish => *self = Self::None,
            Self::One(_) => {}
            Self::Many(known) => {
                known.remove(wish);
                if known.is_empty() {
                    *self = Self::None;
                }
            }
        }
        self.is_empty()
    }

    pub(super) fn each<'p>(&'p self, found: impl FnMut(&'p Wish)) {
        match self {
            Self::None => {}
            Self::One(wish) => std::iter::once(wish).for_each(found),
            Self::Many(wishes) => wishes.iter().for_each(found),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }
}
