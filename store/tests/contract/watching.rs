//! Watching: whoever watches knows everything at first, and then each change.

use posthorn_domain::{
    id::WebhookId,
    token::{Scope, TokenHash},
    webhook::{
        State, Webhook,
        updates::{Change, Update},
    },
};
use posthorn_store::{AccessUpdate, AccessWatch, EventTypeDescription, NewToken, Wants, Watch};
use serde_json::value::RawValue;
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    fixtures::{actor, add, described, rules, webhook},
    installation::Installation,
};

/// Longer than any change may take to be told.
const SOON: std::time::Duration = std::time::Duration::from_secs(10);

/// The next update that tells something, or that compares everything.
async fn next(updates: &mut mpsc::Receiver<Update>, wants_compared: bool) -> Update {
    let next = async {
        loop {
            let update = updates.recv().await.expect("the watch runs");
            if !update.changes.is_empty() || (wants_compared && update.compared) {
                return update;
            }
        }
    };
    timeout(SOON, next).await.expect("it is told")
}

fn put(update: &Update) -> Vec<&Webhook> {
    update
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Put(webhook) => Some(&**webhook),
            Change::Gone(_) => None,
        })
        .collect()
}

pub(crate) async fn whoever_watches_learns_of_all_webhooks_and_of_every_change(installation: &Installation) {
    let store = &installation.store;
    let todo =
        posthorn_store::NewWebhook { rules: rules(r#"[{"event_types":["todo.*"]}]"#), ..described("todo") };
    let known = add(store, &todo).await.described.id;
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let (tell, mut matching) = mpsc::channel(16);
    tasks.spawn(Watch::new(&installation.url, Wants::Rules, tell).run(stop.clone()));
    let (tell, mut delivering) = mpsc::channel(16);
    tasks.spawn(Watch::new(&installation.url, Wants::Secrets, tell).run(stop.clone()));

    let (first, second) = (next(&mut matching, true).await, next(&mut delivering, true).await);
    assert!(first.compared && second.compared, "first of all everything");
    let (rules, secrets) = (put(&first), put(&second));
    assert_eq!((rules.len(), rules[0].id, secrets.len(), secrets[0].id), (1, known, 1, known));
    assert_eq!((rules[0].rules.len(), rules[0].secrets.len()), (1, 0), "who matches sees no secret");
    assert_eq!((secrets[0].rules.len(), secrets[0].secrets.len()), (0, 1), "who delivers sees no rules");

    let added = webhook(&installation.another()).await;
    assert_eq!(changed(&next(&mut matching, false).await), [(added, Some(State::Enabled))]);
    store.webhooks.pause(added, &actor("webhook.pause")).await.expect("it is paused");
    assert_eq!(changed(&next(&mut matching, false).await), [(added, Some(State::Paused))]);
    store.webhooks.delete(added, &actor("webhook.delete")).await.expect("it is deleted");
    assert_eq!(changed(&next(&mut matching, false).await), [(added, None)]);

    stop.cancel();
    while let Some(ended) = tasks.join_next().await {
        ended.expect("it did not panic").expect("it was told to stop");
    }
}

fn changed(update: &Update) -> Vec<(WebhookId, Option<State>)> {
    let changed = |change: &Change| match change {
        Change::Put(webhook) => (webhook.id, Some(webhook.state)),
        Change::Gone(id) => (*id, None),
    };
    update.changes.iter().map(changed).collect()
}

pub(crate) async fn whoever_watches_learns_of_tokens_and_schemas(installation: &Installation) {
    let store = &installation.store;
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let (tell, mut updates) = mpsc::channel(16);
    tasks.spawn(AccessWatch::new(&installation.url, tell).run(stop.clone()));
    let mut next = async || timeout(SOON, updates.recv()).await.expect("it is told").expect("the watch runs");
    assert!(
        matches!(next().await, AccessUpdate::All { tokens, schemas } if tokens.is_empty() && schemas.is_empty())
    );

    let (id, hash) = (Uuid::now_v7(), TokenHash([3; 32]));
    let (name, scopes) = ("a token".to_owned(), vec![Scope::Read]);
    let token = NewToken { id, name, hash, scopes, companies: None, expires_at: None };
    store.access.add_token(&token, &actor("token.add")).await.expect("it is added");
    let AccessUpdate::Token(told, Some((stands_for, record))) = next().await else {
        panic!("a token was added")
    };
    assert_eq!((told, stands_for, record.scopes), (id, hash, vec![Scope::Read]));
    store.access.revoke_token(id, &actor("token.revoke")).await.expect("it is revoked");
    let AccessUpdate::Token(told, Some((_, record))) = next().await else { panic!("a token was revoked") };
    assert_eq!((told, record.revoked_at.is_some()), (id, true));

    let schema = RawValue::from_string(r#"{"type":"object"}"#.to_owned()).expect("it is JSON");
    let described = EventTypeDescription { schema: Some(schema), ..EventTypeDescription::default() };
    store
        .catalogue
        .describe_event_type("todo.created", &described, None, &actor("event_type.describe"))
        .await
        .expect("it is described");
    let AccessUpdate::Schema(told, Some(schema)) = next().await else { panic!("a schema was set") };
    assert_eq!((told.as_str(), schema.json.get()), ("todo.created", r#"{"type":"object"}"#));
    store
        .catalogue
        .delete_event_type("todo.created", &actor("event_type.delete"))
        .await
        .expect("it is deleted");
    let AccessUpdate::Schema(told, None) = next().await else { panic!("a schema is gone") };
    assert_eq!(told, "todo.created");

    stop.cancel();
    while let Some(ended) = tasks.join_next().await {
        ended.expect("it did not panic").expect("it was told to stop");
    }
}
