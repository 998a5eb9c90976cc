//! Adds to the catalogue what events name, when it is first seen.
//!
//! What was seen is remembered, as hashes, so that the database is asked only about what is new. Every
//! table takes no more than so many: then nothing is asked for a while, whatever comes.

use std::{
    collections::{BTreeSet, HashSet},
    hash::{BuildHasher, Hash, RandomState},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use deadpool_postgres::Transaction;
use posthorn_domain::event::Event;
use tokio_postgres::Error;

/// For so long it is taken for granted that what was seen is still there, and that a full table is
/// still full.
const SURE_FOR: Duration = Duration::from_secs(600);

/// What this process has seen.
pub(crate) struct Seen(Mutex<Memory>);

struct Memory {
    hasher: RandomState,
    known: HashSet<u64>,
    full: Full,
    since: Instant,
}

/// Which tables take no more.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Full {
    event_types: bool,
    companies: bool,
    projects: bool,
}

/// What a batch names that was not seen before, in the order in which it is written.
#[derive(Debug, Default)]
pub(crate) struct Unseen {
    event_types: BTreeSet<String>,
    companies: BTreeSet<String>,
    projects: BTreeSet<(String, String)>,
}

impl Default for Seen {
    fn default() -> Self {
        Self(Mutex::new(Memory {
            hasher: RandomState::new(),
            known: HashSet::new(),
            full: Full::default(),
            since: Instant::now(),
        }))
    }
}

impl Seen {
    /// What these events name and this process has not seen yet.
    pub(crate) fn unseen<'e>(&self, events: impl Iterator<Item = &'e Event>) -> Unseen {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memory.forget_after(SURE_FOR);
        let mut unseen = Unseen::default();
        for event in events {
            let (company, project) = (event.company_id.as_str(), event.project_id.as_str());
            if !memory.full.event_types && !memory.knows(&event.event_type) {
                unseen.event_types.insert(event.event_type.clone());
            }
            if !memory.full.companies && !company.is_empty() && !memory.knows((company,)) {
                unseen.companies.insert(company.to_owned());
            }
            if !memory.full.projects && !project.is_empty() && !memory.knows((company, project)) {
                unseen.projects.insert((company.to_owned(), project.to_owned()));
            }
        }
        unseen
    }

    /// Remembers what was written.
    pub(crate) fn learn(&self, unseen: Unseen, full: Full, most: u32) {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memory.full = Full {
            event_types: memory.full.event_types || full.event_types,
            companies: memory.full.companies || full.companies,
            projects: memory.full.projects || full.projects,
        };
        if memory.known.len() > 3 * most as usize {
            memory.known.clear();
        }
        unseen.event_types.iter().for_each(|name| memory.learn(name.as_str()));
        unseen.companies.iter().for_each(|id| memory.learn((id.as_str(),)));
        unseen.projects.iter().for_each(|(company, id)| memory.learn((company.as_str(), id.as_str())));
    }
}

impl Memory {
    fn knows(&self, named: impl Hash) -> bool {
        self.known.contains(&self.hasher.hash_one(named))
    }

    fn learn(&mut self, named: impl Hash) {
        self.known.insert(self.hasher.hash_one(named));
    }

    fn forget_after(&mut self, time: Duration) {
        if self.since.elapsed() > time {
            self.known.clear();
            self.full = Full::default();
            self.since = Instant::now();
        }
    }
}

impl Unseen {
    /// Writes what is new, to tables that hold fewer than `most`, and tells which are full.
    pub(crate) async fn add(&self, transaction: &Transaction<'_>, most: u32) -> Result<Full, Error> {
        let mut full = Full::default();
        if !self.event_types.is_empty() {
            let names: Vec<_> = self.event_types.iter().map(String::as_str).collect();
            full.event_types = add(transaction, "event_types", &["type"], &[&names], most).await?;
        }
        if !self.companies.is_empty() {
            let ids: Vec<_> = self.companies.iter().map(String::as_str).collect();
            full.companies = add(transaction, "companies", &["id"], &[&ids], most).await?;
        }
        if !self.projects.is_empty() {
            let (companies, ids): (Vec<_>, Vec<_>) =
                self.projects.iter().map(|(company, id)| (company.as_str(), id.as_str())).unzip();
            let keys = ["company_id", "id"];
            full.projects = add(transaction, "projects", &keys, &[&companies, &ids], most).await?;
        }
        Ok(full)
    }
}

/// Writes rows of keys and tells whether the table is full.
async fn add(
    transaction: &Transaction<'_>,
    table: &str,
    keys: &[&str],
    columns: &[&Vec<&str>],
    most: u32,
) -> Result<bool, Error> {
    let of = |table: &str| keys.iter().map(|key| format!("{table}.{key}")).collect::<Vec<_>>().join(", ");
    let (keys, known, seen) = (keys.join(", "), of("known"), of("seen"));
    let arrays: Vec<_> = (2..columns.len() + 2).map(|place| format!("${place}::text[]")).collect();
    let insert = format!(
        "WITH room AS (SELECT greatest($1 - count(*), 0) AS rows FROM {table}),
         added AS (
             INSERT INTO {table} ({keys})
             SELECT * FROM unnest({}) AS seen ({keys})
             WHERE NOT EXISTS (SELECT FROM {table} AS known WHERE ({known}) = ({seen}))
             ORDER BY {keys} LIMIT (SELECT rows FROM room)
             ON CONFLICT DO NOTHING RETURNING 1)
         SELECT (SELECT count(*) FROM added) >= (SELECT rows FROM room)",
        arrays.join(", ")
    );
    let most = i64::from(most);
    let mut values: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = vec![&most];
    values.extend(columns.iter().map(|column| column as &(dyn tokio_postgres::types::ToSql + Sync)));
    let statement = transaction.prepare_cached(&insert).await?;
    Ok(transaction.query_one(&statement, &values).await?.get(0))
}
