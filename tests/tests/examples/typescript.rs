//! `examples/typescript`, compiled.

use posthorn_tests::App;
use tokio::process::Command;

use crate::{goes_the_whole_way_round, prepared, repository};

#[tokio::test]
async fn the_typescript_example_goes_the_whole_way_round() {
    let app = App::create().await;
    let mut example = Command::new("node");
    example.arg(prepared("POSTHORN_TEST_TYPESCRIPT").join("dist/main.js"));
    example.current_dir(repository().join("examples/typescript"));
    goes_the_whole_way_round(&app, &mut example).await;
}
