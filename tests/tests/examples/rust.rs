//! `examples/rust`.

use posthorn_tests::{App, servers::binary};
use tokio::process::Command;

use crate::goes_the_whole_way_round;

#[tokio::test]
async fn the_rust_example_goes_the_whole_way_round() {
    let app = App::create().await;
    let mut example = Command::new(binary().with_file_name("posthorn-example"));
    goes_the_whole_way_round(&app, &mut example).await;
}
