//! What every change leaves behind it, whoever makes it. On PostgreSQL these rules live in triggers:
//!
//! - each change of a webhook, a token, or what people say in the catalogue is an entry of the audit log,
//!   committed with it, with who made it and what was before and after;
//! - each change of a webhook's state, rules or epoch is a version of it;
//! - disabling and enabling a webhook is a notification, numbered for each webhook;
//! - each change of a webhook gives it a new revision.

use futures_util::future::join_all;
use jiff::ToSpan;
use posthorn_domain::{
    keyring::SealedHeaders,
    notification::Kind,
    token::{Scope, TokenHash},
    webhook::State,
};
use posthorn_store::{
    Actor, Charge, Company, EventTypeDescription, NewToken, NewWebhook, Project, Quotas, Recording,
    StoreError, Tenant,
};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    fixtures::{
        RECORDING, actor, add, described, event, exhausted, now, record, routed, rules, sealed, webhook,
    },
    installation::Installation,
};

fn token() -> NewToken {
    NewToken {
        id: Uuid::now_v7(),
        name: "a token".to_owned(),
        hash: TokenHash([9; 32]),
        scopes: vec![Scope::Read, Scope::Write],
        companies: None,
        expires_at: None,
    }
}

pub(crate) async fn every_change_is_in_the_audit_log_with_who_made_it(installation: &Installation) {
    let store = &installation.store;
    let token = store.access.add_token(&token(), &actor("token.add")).await.expect("it is added");
    let by_token = |action| Actor {
        token_id: Some(token.id),
        name: token.name.clone(),
        request_id: Some("req_1".to_owned()),
        action,
    };
    let webhook = webhook(store).await;
    store.webhooks.pause(webhook, &by_token("webhook.pause")).await.expect("it is paused");
    store.webhooks.pause(webhook, &by_token("webhook.pause")).await.expect("it is paused already");
    store
        .webhooks
        .rotate_secret(webhook, &sealed("new"), std::time::Duration::ZERO, &by_token("webhook.rotate"))
        .await
        .expect("it is done");
    let company = Company { id: "c1".to_owned(), name: "One".to_owned() };
    store.catalogue.name_company(&company, &by_token("company.name")).await.expect("it is named");
    store.catalogue.delete_company("c1", &by_token("company.delete")).await.expect("it is deleted");
    let project = Project { company_id: "c1".to_owned(), id: "p1".to_owned(), name: "First".to_owned() };
    store.catalogue.name_project(&project, &by_token("project.name")).await.expect("it is named");
    let described =
        EventTypeDescription { description: "Said".to_owned(), ..EventTypeDescription::default() };
    store
        .catalogue
        .describe_event_type("todo.created", &described, None, &by_token("event_type.describe"))
        .await
        .expect("it is done");
    store.webhooks.delete(webhook, &by_token("webhook.delete")).await.expect("it is deleted");
    store.access.revoke_token(token.id, &by_token("token.revoke")).await.expect("it is revoked");

    let mut log = store.access.audit_log(None, None, 100).await.expect("it answers");
    log.reverse();
    let actions: Vec<_> = log.iter().map(|entry| (entry.action.as_str(), entry.subject.as_str())).collect();
    assert_eq!(
        actions,
        [
            ("token.add", "token"),
            ("webhook.add", "webhook"),
            ("webhook.pause", "webhook"),
            ("webhook.rotate", "webhook"),
            ("company.name", "company"),
            ("company.delete", "company"),
            ("project.name", "project"),
            ("event_type.describe", "event_type"),
            ("webhook.delete", "webhook"),
            ("token.revoke", "token"),
        ],
        "each change once, and nothing where nothing changed"
    );
    let pause = &log[2];
    assert_eq!((pause.token_id, pause.actor.as_str()), (Some(token.id), "a token"));
    assert_eq!((pause.request_id.as_deref(), &pause.subject_id), (Some("req_1"), &webhook.to_string()));
    let state = |json: &Option<Box<serde_json::value::RawValue>>| {
        let row: Value = serde_json::from_str(json.as_ref().expect("it is there").get()).expect("it is JSON");
        row["state"].clone()
    };
    assert_eq!((state(&pause.before), state(&pause.after)), ("enabled".into(), "paused".into()));
    assert_eq!((log[1].actor.as_str(), log[1].before.is_none()), ("command line", true));

    // What Posthorn does by itself is there under its own name.
    let other = crate::fixtures::webhook(store).await;
    record(store, &exhausted("e1", other, now())).await;
    let log = store.access.audit_log(None, Some(&other.to_string()), 100).await.expect("it answers");
    assert_eq!((log[0].actor.as_str(), log[0].action.as_str()), ("posthorn", "webhook.update"));
}

pub(crate) async fn the_audit_log_holds_no_secret(installation: &Installation) {
    let store = &installation.store;
    let headers =
        SealedHeaders { names: vec!["authorization".to_owned()], sealed: Some(sealed("header-value")) };
    add(store, &NewWebhook { headers, ..described("with headers") }).await;
    store.access.add_token(&token(), &actor("token.add")).await.expect("it is added");

    for entry in store.access.audit_log(None, None, 10).await.expect("it answers") {
        let row = entry.after.expect("it was added").get().to_owned();
        let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        for secret in ["secret", "header-value", "hash", "sealed", &hex("header-value"), &"09".repeat(32)] {
            assert!(!row.contains(secret), "{secret} in {row}");
        }
        assert!(entry.subject != "webhook" || row.contains("authorization"), "names are told: {row}");
    }
}

pub(crate) async fn a_version_is_kept_of_what_decides_which_events_a_webhook_gets(
    installation: &Installation,
) {
    let store = &installation.store;
    let mut hook = described("hook");
    let added = add(store, &hook).await;
    hook.name = "renamed".to_owned();
    let renamed = store.webhooks.update(&hook, added.revision, None, &actor("webhook.update")).await;
    let renamed = renamed.expect("it is changed").expect("it is at this revision");
    hook.rules = rules(r#"[{"event_types":["todo.*"]}]"#);
    store
        .webhooks
        .update(&hook, renamed.revision, None, &actor("webhook.update"))
        .await
        .expect("it is changed");
    store.webhooks.disable(hook.id, &actor("webhook.disable")).await.expect("it is disabled");
    store.webhooks.enable(hook.id, &actor("webhook.enable")).await.expect("it is enabled");

    let versions =
        store.webhooks.versions(hook.id, added.created_at, now() + 1.hour()).await.expect("it answers");

    let states: Vec<_> = versions.iter().map(|version| version.state).collect();
    assert_eq!(
        states,
        [State::Enabled, State::Enabled, State::Disabled, State::Enabled],
        "the name does not count"
    );
    assert_ne!(versions[0].rules, versions[1].rules);
    for pair in versions.windows(2) {
        assert!(pair[0].until.is_some_and(|until| until <= pair[1].since), "{pair:?}");
    }
    assert!(versions.last().is_some_and(|current| current.until.is_none()));
}

pub(crate) async fn disabling_and_enabling_are_told_of_and_numbered_for_each_webhook(
    installation: &Installation,
) {
    let store = &installation.store;
    let (one, other) = (webhook(store).await, webhook(store).await);
    let by = actor("webhook.change");
    store.webhooks.pause(one, &by).await.expect("it is paused");
    store.webhooks.resume(one, &by).await.expect("it goes on");
    store.webhooks.disable(one, &by).await.expect("it is disabled");
    store.webhooks.disable(one, &by).await.expect("it is disabled already");
    record(store, &exhausted("e1", other, now())).await;
    store.webhooks.enable(one, &by).await.expect("it is enabled");

    let told = store.notifications.due().await.expect("it answers");

    let told: Vec<_> = told.into_iter().map(|due| due.notification.expect("its webhook is there")).collect();
    let mut kinds: Vec<_> = told.iter().map(|it| (it.webhook_id == one, it.sequence, it.kind)).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [(false, 1, Kind::Disabled), (true, 1, Kind::Disabled), (true, 2, Kind::Enabled)]);
    let exhausted = told.iter().find(|it| it.webhook_id == other).expect("it was disabled");
    let outcome = exhausted.outcome.as_ref().expect("an attempt disabled it");
    assert_eq!((outcome.status, outcome.event_id.as_str(), outcome.attempt), (Some(503), "e1", 6));
}

pub(crate) async fn a_change_from_an_older_look_is_refused(installation: &Installation) {
    let store = &installation.store;
    let hook = described("hook");
    let first = add(store, &hook).await;
    let paused = store.webhooks.pause(hook.id, &actor("webhook.pause")).await.expect("it is paused");
    assert!(paused.revision > first.revision, "every change is a revision");

    let late = NewWebhook { name: "late".to_owned(), ..hook.clone() };
    let refused = store.webhooks.update(&late, first.revision, None, &actor("webhook.update")).await;
    assert!(refused.expect("it answers").is_none());
    let changed = store.webhooks.update(&late, paused.revision, None, &actor("webhook.update")).await;
    assert_eq!(changed.expect("it answers").expect("it is at this revision").described.name, "late");
}

pub(crate) async fn a_quota_holds_however_many_ask_at_once(installation: &Installation) {
    let quotas = Quotas { webhooks: 3, in_flight: 1_000, tests: 1_000 };
    let charge = Charge { of: Tenant::Company("c1".to_owned()), quotas };
    let stores: Vec<_> = (0..8).map(|_| installation.another()).collect();
    let adding = stores.iter().map(async |store| {
        let hook = NewWebhook { rules: rules(r#"[{"companies":["c1"]}]"#), ..described("hook") };
        store.webhooks.add(&hook, &sealed("secret"), Some(&charge), &actor("webhook.add")).await
    });

    let added = join_all(adding).await;

    assert_eq!(added.iter().filter(|added| added.is_ok()).count(), 3);
    for refused in added.into_iter().filter_map(Result::err) {
        assert!(matches!(refused, StoreError::OverQuota(_)), "{refused}");
    }
}

pub(crate) async fn what_is_seen_joins_the_catalogue_up_to_its_bound(installation: &Installation) {
    let store = &installation.store;
    let at = now();
    let few = Recording { most_seen: 6, ..RECORDING };
    let entries: Vec<_> = (0..10)
        .map(|number| routed(&event(&format!("e{number}"), &format!("todo.t{number}"), "{}"), at, &[]))
        .collect();
    store.recorder.record(&entries, few).await.expect("it is recorded");

    let types = store.catalogue.event_types("todo.", "", 100).await.expect("it answers");
    let own = store.catalogue.event_types("webhook.", "", 100).await.expect("it answers").len();
    assert_eq!(types.len() + own, 6, "{types:?}");
    let companies = store.catalogue.companies("", None, "", 100).await.expect("it answers");
    assert_eq!(companies, [Company { id: "c1".to_owned(), name: String::new() }]);
    let log = store.access.audit_log(None, None, 100).await.expect("it answers");
    assert!(log.is_empty(), "nobody has done that: {log:?}");
}
