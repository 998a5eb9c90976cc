//! Counts in SQL: their columns, their sums, and how minutes become hours.

use std::sync::LazyLock;

use posthorn_domain::statistics::BUCKETS;

pub(crate) const COUNTS: [&str; 7] =
    ["events", "accepted", "refused", "gone", "unreachable", "interrupted", "failed"];

/// The sums of all counts, by their names.
pub(crate) static SUMS: LazyLock<String> = LazyLock::new(|| {
    let counts = COUNTS.map(|name| format!("coalesce(sum({name}), 0)::bigint AS {name}"));
    let latency: Vec<_> =
        (1..=BUCKETS).map(|place| format!("coalesce(sum(latency[{place}]), 0)::bigint")).collect();
    format!("{}, ARRAY[{}] AS latency", counts.join(", "), latency.join(", "))
});

/// Statements that fold a partition of minutes into hours and drop it, all or nothing. What is being
/// written into it waits, so that nothing is left out.
pub(crate) fn folding(partition: &str) -> String {
    let latency: Vec<_> = (1..=BUCKETS)
        .map(|place| format!("statistics_hours.latency[{place}] + excluded.latency[{place}]"))
        .collect();
    let counts = COUNTS.map(|name| format!("{name} = statistics_hours.{name} + excluded.{name}"));
    format!(
        "BEGIN; SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = '10min';
         LOCK TABLE \"{partition}\" IN SHARE MODE;
         INSERT INTO statistics_hours (webhook_id, hour, {}, latency)
         SELECT webhook_id, date_trunc('hour', minute, 'UTC'), {} FROM \"{partition}\" GROUP BY 1, 2 ORDER BY 1, 2
         ON CONFLICT (webhook_id, hour) DO UPDATE SET {}, latency = ARRAY[{}];
         DROP TABLE \"{partition}\"; COMMIT",
        COUNTS.join(", "),
        *SUMS,
        counts.join(", "),
        latency.join(", ")
    )
}
