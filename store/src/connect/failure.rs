//! Why there is no connection, in words.

use deadpool_postgres::{PoolError, TimeoutType};

use super::trust::not_trusted;
use crate::error::StoreError;

/// There is no connection, for this reason.
pub(crate) fn no_connection(error: tokio_postgres::Error) -> StoreError {
    let refusal = error.as_db_error().map(|refused| refused.message().to_owned());
    StoreError::NoConnection(match (not_trusted(&error), refusal) {
        (Some(reason), _) => Box::new(reason.clone()),
        (None, Some(refusal)) => refusal.into(),
        (None, None) => Box::new(error),
    })
}

/// The pool gives none.
pub(crate) fn of_pool(error: PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => no_connection(error),
        PoolError::Timeout(TimeoutType::Wait) => {
            StoreError::NoConnection("all of this process's connections are in use".into())
        }
        PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => StoreError::silent(),
        other @ (PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_)) => {
            StoreError::NoConnection(Box::new(other))
        }
    }
}
