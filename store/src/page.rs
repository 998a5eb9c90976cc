//! Pages of large tables.
//!
//! A page looks at a bounded number of rows, in the order of an index, and holds those that fit: what
//! it costs does not depend on how rare they are. So it may hold fewer rows than asked for, or none, and
//! still tell where to go on.

use jiff::Timestamp;
use tokio_postgres::{Row, types::FromSqlOwned};

use crate::{conditions::Conditions, connect::Pool, days::day_of, error::StoreError};

/// The most rows that a page looks at.
const MOST_SCANNED: usize = 2_000;

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

/// A table whose rows are listed, the latest first.
pub(crate) struct Listing {
    /// What is being done.
    pub(crate) task: &'static str,
    /// The table.
    pub(crate) table: &'static str,
    /// What is read of it.
    pub(crate) columns: &'static str,
    /// The day of its partition.
    pub(crate) day: &'static str,
    /// The time that it is ordered by,
    pub(crate) time: &'static str,
    /// and by this after that.
    pub(crate) id: &'static str,
}

impl Listing {
    /// Conditions that keep the rows to a time, and behind a place.
    pub(crate) fn between<Id: tokio_postgres::types::ToSql + Sync + Send + Clone + 'static>(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        behind: Option<&Place<Id>>,
    ) -> Conditions {
        let Self { day, time, id: key, .. } = self;
        let mut conditions = Conditions::default();
        conditions.scan_if(&format!("{day} >= {{}}"), since.map(day_of));
        conditions.scan_if(&format!("{time} >= {{}}"), since);
        conditions.scan_if(&format!("{day} <= {{}}"), until.map(day_of));
        conditions.scan_if(&format!("{time} < {{}}"), until);
        if let Some(Place { at, id }) = behind {
            conditions.scan_if(&format!("{day} <= {{}}"), Some(day_of(*at)));
            let (at, id) = (conditions.value(*at), conditions.value(id.clone()));
            conditions.scan(format!("({time}, {key}) < ({at}, {id})"));
        }
        conditions
    }
}

impl Pool {
    /// A page of a table.
    pub(crate) async fn page<T, Id: FromSqlOwned>(
        &self,
        listing: &Listing,
        conditions: &Conditions,
        limit: usize,
        read: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Page<T, Id>, StoreError> {
        let Listing { task, table, columns, time, id, .. } = listing;
        let (scan, filter) = (conditions.scan_sql(), conditions.filter_sql());
        let order = format!("ORDER BY {time} DESC, {id} DESC");
        // The inner query gives rows in order, one by one, as long as the outer one wants more.
        let query = format!(
            "SELECT * FROM (SELECT {columns} FROM {table} WHERE {scan} {order} LIMIT {MOST_SCANNED}) AS scanned
             WHERE {filter} LIMIT {limit}"
        );
        let client = self.client().await?;
        let rows = client.query(&query, &conditions.values()).await.map_err(StoreError::query(task))?;
        let end = match rows.last().filter(|_| rows.len() == limit) {
            Some(last) => Some(Place { at: last.get(*time), id: last.get(*id) }),
            None => {
                let query = format!(
                    "SELECT {time}, {id} FROM {table} WHERE {scan} {order} OFFSET {MOST_SCANNED} - 1 LIMIT 1"
                );
                let last = client.query_opt(&query, &conditions.scan_values()).await;
                let last = last.map_err(StoreError::query(task))?;
                last.map(|last| Place { at: last.get(0), id: last.get(1) })
            }
        };
        Ok(Page { rows: rows.iter().map(read).collect::<Result<_, _>>()?, next: end })
    }
}
