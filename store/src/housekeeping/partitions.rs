//! Partitions by day: made ahead, and dropped when they are older than the retention.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use deadpool_postgres::Transaction;
use jiff::{ToSpan, civil::Date};

use crate::{connect::Pool, counts::folding, error::StoreError};

/// The partitioned tables of what happened, kept as long as the retention says.
const TABLES: [&str; 5] = ["events", "event_conflicts", "attempts", "rejected_events", "dropped_deliveries"];
/// The partitioned table of what was counted, which is folded into hours.
const COUNTED: &str = "statistics_minutes";
const PARTITION_LOCK: i64 = 0x7057_4852_0002;
/// How many days ahead partitions are made.
const DAYS_AHEAD: i32 = 3;

/// The days whose partitions this process has seen.
#[derive(Default)]
struct KnownDays(Mutex<HashSet<Date>>);

impl KnownDays {
    fn without(&self, days: impl IntoIterator<Item = Date>) -> Vec<Date> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        days.into_iter().filter(|day| !known.contains(day)).collect()
    }

    fn add(&self, days: &[Date]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(days);
    }

    fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Partitions, as this process knows them.
#[derive(Clone)]
pub(crate) struct Partitions {
    pool: Pool,
    known_days: Arc<KnownDays>,
}

impl Partitions {
    pub(crate) fn new(pool: Pool) -> Self {
        Self { pool, known_days: Arc::default() }
    }

    /// Forgets which partitions there are: somebody else may have dropped some.
    pub(crate) fn forget(&self) {
        self.known_days.forget();
    }

    /// Makes the partitions of these days where they are missing.
    pub(crate) async fn ensure_days(&self, days: impl IntoIterator<Item = Date>) -> Result<(), StoreError> {
        let missing = self.known_days.without(days);
        if missing.is_empty() {
            return Ok(());
        }
        let task = StoreError::query("make a partition");
        let mut client = self.pool.client().await?;
        let made = async {
            let transaction = client.transaction().await?;
            lock(&transaction).await?;
            for day in &missing {
                for table in TABLES.into_iter().chain([COUNTED]) {
                    transaction.batch_execute(&creation(table, *day)).await?;
                }
            }
            transaction.commit().await
        };
        made.await.map_err(task)?;
        self.known_days.add(&missing);
        Ok(())
    }

    /// Makes the partitions of today and the next days, and drops those of days before `oldest`.
    /// Returns the names of the dropped.
    pub(crate) async fn maintain(&self, today: Date, oldest: Date) -> Result<Vec<String>, StoreError> {
        self.ensure_days((-1..=DAYS_AHEAD).map(|ahead| today.saturating_add(ahead.days()))).await?;
        self.drop_old(&TABLES, oldest, |name| {
            // One at a time, and not behind a long query: what is being written waits behind us.
            format!("BEGIN; SET LOCAL lock_timeout = '1s'; DROP TABLE \"{name}\"; COMMIT")
        })
        .await
    }

    /// Folds the minutes of days before `oldest` into hours. Returns the names of the partitions that
    /// are gone.
    pub(crate) async fn fold_minutes(&self, oldest: Date) -> Result<Vec<String>, StoreError> {
        self.drop_old(&[COUNTED], oldest, folding).await
    }

    async fn drop_old(
        &self,
        tables: &[&str],
        oldest: Date,
        dropping: impl Fn(&str) -> String,
    ) -> Result<Vec<String>, StoreError> {
        let client = self.pool.client().await?;
        let query = "SELECT child.relname FROM pg_inherits
                     JOIN pg_class child ON child.oid = inhrelid
                     WHERE inhparent = ANY ($1::text[]::regclass[]) ORDER BY 1";
        let task = StoreError::query("look for old partitions");
        let rows = client.query(query, &[&tables]).await.map_err(task)?;
        let names = rows.iter().map(|row| row.get::<_, String>(0));
        let old: Vec<_> = names.filter(|name| named_day(name).is_some_and(|day| day < oldest)).collect();
        for name in &old {
            if let Err(error) = client.batch_execute(&dropping(name)).await {
                client.batch_execute("ROLLBACK").await.map_err(StoreError::query("drop a partition"))?;
                return Err(StoreError::query("drop a partition")(error));
            }
        }
        if !old.is_empty() {
            self.known_days.forget();
        }
        Ok(old)
    }
}

async fn lock(transaction: &Transaction<'_>) -> Result<u64, tokio_postgres::Error> {
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&PARTITION_LOCK]).await
}

fn creation(table: &str, day: Date) -> String {
    let next = day.saturating_add(1.day());
    let name = partition(table, day);
    format!("CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} FOR VALUES FROM ('{day}') TO ('{next}')")
}

fn partition(table: &str, day: Date) -> String {
    format!("{table}_{}", day.strftime("%Y%m%d"))
}

fn named_day(partition: &str) -> Option<Date> {
    let (_, digits) = partition.rsplit_once('_')?;
    Date::strptime("%Y%m%d", digits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_named_after_its_day() {
        let day = jiff::civil::date(2026, 11, 3);
        assert_eq!(partition("rejected_events", day), "rejected_events_20261103");
        assert_eq!(named_day("rejected_events_20261103"), Some(day));
        assert_eq!(named_day("rejected_events"), None);
        assert!(creation("events", day).ends_with("FROM ('2026-11-03') TO ('2026-11-04')"));
    }
}
