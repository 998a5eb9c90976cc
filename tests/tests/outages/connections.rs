//! PostgreSQL as people have it: with TLS or without, behind a socket or PgBouncer, with options in the URL.

use posthorn_tests::{App, IN_FORCE, Receiver, Servers, always, event, eventually, within};
use serde_json::json;

/// Who comes in only with TLS, and who only without.
const USERS: &str = "CREATE ROLE only_tls SUPERUSER LOGIN; CREATE ROLE only_plain SUPERUSER LOGIN";
const OWN_CERTIFICATE: &str = "ALTER SYSTEM SET ssl_cert_file = 'CERTIFICATES/own.crt'";
const OWN_KEY: &str = "ALTER SYSTEM SET ssl_key_file = 'CERTIFICATES/own.key'";

#[tokio::test]
async fn sslmode_means_what_it_means_to_libpq() {
    let servers = Servers::of_connections().await;
    let mut app = App::on(&servers, &[]).await;
    app.database.script(USERS).await;
    let database = Urls::of(&servers, &app);
    let (authority, other) = (database.certificate("ca.crt"), database.certificate("own.crt"));

    for (user, host, words, refusal) in [
        ("posthorn", "127.0.0.1", "", None),
        ("posthorn", "127.0.0.1", "sslmode=disable", None),
        ("posthorn", "127.0.0.1", "sslmode=require", None),
        ("posthorn", "127.0.0.1", "sslmode=verify-ca", Some("not signed by an authority")),
        ("posthorn", "127.0.0.1", &*format!("sslmode=verify-ca&{authority}"), None),
        ("posthorn", "127.0.0.1", &format!("sslmode=require&{authority}"), None),
        ("posthorn", "127.0.0.1", &format!("sslmode=require&{other}"), Some("not signed by an authority")),
        (
            "posthorn",
            "127.0.0.1",
            &format!("sslmode=verify-full&{authority}"),
            Some("for the name 127.0.0.1"),
        ),
        ("posthorn", "localhost", &format!("sslmode=verify-full&{authority}"), None),
        ("posthorn", "localhost", "sslrootcert=system", Some("not signed by an authority")),
        ("posthorn", "127.0.0.1", "sslmode=verify", Some("sslmode=verify is none of disable")),
        ("only_tls", "127.0.0.1", "", None),
        ("only_tls", "127.0.0.1", "sslmode=allow", None),
        ("only_tls", "127.0.0.1", "sslmode=disable", Some("pg_hba.conf")),
        ("only_plain", "127.0.0.1", "", None),
        ("only_plain", "127.0.0.1", "sslmode=allow", None),
        ("only_plain", "127.0.0.1", "sslmode=require", Some("pg_hba.conf")),
        ("only_plain", "localhost", &format!("sslmode=verify-full&{authority}"), Some("pg_hba.conf")),
    ] {
        lists_tokens(&mut app, &database.url(user, host, words), refusal).await;
    }
}

#[tokio::test]
async fn a_server_that_signed_its_certificate_itself_can_be_trusted() {
    let servers = Servers::of_connections().await;
    let mut app = App::on(&servers, &[]).await;
    let database = Urls::of(&servers, &app);
    let folder = servers.connections().certificates.display().to_string();
    for statement in [OWN_CERTIFICATE, OWN_KEY, "SELECT pg_reload_conf()"] {
        app.database.script(&statement.replace("CERTIFICATES", &folder)).await;
    }
    let own = database.url(
        "posthorn",
        "localhost",
        &format!("sslmode=verify-full&{}", database.certificate("own.crt")),
    );
    eventually("the server shows its own certificate", async || {
        app.settings.insert("POSTHORN_DATABASE_URL".to_owned(), own.clone());
        (app.run(&["token", "list", "--json"]).await.code == 0).then_some(())
    })
    .await;
    let other = database.certificate("ca.crt");
    let url = database.url("posthorn", "localhost", &format!("sslmode=verify-ca&{other}"));
    lists_tokens(&mut app, &url, Some("not signed by an authority")).await;
}

#[tokio::test]
async fn sockets_several_hosts_and_words_lead_to_the_database() {
    let servers = Servers::of_connections().await;
    let mut app = App::on(&servers, &[]).await;
    let Urls { name, port, .. } = Urls::of(&servers, &app);
    let socket = servers.connections().sockets.display();
    for url in [
        format!("postgres:///{name}?host={socket}&port={port}&user=posthorn"),
        format!("postgres:///{name}?host={socket}&port={port}&user=posthorn&sslmode=require"),
        format!("postgres://posthorn@127.0.0.1:1,127.0.0.1:{port}/{name}"),
        format!("host=127.0.0.1 port={port} user=posthorn dbname={name} sslmode='require'"),
        format!("hostaddr=127.0.0.1 port={port} user=posthorn dbname={name}"),
    ] {
        lists_tokens(&mut app, &url, None).await;
    }
}

#[tokio::test]
async fn options_in_the_url_hold_for_every_command_and_role_beside_ours() {
    let mut app = App::unmigrated(&Servers::shared(), &[]).await;
    app.database.script("CREATE SCHEMA apart").await;
    let url = format!("{}?options=-c%20search_path%3Dapart", app.database.url);
    app.settings.insert("POSTHORN_DATABASE_URL".to_owned(), url.clone());
    app.run(&["migrate"]).await.success();
    let tables =
        "SELECT DISTINCT schemaname::text FROM pg_tables WHERE tablename IN ('webhooks', 'attempts')";
    let rows = app.database.query(tables, &[]).await;
    let schemas: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(schemas, ["apart"]);

    let receiver = Receiver::start(always(200)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let roles = app.start().await;
    let event = event("todo.created");
    app.publish(&event).await;
    receiver.receives_of(&event.id, 1).await;
    let recorded = "SELECT count(*) FROM apart.attempts";
    eventually("the attempt is recorded", async || {
        let rows = app.database.query(recorded, &[]).await;
        (rows[0].get::<_, i64>(0) == 1).then_some(())
    })
    .await;
    assert_eq!(app.webhook("show", &webhook).await["url"], json!(receiver.url("/")));
    drop(roles);

    // Ours, 30 s, and theirs, if it names the same.
    app.database.script("BEGIN; LOCK TABLE apart.tokens IN ACCESS EXCLUSIVE MODE").await;
    for url in [url.clone(), format!("{url}%20-c%20statement_timeout%3D200")] {
        lists_tokens(&mut app, &url, Some("statement timeout")).await;
    }
}

#[tokio::test]
async fn everything_works_through_pgbouncer_with_session_pooling() {
    let servers = Servers::of_connections().await;
    let mut app = App::unmigrated(&servers, &[]).await;
    let port = servers.connections().pgbouncer;
    let url = format!("postgres://posthorn@127.0.0.1:{port}/{}", Urls::of(&servers, &app).name);
    app.settings.insert("POSTHORN_DATABASE_URL".to_owned(), url);
    app.run(&["migrate"]).await.success();

    let receiver = Receiver::start(always(200)).await;
    let roles = app.start().await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    within(IN_FORCE, "the new webhook is in force", async || {
        app.publish(&event("todo.created")).await;
        (receiver.count() > 0).then_some(())
    })
    .await;
    app.database.records_attempts(&webhook, 1).await;
    drop(roles);
}

/// Where the database is.
struct Urls {
    name: String,
    port: String,
    certificates: String,
}

impl Urls {
    fn of(servers: &Servers, app: &App) -> Self {
        let (server, name) = app.database.url.rsplit_once('/').expect("a URL has a path");
        let (_, port) = server.rsplit_once(':').expect("the URL has a port");
        let certificates = servers.connections().certificates.display().to_string();
        Self { name: name.to_owned(), port: port.to_owned(), certificates }
    }

    fn url(&self, user: &str, host: &str, words: &str) -> String {
        format!("postgres://{user}@{host}:{}/{}?{words}", self.port, self.name)
            .trim_end_matches('?')
            .to_owned()
    }

    fn certificate(&self, file: &str) -> String {
        format!("sslrootcert={}/{file}", self.certificates)
    }
}

/// Lists the tokens of the database at this URL, or expects these words.
async fn lists_tokens(app: &mut App, url: &str, refusal: Option<&str>) {
    app.settings.insert("POSTHORN_DATABASE_URL".to_owned(), url.to_owned());
    let answer = app.run(&["token", "list", "--json"]).await;
    match refusal {
        None => assert_eq!((answer.code, answer.stdout.trim()), (0, "[]"), "{url}: {answer:?}"),
        Some(words) => {
            assert!(answer.code == 1 && answer.stderr.contains(words), "{url}: {answer:?}");
            // Nothing is said in the words of a library.
            assert!(!answer.stderr.contains("InvalidCertificate"), "{url}: {answer:?}");
        }
    }
}
