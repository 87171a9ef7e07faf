//! Tells the program which commit it is built from, where there is one to tell.

use std::process::Command;

fn main() {
    let repository = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.git");
    for file in ["HEAD", "logs/HEAD"] {
        println!("cargo::rerun-if-changed={repository}/{file}");
    }
    println!("cargo::rerun-if-env-changed=VSWITCH_COMMIT");
    if std::env::var_os("VSWITCH_COMMIT").is_some() {
        return;
    }
    let git = Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    if let Ok(output) = git
        && output.status.success()
        && let Ok(commit) = String::from_utf8(output.stdout)
    {
        println!("cargo::rustc-env=VSWITCH_COMMIT={}", commit.trim());
    }
}
