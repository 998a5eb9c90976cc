//! The arguments of queues and exchanges.

use std::time::Duration;

use lapin::types::{AMQPValue, FieldTable};

use crate::config::QueueType;

/// How often a message may come back to a queue before the broker drops it. Given always, since
/// brokers from 4.0 drop at 20; so high that our own treatment of such messages comes first.
const DELIVERY_LIMIT: i64 = 1_000_000;
/// How often an event may come back before it is routed alone, and before nobody tries any more. All
/// that is in flight comes back with the one that is at fault, so a few times suffice; the broker counts,
/// since a message may end the session, or the process, before a router sees it.
const EVENT_RETURNS: i64 = 3;

pub(super) fn arguments(kind: QueueType) -> FieldTable {
    let mut table = FieldTable::default();
    put_text(&mut table, "x-queue-type", kind.name());
    if kind == QueueType::Quorum {
        put_number(&mut table, "x-delivery-limit", DELIVERY_LIMIT);
    }
    table
}

/// Of a queue whose messages go on to `exchange` after `delay`. No dead-letter routing key: a message keeps
/// its own, the webhook's id.
pub(super) fn retry(delay: Duration, exchange: &str) -> FieldTable {
    let mut table = arguments(QueueType::Quorum);
    put_number(&mut table, "x-message-ttl", i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
    dead_letter(&mut table, exchange);
    table
}

/// What comes back too often goes on to this exchange.
pub(super) fn limited(exchange: &str) -> FieldTable {
    let mut table = arguments(QueueType::Quorum);
    put_number(&mut table, "x-delivery-limit", EVENT_RETURNS);
    dead_letter(&mut table, exchange);
    table
}

/// Of an exchange that hands on to `exchange` what it cannot route.
pub(super) fn alternate(exchange: &str) -> FieldTable {
    let mut table = FieldTable::default();
    put_text(&mut table, "alternate-exchange", exchange);
    table
}

/// At least once: the broker forgets what is dead only after its next queue has it. Such a queue must
/// refuse what it has no room for, and has no limit of its length.
fn dead_letter(table: &mut FieldTable, exchange: &str) {
    put_text(table, "x-dead-letter-exchange", exchange);
    put_text(table, "x-dead-letter-strategy", "at-least-once");
    put_text(table, "x-overflow", "reject-publish");
}

fn put_text(table: &mut FieldTable, name: &str, value: &str) {
    table.insert(name.into(), AMQPValue::LongString(value.into()));
}

fn put_number(table: &mut FieldTable, name: &str, value: i64) {
    table.insert(name.into(), AMQPValue::LongLongInt(value));
}
