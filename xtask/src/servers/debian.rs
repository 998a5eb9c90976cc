//! Another Debian in a folder, whose RabbitMQ is used instead of this machine's: `POSTHORN_RABBITMQ_ROOT`.
//! Needs root.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::repository;

/// Mounts are seen by the command alone, and go with it.
const WITHIN: &str = r#"set -e
    mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev"
    for folder in "$1" "$2"; do mkdir -p "$0$folder" && mount --bind "$folder" "$0$folder"; done
    exec chroot "$0" "${@:3}""#;

/// Its folder.
pub(super) fn other() -> Option<PathBuf> {
    env::var_os("POSTHORN_RABBITMQ_ROOT").filter(|root| !root.is_empty()).map(PathBuf::from)
}

/// The words before a command that run it where RabbitMQ is installed: in the folder with another Debian,
/// if there is one. There it sees this repository and the servers' folder.
pub(super) fn inside(folder: &Path) -> Vec<String> {
    let Some(root) = other() else { return Vec::new() };
    let paths = [root.as_path(), repository(), folder].map(|path| path.display().to_string());
    ["unshare", "--mount", "bash", "-c", WITHIN].map(str::to_owned).into_iter().chain(paths).collect()
}
