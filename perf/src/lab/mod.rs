//! The same runs through several switches, alternating, so that the machine's moods hit all alike.
//!
//! Method: datapath research §4.13 (RFC 8204): both ends, the switch and the load share the
//! processors here, so throughput is never shown without the processor time that it cost.

mod case;
mod engine;
mod latency;
mod load;
mod machine;
mod measurement;
mod path;
mod peer;
mod peers;
mod processor;
mod report;
mod selection;
mod summary;
mod underlay;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;

use case::{Case, Setting};
use machine::Machine;
use peer::{Peer, PeerKind};
use selection::Selection;
use summary::Summary;

/// What to compare, and how long.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Length of one run
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Runs of each case through each switch
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    /// What is measured
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Selection::ALL)]
    cases: Vec<Selection>,
    /// What is compared; ratios are to the first that is made for the case
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = PeerKind::ALL)]
    peers: Vec<PeerKind>,
    /// Write every figure to this file, too
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Runs the lab and prints what came of it.
///
/// # Errors
/// If a switch cannot be set up, or a run fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let machine = Machine::read()?;
    report::machine(&machine);
    let mut summaries = Vec::new();
    for setting in Setting::ALL {
        let is_chosen = |case: &Case| {
            let mut chosen = arguments.cases.iter();
            case.setting() == setting && chosen.any(|selection| selection.includes(*case))
        };
        let cases: Vec<_> = Case::ALL.into_iter().filter(is_chosen).collect();
        if cases.is_empty() {
            continue;
        }
        let of_setting = run_cases(arguments, setting, &cases)?;
        if !of_setting.is_empty() {
            report::table(&of_setting);
        }
        summaries.extend(of_setting);
    }
    ensure!(!summaries.is_empty(), "nothing to compare");
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&serde_json::json!({
            "machine": machine,
            "seconds": arguments.seconds,
            "repeats": arguments.repeats,
            "results": summaries,
        }))?;
        std::fs::write(path, text + "\n").with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// Runs cases of one setting through all switches that are made for it.
fn run_cases(arguments: &Arguments, setting: Setting, cases: &[Case]) -> Result<Vec<Summary>> {
    let mut peers = Vec::new();
    for kind in &arguments.peers {
        peers.extend(set_up(*kind, setting)?.map(|peer| (*kind, peer)));
    }
    let Some((standard, _)) = peers.first() else {
        for case in cases {
            report::left_out(case.title());
        }
        return Ok(Vec::new());
    };

    let mut summaries = Vec::new();
    for case in cases {
        let mut runs = vec![Vec::new(); peers.len()];
        for repeat in 0..arguments.repeats {
            for (index, (kind, peer)) in peers.iter().enumerate() {
                report::progress(
                    case.title(),
                    kind.title(setting),
                    repeat + 1,
                    arguments.repeats,
                );
                let measurement = measurement::run(*case, peer.as_ref(), arguments.seconds)
                    .with_context(|| format!("{} through {}", case.title(), kind.title(setting)))?;
                runs[index].push(measurement);
            }
        }
        for ((kind, _), runs) in peers.iter().zip(runs) {
            summaries.extend(Summary::of(*case, *kind, &runs));
        }
    }
    summary::compare(&mut summaries, *standard);
    Ok(summaries)
}

fn set_up(kind: PeerKind, setting: Setting) -> Result<Option<Box<dyn Peer>>> {
    let peer = kind
        .set_up(setting)
        .with_context(|| format!("set up {}", kind.title(setting)))?;
    if let Some(peer) = &peer {
        peer.ends()
            .check()
            .with_context(|| format!("{} carries no traffic", kind.title(setting)))?;
    }
    Ok(peer)
}
