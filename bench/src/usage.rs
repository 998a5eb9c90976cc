//! What processes use, from `/proc` (see proc_pid_stat(5)).

use std::{collections::BTreeMap, fs, time::Instant};

use serde::Serialize;

/// A process and what it is called in reports.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) name: String,
    pub(crate) pid: u32,
    /// Whether its children count with it, as those of PostgreSQL must.
    pub(crate) with_children: bool,
}

/// What a process used over a time.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Usage {
    pub(crate) cpu_seconds: f64,
    /// Of one core: 1 is a whole core.
    pub(crate) cpu_share: f64,
    /// The most memory that was resident at a time, since the process began; of the biggest process.
    pub(crate) peak_mb: f64,
    /// The memory that was resident at the end; of the biggest process.
    pub(crate) resident_mb: f64,
    /// What went to the disk.
    pub(crate) written_mb: f64,
}

/// What processes had used at one time.
pub(crate) struct Snapshot {
    at: Instant,
    counted: BTreeMap<String, Counted>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    cpu_seconds: f64,
    written_mb: f64,
}

/// Linux counts CPU time in hundredths of a second, whatever the kernel's own clock is.
const TICKS_PER_SECOND: f64 = 100.0;

pub(crate) fn snapshot(watched: &[Watched]) -> Snapshot {
    let mut counted: BTreeMap<_, Counted> = BTreeMap::new();
    for process in watched {
        let sum = counted.entry(process.name.clone()).or_default();
        for pid in family(process) {
            sum.cpu_seconds += cpu_seconds(pid, process.with_children).unwrap_or_default();
            sum.written_mb += written_mb(pid).unwrap_or_default();
        }
    }
    Snapshot { at: Instant::now(), counted }
}

/// What was used since; processes of one name are added up.
pub(crate) fn since(before: &Snapshot, watched: &[Watched]) -> BTreeMap<String, Usage> {
    let now = snapshot(watched);
    let wall = now.at.duration_since(before.at).as_secs_f64();
    let mut used = BTreeMap::new();
    for (name, after) in now.counted {
        let before = before.counted.get(&name).copied().unwrap_or_default();
        let cpu_seconds = after.cpu_seconds - before.cpu_seconds;
        let biggest = |field| {
            let processes = watched.iter().filter(|process| process.name == name);
            processes.filter_map(|process| memory_mb(process.pid, field)).fold(0.0, f64::max)
        };
        let usage = Usage {
            cpu_seconds,
            cpu_share: cpu_seconds / wall,
            peak_mb: biggest("VmHWM:"),
            resident_mb: biggest("VmRSS:"),
            written_mb: after.written_mb - before.written_mb,
        };
        used.insert(name, usage);
    }
    used
}

fn family(process: &Watched) -> Vec<u32> {
    let pid = process.pid;
    if !process.with_children {
        return vec![pid];
    }
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    std::iter::once(pid).chain(children.split_whitespace().filter_map(|child| child.parse().ok())).collect()
}

/// With that of its children that have ended, if they count too: it must not get less.
fn cpu_seconds(pid: u32, with_children: bool) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold spaces; utime, stime, cutime and cstime are the 14th to 17th of all.
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let own_and_ended = fields.get(11..if with_children { 15 } else { 13 })?;
    let ticks: Option<f64> = own_and_ended.iter().map(|field| field.parse::<f64>().ok()).sum();
    Some(ticks? / TICKS_PER_SECOND)
}

/// A field of proc_pid_status(5).
fn memory_mb(pid: u32, field: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}

/// Only the process's own user and root may read it.
fn written_mb(pid: u32) -> Option<f64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    let bytes = io.lines().find_map(|line| line.strip_prefix("write_bytes: "))?;
    bytes.parse::<f64>().ok().map(|bytes| bytes / 1e6)
}
