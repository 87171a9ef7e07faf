//! How many instructions a frame takes, stage by stage and on its whole way, counted by callgrind.
//!
//! Time on a busy machine says little, instructions are the same in each run: so `counts check` finds a
//! change that costs a few per cent, between any two runs of the tests. What it compares with is in
//! `instructions.toml`, which `counts record` writes. Waiting for memory and for other threads is not
//! seen; for these there are criterion's benchmarks and the lab.

mod callgrind;
mod cases;
mod record;

/// What criterion's benchmarks and the tests are made of.
#[path = "../../../vswitch/datapath/benches/bridge/mod.rs"]
#[allow(clippy::unwrap_used, reason = "a fixture may panic")]
mod bridge;
#[path = "../../../nat/benches/flows/mod.rs"]
mod flows;
#[path = "../../../nat/tests/host/mod.rs"]
mod host;
#[path = "../../../vswitch/datapath/benches/segment/mod.rs"]
#[allow(clippy::unwrap_used, reason = "a fixture may panic")]
mod segment;
#[path = "../../../vswitch/datapath/benches/uplink/mod.rs"]
#[allow(clippy::unwrap_used, reason = "a fixture may panic")]
mod uplink;
#[path = "../../../vswitch/datapath/benches/vlan/mod.rs"]
#[allow(clippy::unwrap_used, reason = "a fixture may panic")]
mod vlan;
#[path = "../../../nat/tests/wire/mod.rs"]
mod wire;
#[path = "../../../vswitch/datapath/benches/worker/mod.rs"]
#[allow(clippy::unwrap_used, reason = "a fixture may panic")]
mod worker;

use std::env;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, bail};

use record::Record;

/// Beside this crate's manifest.
const RECORD: &str = "perf/counts/instructions.toml";

fn main() -> anyhow::Result<()> {
    match env::args().nth(1).as_deref() {
        Some("check") => check(),
        Some("record") => Record::new(callgrind::count()?).write(Path::new(RECORD)),
        // Only below callgrind.
        Some(callgrind::BURSTS) => {
            cases::run(callgrind::measured);
            Ok(())
        }
        _ => bail!("counts check, or counts record; from the root of the repository"),
    }
}

fn check() -> anyhow::Result<()> {
    let recorded = Record::read(Path::new(RECORD))?;
    let counted = Record::new(callgrind::count()?);
    let comparison = recorded.compare(&counted);
    write!(io::stdout(), "{comparison}").context("standard output")?;
    if comparison.is_as_recorded() {
        return Ok(());
    }
    bail!(
        "not as {RECORD} has it. What takes the instructions: callgrind_annotate --threshold=100 --auto=no \
         {}/<group>.<case>. If it is meant to: `make instructions` records it",
        callgrind::profiles()?.display(),
    )
}
