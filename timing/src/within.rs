//! A bound on waiting for an answer.

use std::time::Duration;

use tokio::time::timeout;

/// Waits for `work` for at most `limit`. `late` makes the error if that was not enough: one kind of error
/// for both, so that a caller handles a single `Result`.
///
/// # Errors
/// That of `work`, or `late`'s. `work` is dropped then.
pub async fn within<T, E>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
    late: impl FnOnce() -> E,
) -> Result<T, E> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(late()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_never_ends_is_late() {
        let never = std::future::pending::<Result<(), &str>>();
        assert_eq!(within(Duration::ZERO, never, || "late").await, Err("late"));
        assert_eq!(within(Duration::MAX, async { Err::<(), _>("failed") }, || "late").await, Err("failed"));
        assert_eq!(within(Duration::MAX, async { Ok::<_, &str>(1) }, || "late").await, Ok(1));
    }
}
