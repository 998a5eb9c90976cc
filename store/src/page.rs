//! Pages of large tables.
//!
//! A page looks at a bounded number of rows, in the order of an index, and holds those that fit: what
//! it costs does not depend on how rare they are. So it may hold fewer rows than asked for, or none, and
//! still tell where to go on.

use jiff::Timestamp;

/// The most rows that a page looks at.
pub(crate) const MOST_SCANNED: i64 = 5_000;

/// A place in a table that is ordered by time and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place<Id> {
    /// The time.
    pub at: Timestamp,
    /// The id, among those of the same time.
    pub id: Id,
}

/// Some rows, and where to go on.
#[derive(Debug)]
pub struct Page<T, Id> {
    /// The rows.
    pub rows: Vec<T>,
    /// The place behind which the next page begins; `None` if there is nothing more.
    pub next: Option<Place<Id>>,
}
