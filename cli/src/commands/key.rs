//! `posthorn key`.

use anyhow::bail;
use posthorn_domain::keyring;

pub(crate) fn run(name: &str) -> anyhow::Result<()> {
    if name.is_empty() || name.contains([':', ',']) {
        bail!("a key's name is not empty and holds neither : nor ,");
    }
    println!("{}", keyring::entry(name, rand::random()));
    Ok(())
}
