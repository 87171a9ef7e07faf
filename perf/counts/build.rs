//! Tells the program what compiled it: counts of one compiler say little of another's.

use std::env;
use std::error::Error;
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    let rustc = Command::new(env::var("RUSTC")?).arg("--version").output()?;
    let version = String::from_utf8(rustc.stdout)?;
    let target = env::var("TARGET")?;
    // Separated by 0x1f.
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS")?.replace('\u{1f}', " ");
    let compiler = format!("{} {target} {flags}", version.trim());
    let out = format!("cargo::rustc-env=COMPILER={}", compiler.trim());
    #[allow(clippy::print_stdout, reason = "how cargo is told")]
    {
        println!("{out}");
    }
    Ok(())
}
