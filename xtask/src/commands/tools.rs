//! Programs of others that the tests need; what they need of packages is in `.local` and stays.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context;
use xtask::{local, packages, process, repository, say, servers::provide_connections};

/// Makes requests from the API's OpenAPI document.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
const PYTHON: &str = "POSTHORN_TEST_PYTHON";
const TYPESCRIPT: &str = "POSTHORN_TEST_TYPESCRIPT";
const PROMTOOL: &str = "POSTHORN_TEST_PROMTOOL";

type Provide = fn() -> anyhow::Result<PathBuf>;

/// Provides all of them. Answers the variables by which tests find them; what the environment has stays.
pub(crate) fn provide() -> anyhow::Result<Vec<(&'static str, PathBuf)>> {
    // What the guide to the API is written for.
    packages::provide_command("curl", "curl")?;
    packages::provide_command("jq", "jq")?;
    provide_connections()?;
    let mut found = Vec::new();
    let all: [(_, Provide); 3] = [(PYTHON, python), (TYPESCRIPT, typescript), (PROMTOOL, promtool)];
    for (variable, provide) in all {
        if env::var_os(variable).is_none() {
            found.push((variable, provide()?));
        }
    }
    Ok(found)
}

/// A Python that has `standardwebhooks`, the reference against which our signatures are verified, what the
/// example in Python needs, and `schemathesis`.
fn python() -> anyhow::Result<PathBuf> {
    let (venv, example) = (local().join("venv"), repository().join("examples/python/requirements.txt"));
    let (python, list) = (venv.join("bin/python"), venv.join("wanted"));
    let wanted = format!("{}\n{SCHEMATHESIS}\n", fs::read_to_string(&example)?.trim_end());
    if fs::read_to_string(&list).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    say("Preparing a Python environment with the packages of examples/python, and schemathesis");
    packages::provide("python3-venv", || {
        let mut import = Command::new("python3");
        import.args(["-c", "import ensurepip"]).stderr(Stdio::null());
        import.status().is_ok_and(|status| status.success())
    })?;
    if venv.exists() {
        fs::remove_dir_all(&venv)?;
    }
    process::must(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let requirements = venv.join("requirements.txt");
    fs::write(&requirements, &wanted)?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(requirements);
    process::must(&mut install).context("set POSTHORN_TEST_PYTHON to a Python that has these packages")?;
    fs::write(list, wanted)?;
    Ok(python)
}

/// The example in TypeScript with its packages, compiled.
fn typescript() -> anyhow::Result<PathBuf> {
    let (folder, example) = (local().join("typescript"), repository().join("examples/typescript"));
    packages::provide_command("node", "nodejs")?;
    packages::provide_command("npm", "npm")?;
    fs::create_dir_all(&folder)?;
    let parts = ["package.json", "package-lock.json", "tsconfig.json", "src"].map(|name| example.join(name));
    process::must(Command::new("cp").arg("-r").args(parts).arg(&folder))?;
    let npm = |words: &[&str]| process::must(Command::new("npm").args(words).current_dir(&folder));
    if !is_same(&folder.join("package-lock.json"), &folder.join("installed")) {
        say("Installing the packages of examples/typescript");
        npm(&["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .context("set POSTHORN_TEST_TYPESCRIPT to a folder where examples/typescript is built")?;
        fs::copy(folder.join("package-lock.json"), folder.join("installed"))?;
    }
    npm(&["run", "--silent", "build"]).context("examples/typescript does not compile")?;
    Ok(folder)
}

fn is_same(one: &Path, other: &Path) -> bool {
    fs::read(one).ok().is_some_and(|one| fs::read(other).is_ok_and(|other| one == other))
}

/// Promtool, which checks metrics and alert rules. Where it is missing it is taken out of Debian's package
/// without installing that, so that no Prometheus starts here.
fn promtool() -> anyhow::Result<PathBuf> {
    if let Some(found) = packages::in_path("promtool") {
        return Ok(found);
    }
    let folder = local().join("prometheus");
    let promtool = folder.join("usr/bin/promtool");
    if !promtool.exists() {
        packages::extract("prometheus", &folder)?;
        fs::remove_file(folder.join("usr/bin/prometheus"))?;
    }
    Ok(promtool)
}
