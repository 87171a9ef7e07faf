//! The same runs through several switches, alternating, so that the machine's moods hit all alike.
//!
//! Method: datapath research §4.13 (RFC 8204): both ends, the switch and the load share the
//! processors here, so throughput is never shown without the processor time that it cost.

mod case;
mod cases;
mod engine;
mod load;
mod loads;
mod machine;
mod path;
mod peer;
mod peers;
mod processor;
mod report;
mod selection;
mod setting;
mod site;
mod skipped;
mod summary;
mod underlay;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;

use case::Case;
use load::Outcome;
use machine::Machine;
use peer::{Peer, PeerKind};
use selection::{Choice, Selection};
use setting::Setting;
use site::Site;
use skipped::Skipped;
use summary::Summary;
use underlay::Underlay;

/// What to compare, and how long.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Length of one run
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Runs of each case through each switch
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    /// What is measured
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Selection::default())]
    cases: Vec<Selection>,
    /// What is compared; ratios are to the first that is made for the case [default: all]
    #[arg(long, value_enum, value_delimiter = ',')]
    peers: Vec<Choice>,
    /// Write every figure to this file, too
    #[arg(long)]
    json: Option<PathBuf>,
}

impl Arguments {
    fn peers(&self) -> Vec<&'static PeerKind> {
        if self.peers.is_empty() {
            return PeerKind::ALL.to_vec();
        }
        self.peers.iter().map(|choice| choice.0).collect()
    }
}

/// What came of a lab.
#[derive(Default)]
struct Results {
    summaries: Vec<Summary>,
    skipped: Vec<Skipped>,
}

/// Runs the lab and prints what came of it.
///
/// # Errors
/// If this project's switch cannot be set up, or a run fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let machine = Machine::read()?;
    report::machine(&machine);
    let is_chosen = |case: &&&Case| {
        let mut chosen = arguments.cases.iter();
        chosen.any(|selection| selection.includes(case))
    };
    let cases: Vec<&Case> = Case::all().iter().filter(is_chosen).copied().collect();
    let mut results = Results::default();
    // Cases of one setting follow each other, and share what was set up.
    for cases in cases.chunk_by(|one, next| one.setting == next.setting) {
        results.run_cases(arguments, cases)?;
    }
    ensure!(!results.summaries.is_empty(), "nothing to compare");
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&serde_json::json!({
            "machine": machine,
            "seconds": arguments.seconds,
            "repeats": arguments.repeats,
            "skipped": results.skipped,
            "results": results.summaries,
        }))?;
        std::fs::write(path, text + "\n").with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// A switch that is set up.
type Contestant = (&'static PeerKind, Box<dyn Peer>);

impl Results {
    /// Runs cases of one setting through all switches that are made for it.
    fn run_cases(&mut self, arguments: &Arguments, cases: &[&'static Case]) -> Result<()> {
        let Some(setting) = cases.first().map(|case| case.setting) else {
            return Ok(());
        };
        let mut contestants = Vec::new();
        for kind in arguments.peers() {
            contestants.extend(self.set_up(kind, setting)?);
        }
        for case in cases {
            let takes_part = |(kind, _): &&Contestant| (kind.takes)(case);
            let taking_part: Vec<_> = contestants.iter().filter(takes_part).collect();
            if taking_part.is_empty() {
                report::left_out(case.title);
                continue;
            }
            let summaries = run_case(arguments, case, &taking_part)?;
            report::table(&summaries);
            self.summaries.extend(summaries);
        }
        Ok(())
    }

    /// Sets a switch up, if it is made for the setting and this machine has what it needs.
    fn set_up(&mut self, kind: &'static PeerKind, setting: Setting) -> Result<Option<Contestant>> {
        let Some(title) = (kind.title)(setting) else {
            return Ok(None);
        };
        let peer = match kind.missing()? {
            Some((program, package)) => Err(anyhow::anyhow!(
                "{program} is missing: apt-get install {package}"
            )),
            None => (kind.set_up)(setting).and_then(|peer| {
                peer.ends().check().context("it carries no traffic")?;
                Ok(peer)
            }),
        };
        match peer {
            Ok(peer) => Ok(Some((kind, peer))),
            Err(error) if kind.is_ours() => Err(error.context(format!("set up {title}"))),
            Err(error) => {
                let skipped = Skipped {
                    peer: title,
                    reason: format!("{error:#}"),
                };
                report::skipped(&skipped);
                if !self.skipped.contains(&skipped) {
                    self.skipped.push(skipped);
                }
                Ok(None)
            }
        }
    }
}

/// Runs one case through each switch in turn, as often as was asked for.
fn run_case(
    arguments: &Arguments,
    case: &Case,
    contestants: &[&Contestant],
) -> Result<Vec<Summary>> {
    let mut runs = vec![Vec::new(); contestants.len()];
    for repeat in 1..=arguments.repeats {
        for ((kind, peer), runs) in contestants.iter().zip(&mut runs) {
            let title = (kind.title)(case.setting).unwrap_or(kind.name);
            report::progress(case.title, title, repeat, arguments.repeats);
            let outcome = run_once(case, peer.as_ref(), arguments.seconds)
                .with_context(|| format!("{} through {title}", case.title))?;
            runs.push(outcome);
        }
    }
    let summaries = contestants.iter().zip(&runs);
    let mut summaries: Vec<_> = summaries
        .flat_map(|((kind, _), runs)| Summary::of(case, kind, runs))
        .collect();
    summary::compare(&mut summaries);
    Ok(summaries)
}

/// One run, and the proof that it went the way it should.
fn run_once(case: &Case, peer: &dyn Peer, seconds: u32) -> Result<Outcome> {
    let passed = || peer.underlay().map(Underlay::octets).transpose();
    let before = passed()?;
    let site = Site::new(peer, peer.ends().path(case.way));
    let outcome = case.load.run(&site, seconds)?;
    if let Some((before, after)) = before.zip(passed()?) {
        let (arrived, passed) = (outcome.payload, after - before);
        ensure!(
            passed > arrived,
            "{arrived} octets arrived, but {passed} passed from host to host: there is another way"
        );
    }
    Ok(outcome)
}
