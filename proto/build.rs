//! Compiles the .proto files without `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["posthorn/v1/event.proto", "posthorn/v1/journal.proto", "posthorn/v1/delivery_batch.proto"];
    println!("cargo:rerun-if-changed=posthorn");
    prost_build::Config::new().bytes(["."]).compile_fds(protox::compile(files, ["."])?)?;
    Ok(())
}
