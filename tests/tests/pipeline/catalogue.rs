//! The catalogue: what was seen, and what people say about it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use posthorn_domain::journal::{Entry, Routed};
use posthorn_store::{Actor, Company, EventTypeDescription, Project, Recording, Store};
use posthorn_tests::{App, Event, event, eventually};
use prost::Message;

fn routed(event: &Event) -> Entry {
    let message = event.encode_to_vec().into();
    Entry::Routed(Routed { message, received_at: Timestamp::now(), webhook_ids: Vec::new() })
}

fn of(company: &str, project: &str) -> Event {
    Event { company_id: company.to_owned(), project_id: project.to_owned(), ..event("todo.created") }
}

#[tokio::test]
async fn what_events_name_is_there_to_choose_from_and_can_be_described() {
    let app = App::create().await;
    let _roles = app.start().await;
    app.publish(&of("c1", "p1")).await;
    app.publish(&of("c1", "")).await;
    app.publish(&Event { r#type: "note_100%.a".replace('%', ""), ..of("c2", "p1") }).await;
    let store = Store::new(&app.database.url, 2).expect("the URL is good");

    let projects = eventually("both projects", async || {
        let projects = store
            .catalogue
            .projects(None, "", None, &Default::default(), 10)
            .await
            .expect("the database answers");
        (projects.len() == 2).then_some(projects)
    })
    .await;
    let keys: Vec<_> = projects.iter().map(|project| (&*project.company_id, &*project.id)).collect();
    assert_eq!(keys, [("c1", "p1"), ("c2", "p1")]);
    let names = async |text: &str, after: &str, limit| {
        let types = store.catalogue.event_types(text, after, limit).await.expect("the database answers");
        types.into_iter().map(|event_type| event_type.name).collect::<Vec<_>>()
    };
    assert_eq!(names("ToDo", "", 10).await, ["todo.created"]);
    assert_eq!(names("_100", "", 10).await, ["note_100.a"], "no wildcards");
    assert_eq!(names("", "", 2).await, ["note_100.a", "todo.created"]);
    assert_eq!(
        names("", "todo.created", 10).await,
        ["webhook.disabled", "webhook.enabled", "webhook.failing", "webhook.recovered"]
    );

    let described = EventTypeDescription {
        description: "Somebody has something to do.".to_owned(),
        group: "Todos".to_owned(),
        example: serde_json::value::to_raw_value(&serde_json::json!({"title": "x"})).ok(),
        schema: serde_json::value::RawValue::from_string(r#"{"type":  "object"}"#.to_owned()).ok(),
    };
    let actor = Actor::command("a test");
    let describe = async |expected| {
        store
            .catalogue
            .describe_event_type("todo.created", &described, expected, &actor)
            .await
            .expect("it takes it")
    };
    let first = describe(None).await.expect("whatever its revision");
    assert_eq!(first.described.schema.as_ref().map(|schema| schema.get()), Some(r#"{"type":  "object"}"#));
    let second = describe(Some(first.revision)).await.expect("nobody was faster");
    assert!(second.revision > first.revision);
    assert!(describe(Some(first.revision)).await.is_none(), "somebody was faster");
    assert_eq!(names("somebody has", "", 10).await, ["todo.created"]);

    let company = Company { id: "c1".to_owned(), name: "Example Ltd".to_owned() };
    store.catalogue.name_company(&company, &actor).await.expect("it takes it");
    assert_eq!(store.catalogue.companies("example", None, "", 10).await.expect("it answers"), [company]);
    let project = Project { company_id: "c1".to_owned(), id: "p1".to_owned(), name: "Office".to_owned() };
    store.catalogue.name_project(&project, &actor).await.expect("it takes it");
    assert_eq!(
        store
            .catalogue
            .projects(Some("c1"), "offi", None, &Default::default(), 10)
            .await
            .expect("it answers"),
        [project]
    );
    assert!(store.catalogue.delete_company("c1", &actor).await.expect("it answers"));
    assert_eq!(
        store.catalogue.projects(Some("c1"), "", None, &Default::default(), 10).await.expect("it answers"),
        []
    );
    assert!(store.catalogue.delete_event_type("todo.created", &actor).await.expect("it answers"));
    assert!(!store.catalogue.delete_event_type("todo.created", &actor).await.expect("it answers"));
}

#[tokio::test]
async fn a_flood_of_ids_fills_no_more_than_the_limit() {
    let app = App::create().await;
    let recording = Recording { retries: 5, most_seen: 50, most_rejected_bytes: 1 << 20 };
    let stores = [(); 2].map(|()| Store::new(&app.database.url, 2).expect("the URL is good"));
    for batch in 0..5 {
        let entries: Vec<_> = (0..40)
            .map(|number| routed(&of(&format!("c{batch}-{number}"), &format!("p{batch}-{number}"))))
            .collect();
        let [one, other] = &stores;
        let (one, other) = tokio::join!(
            one.recorder.record(&entries, recording),
            other.recorder.record(&entries, recording)
        );
        one.and(other).expect("they record");
    }
    let companies = stores[0].catalogue.companies("", None, "", 1000).await.expect("the database answers");
    let distinct: BTreeSet<_> = companies.iter().map(|company| &company.id).collect();
    assert_eq!((companies.len(), distinct.len()), (50, 50));
    assert_eq!(
        stores[0]
            .catalogue
            .projects(None, "", None, &Default::default(), 1000)
            .await
            .expect("it answers")
            .len(),
        50
    );
    let events = app.database.count("SELECT count(*) FROM events", &[]).await;
    assert_eq!(events, 200, "all are recorded");
}
