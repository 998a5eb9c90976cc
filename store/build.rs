//! Migrations are compiled in by a macro, whose files cargo does not see.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
