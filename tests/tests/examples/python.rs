//! `examples/python`.

use posthorn_tests::{App, servers::scratch};
use tokio::process::Command;

use crate::{goes_the_whole_way_round, prepared, repository, run};

#[tokio::test]
async fn the_python_example_goes_the_whole_way_round() {
    let app = App::create().await;
    let python = prepared("POSTHORN_TEST_PYTHON");
    let generated = scratch().join(&app.prefix);
    let mut generate = Command::new(&python);
    generate.args(["-m", "grpc_tools.protoc", "-I"]).arg(repository().join("proto"));
    generate.arg("--python_out").arg(&generated).arg("posthorn/v1/event.proto");
    run(&mut generate).await;

    let mut example = Command::new(python);
    example.arg(repository().join("examples/python/main.py")).env("PYTHONPATH", generated);
    goes_the_whole_way_round(&app, &mut example).await;
}
