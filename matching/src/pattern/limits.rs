//! How large a pattern may be.

/// The bounds that a pattern must keep; the default is what the documentation states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The length of its text in bytes.
    pub bytes: usize,
    /// Fields with a list of values.
    pub fields: usize,
    /// How deep objects are nested, those in `$or` included.
    pub depth: usize,
    /// How many values a field has, those in the lists of its operators included.
    pub values: usize,
    /// How many alternatives all `$or` together come to.
    pub branches: usize,
    /// How many `*` a wildcard has.
    pub stars: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 16 << 10, fields: 50, depth: 10, values: 100, branches: 64, stars: 5 }
    }
}

impl Limits {
    /// Above the highest that an operator can set. What was saved within those is read within these:
    /// PostgreSQL gives back 1e308 with all its zeros.
    pub const HIGHEST: Self =
        Self { bytes: 64 << 20, fields: 1000, depth: 50, values: 10_000, branches: 1024, stars: 50 };
}
