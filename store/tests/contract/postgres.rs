//! The store on PostgreSQL: its constructor, and what concerns PostgreSQL alone.

use std::{collections::BTreeSet, env};

use posthorn_domain::{
    event::Field,
    notification::Kind,
    outcome::{OutcomeKind, UnreachableClass},
    rejected::Resolution,
    replay,
    step::StepKind,
    token::Scope,
    webhook::{DisablePolicy, DisabledReason, State},
};
use posthorn_store::{StoreError, migrate};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls, Row};
use uuid::Uuid;

use crate::{
    fixtures::{attempted, entry, event, now, record, webhook},
    installation::Installation,
    states::diagram,
};

const SERVER: &str = "POSTHORN_DATABASE_URL";

/// An installation in a database of its own.
pub(crate) async fn fresh() -> Installation {
    let server =
        env::var(SERVER).unwrap_or_else(|_| panic!("{SERVER} is not set: these tests run with `make test`"));
    let name = format!("contract_{}", Uuid::now_v7().simple());
    query(&server, &format!("CREATE DATABASE {name}")).await;
    let (base, _) = server.rsplit_once('/').expect("it is a URL with a database");
    let url = format!("{base}/{name}");
    migrate(&url).await.expect("the tables are made");
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    Installation::new(url, Box::pin(async move { drop_database(&server, &drop).await }))
}

async fn drop_database(server: &str, drop: &str) {
    query(server, drop).await;
}

async fn query(url: &str, statement: &str) -> Vec<Row> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("PostgreSQL runs");
    let mut driver = JoinSet::new();
    driver.spawn(async move { connection.await.expect("the connection holds") });
    let client: Client = client;
    client.query(statement, &[]).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"))
}

/// The words in the CHECK of this name.
async fn words(url: &str, table: &str, constraint: &str) -> BTreeSet<String> {
    let statement = format!(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint
         WHERE conrelid = '{table}'::regclass AND conname = '{constraint}'"
    );
    let rows = query(url, &statement).await;
    let definition: String = rows.first().unwrap_or_else(|| panic!("{table} has no {constraint}")).get(0);
    // Every other piece stands between quotes; an array is written as one text.
    let quoted = definition.split('\'').skip(1).step_by(2);
    quoted
        .flat_map(|text| text.trim_matches(['{', '}']).split(',').map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[tokio::test]
async fn the_checks_hold_the_words_of_the_enums() {
    let installation = fresh().await;
    let checks: [(&str, &str, &[&str]); 13] = [
        ("webhooks", "state_is_known", &State::WORDS),
        ("webhooks", "disable_policy_is_known", &DisablePolicy::WORDS),
        ("webhooks", "disabled_reason_is_known", &DisabledReason::WORDS),
        ("webhook_versions", "state_is_known", &State::WORDS),
        ("attempts", "outcome_is_known", &OutcomeKind::WORDS),
        ("attempts", "step_is_known", &StepKind::WORDS),
        ("attempts", "unreachable_class_is_known", &UnreachableClass::WORDS),
        ("rejected_events", "field_is_known", &Field::WORDS),
        ("rejected_events", "resolution_is_known", &Resolution::WORDS),
        ("notifications", "kind_is_known", &Kind::WORDS),
        ("tokens", "scopes_are_known", &Scope::WORDS),
        ("replays", "kind_is_known", &replay::Kind::WORDS),
        ("replays", "state_is_known", &replay::State::WORDS),
    ];
    for (table, constraint, expected) in checks {
        let expected: BTreeSet<_> = expected.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(words(&installation.url, table, constraint).await, expected, "{table}.{constraint}");
    }
    installation.remove().await;
}

#[tokio::test]
async fn the_states_of_the_diagram_are_those_of_the_table() {
    let installation = fresh().await;
    let arrows = diagram("A webhook");
    let drawn: BTreeSet<_> =
        arrows.into_iter().flat_map(|(from, to)| [from, to]).filter(|it| it != "*").collect();
    assert_eq!(words(&installation.url, "webhooks", "state_is_known").await, drawn);
    installation.remove().await;
}

#[tokio::test]
async fn a_stored_word_that_is_not_known_is_an_error_that_names_it() {
    let installation = fresh().await;
    let store = &installation.store;
    let id = webhook(store).await;
    let message = event("e1", "todo.created", "{}");
    let attempt = attempted(&message, id, 1, now(), posthorn_domain::step::Step::Succeed);
    let event_ref = attempt.event_ref();
    record(store, &[entry(attempt)]).await;
    for statement in [
        "ALTER TABLE attempts DROP CONSTRAINT step_is_known, DROP CONSTRAINT accepted_succeeds",
        "UPDATE attempts SET step = 'abandon'",
        "ALTER TABLE webhooks DROP CONSTRAINT disable_policy_is_known",
        "UPDATE webhooks SET disable_policy = 'never'",
    ] {
        query(&installation.url, statement).await;
    }

    let told = store.history.attempts(event_ref, id).await.expect_err("it cannot be read");
    assert!(matches!(told, StoreError::Unreadable { .. }), "{told:?}");
    assert!(told.to_string().contains("column `step`: `abandon` is not a step"), "{told}");
    let told = store.webhooks.get(id).await.expect_err("it cannot be read").to_string();
    assert!(
        told.contains(&format!("webhook {id}")) && told.contains("`never` is not a disable policy"),
        "{told}"
    );
    installation.remove().await;
}

#[tokio::test]
async fn the_audit_log_is_append_only() {
    let installation = fresh().await;
    webhook(&installation.store).await;
    let (client, connection) =
        tokio_postgres::connect(&installation.url, NoTls).await.expect("PostgreSQL runs");
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    for statement in ["UPDATE audit_log SET actor = 'nobody'", "DELETE FROM audit_log", "TRUNCATE audit_log"]
    {
        let refused = client.execute(statement, &[]).await.expect_err("the past is not changed");
        assert!(format!("{refused:?}").contains("append-only"), "{refused:?}");
    }
    drop(client);
    installation.remove().await;
}
