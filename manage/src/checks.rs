//! Checks of data against the schemas of event types: on threads for it, a few at a time, and fewer of one
//! token, since a check may take up to a second.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    thread::available_parallelism,
    time::Duration,
};

use posthorn_domain::schema::{MOST_WORK, Schema, Schemas};
use posthorn_proto::v1;
use posthorn_store::TypeSchema;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::{
    access::Access,
    error::{Error, Kind, Wrong},
    metrics::{self, Refused},
    shares::Shares,
};

/// The most compiled schemas that are kept.
const MOST_SCHEMAS: usize = 1000;
/// How long a request waits for a thread.
const PATIENCE: Duration = Duration::from_secs(10);

/// The threads, and the schemas compiled so far.
pub(crate) struct Checks {
    threads: Shares<Uuid>,
    schemas: Arc<Mutex<Schemas>>,
}

/// An event, or what is wrong with it.
pub(crate) type Checked = Result<v1::Event, Vec<Wrong>>;

impl Checks {
    pub(crate) fn new() -> Self {
        let threads = available_parallelism().map_or(2, usize::from).max(2);
        let schemas = Arc::new(Mutex::new(Schemas::new(MOST_SCHEMAS)));
        Self { threads: Shares::new(threads, threads / 2), schemas }
    }

    /// Does what takes long on a thread for it.
    ///
    /// # Errors
    /// If none is free for long.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        token: Uuid,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let share = self.threads.take(token, PATIENCE).await.ok_or_else(|| {
            metrics::refused(Refused::Checks);
            Error::new(Kind::Unavailable, "too much is being checked against schemas: try again").after(1)
        })?;
        // If the request ends before, the work goes on, and so does its share.
        let working = spawn_blocking(move || {
            let _share = share;
            work()
        });
        working.await.map_err(|_| Error::new(Kind::Internal, "checking against a schema has failed"))
    }

    /// Checks the data of those events whose type has a schema.
    pub(crate) async fn check(
        &self,
        access: &Access,
        token: Uuid,
        events: Vec<Checked>,
    ) -> Result<Vec<Checked>, Error> {
        let types = events.iter().flatten().map(|event| event.r#type.as_str());
        let found: HashMap<String, Arc<TypeSchema>> =
            types.filter_map(|name| Some((name.to_owned(), access.schema(name)?))).collect();
        if found.is_empty() {
            return Ok(events);
        }
        let schemas = self.schemas.clone();
        let check = move || {
            let compile = |(name, written): (String, Arc<TypeSchema>)| {
                let schema = compiled(&schemas, &name, &written)?;
                Some((name, schema))
            };
            let compiled: HashMap<_, _> = found.into_iter().filter_map(compile).collect();
            let mut work = MOST_WORK;
            events.into_iter().map(|event| check_data(event?, &compiled, &mut work)).collect()
        };
        self.run(token, check).await
    }
}

/// Compiles outside of the lock, at worst twice.
fn compiled(schemas: &Mutex<Schemas>, name: &str, written: &TypeSchema) -> Option<Arc<Schema>> {
    let lock = || schemas.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = lock().get(name, written.revision);
    if kept.is_some() {
        return kept;
    }
    match Schema::compile(written.json.get()) {
        Ok(schema) => {
            let schema = Arc::new(schema);
            lock().keep(name, written.revision, schema.clone());
            Some(schema)
        }
        // It was checked when it was saved: somebody wrote it by other means, or the bounds were wider.
        Err(problems) => {
            let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
            let told = told.join("; ");
            tracing::error!(event.r#type = name, "cannot check data, its schema is wrong: {told}");
            None
        }
    }
}

fn check_data(event: v1::Event, schemas: &HashMap<String, Arc<Schema>>, work: &mut u64) -> Checked {
    let (Some(schema), Some(v1::event::Data::Json(data))) = (schemas.get(&event.r#type), &event.data) else {
        return Ok(event);
    };
    match schema.check_within(&String::from_utf8_lossy(data), work) {
        Ok(()) => Ok(event),
        Err(problems) => Err(problems.into_iter().map(|problem| Wrong::of("/data", problem)).collect()),
    }
}
