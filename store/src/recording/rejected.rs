//! Messages that are no events: each is a row, and the bytes of some are kept.
//!
//! A publisher that sends nothing else must not fill the disk: bytes are kept while there is room, and the
//! janitor makes room again by forgetting those of the oldest.

use bytes::Bytes;
use deadpool_postgres::Transaction;
use posthorn_domain::journal::Rejected;
use tokio_postgres::Error;

use super::rows::{clean, column};
use crate::days::day_of;

/// Writes them; `most_bytes` are kept in all, over about. Tells of how many the bytes were not kept.
pub(super) async fn add(
    transaction: &Transaction<'_>,
    rows: &mut [&Rejected],
    most_bytes: u64,
) -> Result<usize, Error> {
    if rows.is_empty() {
        return Ok(0);
    }
    rows.sort_unstable_by_key(|row| (row.rejected_at, row.id));
    let total =
        transaction.prepare_cached("SELECT coalesce(sum(bytes), 0)::bigint FROM rejected_bytes").await?;
    let used: i64 = transaction.query_one(&total, &[]).await?.get(0);
    let kept = keep(rows, most_bytes.saturating_sub(used.unsigned_abs()));
    let insert = "WITH added AS (
                      INSERT INTO rejected_events (rejected_on, id, rejected_at, field, reason, routing_key,
                                                   message_id, size, message)
                      SELECT * FROM unnest($1::date[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[],
                                           $6::text[], $7::text[], $8::bigint[], $9::bytea[])
                      ON CONFLICT DO NOTHING RETURNING rejected_on, octet_length(message) AS bytes)
                  INSERT INTO rejected_bytes AS total (day, bytes)
                  SELECT rejected_on, sum(bytes) FROM added GROUP BY 1 ORDER BY 1
                  ON CONFLICT (day) DO UPDATE SET bytes = total.bytes + excluded.bytes";
    let statement = transaction.prepare_cached(insert).await?;
    transaction
        .execute(
            &statement,
            &[
                &column!(rows.iter(), row => day_of(row.rejected_at)),
                &column!(rows.iter(), row => row.id),
                &column!(rows.iter(), row => row.rejected_at),
                &column!(rows.iter(), row => row.field.label()),
                &column!(rows.iter(), row => clean(&row.reason)),
                &column!(rows.iter(), row => clean(&row.routing_key)),
                &column!(rows.iter(), row => clean(&row.message_id)),
                &column!(rows.iter(), row => i64::try_from(row.size).unwrap_or(i64::MAX)),
                &column!(kept.iter(), message => Bytes::as_ref(message)),
            ],
        )
        .await?;
    Ok(rows.iter().zip(&kept).filter(|(row, message)| row.size > message.len() as u64).count())
}

/// The messages, empty where there is no room for one.
fn keep(rows: &[&Rejected], mut room: u64) -> Vec<Bytes> {
    let keep = |row: &&Rejected| {
        let bytes = row.message.len() as u64;
        if bytes > room {
            return Bytes::new();
        }
        room -= bytes;
        row.message.clone()
    };
    rows.iter().map(keep).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use posthorn_domain::event::Field;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_there_is_room_for_is_kept() {
        let rejected = |bytes: usize| Rejected {
            id: Uuid::nil(),
            rejected_at: Timestamp::UNIX_EPOCH,
            field: Field::Message,
            reason: String::new(),
            routing_key: String::new(),
            message_id: String::new(),
            size: bytes as u64,
            message: vec![7; bytes].into(),
        };
        let rows = [rejected(5), rejected(6), rejected(4), rejected(2)];
        let kept = keep(&rows.iter().collect::<Vec<_>>(), 10);
        assert_eq!(kept.iter().map(Bytes::len).collect::<Vec<_>>(), [5, 0, 4, 0]);
    }
}
