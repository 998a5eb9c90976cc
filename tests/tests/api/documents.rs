//! The OpenAPI document and the page made of it, which the guide agrees with.

use posthorn_tests::App;

#[tokio::test]
async fn the_document_is_openapi_3_1_and_the_page_needs_nothing_from_elsewhere() {
    let app = App::create().await;
    let api = app.api().await;
    let document = api.nobody().get("/openapi.json").await.expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 20, "{} paths", paths.len());

    let page = api.nobody().get("/docs").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").is_some_and(|it| it.starts_with("default-src 'none'")));
    for path in paths.keys() {
        assert!(page.text.contains(&format!("<code>{path}</code>")), "{path}");
    }
    let described = include_str!("../../../docs/api.md").split_once("\n## Problems\n").unwrap().1;
    let kinds: Vec<_> = described.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(page.text.matches("<tr id=").count(), kinds.len());
    for kind in kinds {
        assert!(page.text.contains(&format!("<tr id=\"{kind}\">")), "{kind}");
    }
    for foreign in ["<script", "src=", "http://", "<link", "url("] {
        assert!(!page.text.contains(foreign), "{foreign}");
    }
}
