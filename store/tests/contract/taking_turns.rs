//! What many processes may take, and one gets.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::{Timestamp, ToSpan};
use posthorn_domain::{id::EventId, notification::mail::Mail, replay};
use posthorn_store::{Begun, NewReplay, Progress};
use uuid::Uuid;

use crate::{
    fixtures::{actor, decoded, event, exhausted, now, record, sealed, webhook},
    installation::{Installation, eventually},
};

pub(crate) async fn one_janitor_works_at_a_time(installation: &Installation) {
    let (one, other) = (installation.another(), installation.another());
    let janitor = one.housekeeping.janitor().await.expect("it answers").expect("nobody is");
    assert!(other.housekeeping.janitor().await.expect("it answers").is_none());
    assert!(
        one.housekeeping.janitor().await.expect("it answers").is_none(),
        "not even the same process twice"
    );
    drop(janitor);
    eventually("the next janitor", async || {
        other.housekeeping.janitor().await.expect("it answers").map(|_| ())
    })
    .await;
}

pub(crate) async fn a_notification_is_given_to_one_and_stays_until_it_is_told(installation: &Installation) {
    let store = &installation.store;
    let webhook = webhook(store).await;
    record(store, &exhausted("e1", webhook, now())).await;
    let others: Vec<_> = (0..4).map(|_| installation.another()).collect();

    let given = join_all(others.iter().map(|store| store.notifications.due())).await;

    let given: Vec<_> = given.into_iter().flat_map(|given| given.expect("it answers")).collect();
    assert_eq!(given.len(), 1, "{given:?}");
    let mail = Mail { event_id: EventId::from("m1"), subject: "s".to_owned(), text: "t".to_owned() };
    store
        .notifications
        .told(&[given[0].number], &[("ops@example.com".to_owned(), mail)])
        .await
        .expect("it answers");
    let mail = store.notifications.due_mail().await.expect("it answers").expect("the mail was left with it");
    assert_eq!((mail.recipient.as_str(), mail.mail.event_id.as_str()), ("ops@example.com", "m1"));
}

pub(crate) async fn a_mail_is_given_to_one_and_stays_until_it_is_sent(installation: &Installation) {
    let store = &installation.store;
    let mail = Mail { event_id: EventId::from("m1"), subject: "s".to_owned(), text: "t".to_owned() };
    store.notifications.told(&[], &[("ops@example.com".to_owned(), mail)]).await.expect("it answers");
    let others: Vec<_> = (0..4).map(|_| installation.another()).collect();

    let given = join_all(others.iter().map(|store| store.notifications.due_mail())).await;

    let given: Vec<_> = given.into_iter().filter_map(|given| given.expect("it answers")).collect();
    assert_eq!(given.len(), 1, "{given:?}");
    store.notifications.mail_sent(given[0].number).await.expect("it answers");
    let janitor = store.housekeeping.janitor().await.expect("it answers").expect("nobody is");
    assert_eq!(janitor.forget_old_mails(Duration::ZERO).await.expect("it answers"), 0, "it is gone");
}

pub(crate) async fn a_replay_is_claimed_by_one_and_a_canceled_one_stays_so(installation: &Installation) {
    let store = &installation.store;
    let asked = NewReplay {
        id: Uuid::now_v7(),
        webhook_id: webhook(store).await,
        since: now() - 1.hour(),
        until: now(),
        event_types: None,
        kind: replay::Kind::All,
        dry_run: false,
        companies: None,
    };
    store.background.add_replay(&asked, &actor("replay.begin")).await.expect("it is begun");
    let others: Vec<_> = (0..4).map(|_| (installation.another(), Uuid::now_v7())).collect();
    let claims = others.iter().map(async |(store, process)| {
        let claimed =
            store.background.claim_replay(*process, Duration::from_secs(30)).await.expect("it answers");
        claimed.map(|_| *process)
    });
    let claimed: Vec<_> = join_all(claims).await.into_iter().flatten().collect();
    assert_eq!(claimed.len(), 1, "{claimed:?}");

    let state =
        async || store.background.replay(asked.id).await.expect("it answers").expect("it is there").state;
    let progress = Progress { examined: 5, ended: Some(Ok(())), ..Progress::default() };
    store.background.advance_replay(asked.id, Uuid::now_v7(), &progress).await.expect("it answers");
    assert_eq!(state().await, replay::State::Running, "whoever has not claimed it changes nothing");
    store.background.cancel_replay(asked.id, &actor("replay.cancel")).await.expect("it answers");
    store.background.advance_replay(asked.id, claimed[0], &progress).await.expect("it answers");
    assert_eq!(state().await, replay::State::Canceled);
    assert!(Timestamp::now() > asked.until);
}

pub(crate) async fn a_request_of_one_key_runs_once(installation: &Installation) {
    let store = &installation.store;
    let token = Uuid::now_v7();
    let others: Vec<_> = (0..4).map(|_| installation.another()).collect();
    let begun = join_all(others.iter().map(|store| store.access.begin_once(token, "k", b"content"))).await;
    let begun: Vec<_> = begun.into_iter().map(|begun| begun.expect("it answers")).collect();
    assert_eq!(begun.iter().filter(|begun| matches!(begun, Begun::First)).count(), 1, "{begun:?}");
    assert_eq!(begun.iter().filter(|begun| matches!(begun, Begun::Running)).count(), 3, "{begun:?}");

    let other = store.access.begin_once(token, "k", b"other content").await.expect("it answers");
    assert!(matches!(other, Begun::Different), "{other:?}");
    let elsewhere = store.access.begin_once(Uuid::now_v7(), "k", b"content").await.expect("it answers");
    assert!(matches!(elsewhere, Begun::First), "keys are their token's own: {elsewhere:?}");
    store.access.answer_once(token, "k", &sealed("answer")).await.expect("it answers");
    let again = store.access.begin_once(token, "k", b"content").await.expect("it answers");
    assert!(matches!(again, Begun::Answered(answer) if answer == sealed("answer")));
}

pub(crate) async fn what_is_promised_is_noted_and_is_its_makers_at_first(installation: &Installation) {
    let store = &installation.store;
    let (webhook, message) = (webhook(store).await, event("e1", "todo.created", "{}"));
    let event_ref = decoded(&message).event_ref();
    let by = actor("delivery.redeliver");

    let promised = store.background.add_redelivery(webhook, event_ref, message.clone(), now(), &by).await;

    let promised = promised.expect("it is promised");
    assert_eq!(promised.message, message);
    let log =
        store.access.audit_log(None, Some(&format!("{event_ref}/{webhook}")), 10).await.expect("it answers");
    assert_eq!(log.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(), ["delivery.redeliver"]);
    let others = installation.another().background.claim_outgoing(10).await.expect("it answers");
    assert!(others.is_empty(), "who has made it sends it: {others:?}");
    store.background.remove_outgoing(promised.id).await.expect("it answers");
}
