//! The same runs through several switches, alternating, so that the machine's moods hit all alike.
//!
//! Method: datapath research §4.13 (RFC 8204): both ends, the switch and the load share the
//! processors here, so throughput is never shown without the processor time that it cost.

mod attacher;
mod case;
mod cases;
mod engine;
mod frames;
mod growth;
mod load;
mod loads;
mod machine;
mod markdown;
mod outputs;
mod path;
mod peer;
mod peers;
mod plot;
mod processor;
mod progress;
mod record;
mod report;
mod selection;
mod setting;
mod site;
mod skipped;
mod summary;
mod switch;
mod table;
mod underlay;
mod vacancy;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;

pub(crate) use peers::{container, outside};

use case::Case;
use load::Outcome;
use machine::Machine;
use outputs::Outputs;
use peer::{Peer, PeerKind};
use progress::Progress;
use record::Record;
use selection::{Choice, Selection};
use setting::Setting;
use site::Site;
use skipped::Skipped;
use summary::Summary;
use switch::Switch;
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
    /// Write everything to this file, too: machine, switches, every run's figure
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    outputs: Outputs,
    /// Show the cases and the peers, and what these need, and end
    #[arg(long)]
    list: bool,
}

/// Labs that were stored.
#[derive(Args)]
pub(crate) struct Stored {
    /// Files that `perf lab --json` has written
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    outputs: Outputs,
}

/// Shows stored labs again: as they are to be written, or else as a document on standard output.
///
/// # Errors
/// If a file cannot be read or written.
pub(crate) fn show(stored: &Stored) -> Result<()> {
    let files = stored.files.iter();
    let records = files.map(|file| Record::read(file));
    let records = records.collect::<Result<Vec<_>>>()?;
    if stored.outputs.is_empty() {
        for record in &records {
            report::text(&markdown::document(record));
        }
    }
    stored.outputs.write(&records)
}

/// Runs the lab and prints what came of it.
///
/// # Errors
/// If this project's switch cannot be set up, or a run through it fails. What was measured before is written
/// nevertheless.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.list {
        return match report::list() {
            // Such as `head`, which has what it wants.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            listed => Ok(listed?),
        };
    }
    let machine = Machine::read()?;
    report::machine(&machine);
    let is_chosen = |case: &&&Case| {
        let mut chosen = arguments.cases.iter();
        chosen.any(|selection| selection.includes(case))
    };
    let cases: Vec<&Case> = Case::all().iter().filter(is_chosen).copied().collect();
    let mut lab = Lab::new(arguments, machine, &cases);
    // Cases of one setting follow each other, and share what was set up.
    let mut of_settings = cases.chunk_by(|one, next| one.setting == next.setting);
    let ran = of_settings.try_for_each(|cases| {
        lab.run_cases(cases)?;
        vacancy::wait()
    });
    if !lab.record.results.is_empty() {
        if let Some(path) = &arguments.json {
            lab.record.write(path)?;
            report::wrote(path);
        }
        arguments.outputs.write(std::slice::from_ref(&lab.record))?;
    }
    ran?;
    ensure!(!lab.record.results.is_empty(), "nothing to compare");
    Ok(())
}

/// A lab that is going on.
struct Lab {
    peers: Vec<&'static PeerKind>,
    record: Record,
    progress: Progress,
    start: Instant,
}

/// A switch that is set up, its name in its setting first.
type Contestant = (&'static str, &'static PeerKind, Peer);

impl Lab {
    fn new(arguments: &Arguments, machine: Machine, cases: &[&Case]) -> Self {
        let (seconds, repeats) = (arguments.seconds, arguments.repeats);
        let peers = match &arguments.peers[..] {
            [] => PeerKind::ALL.to_vec(),
            chosen => chosen.iter().map(|choice| choice.0).collect(),
        };
        let of_peers = peers.iter().map(|kind| count(kind, cases));
        let total = repeats * of_peers.sum::<u32>();
        Self {
            peers,
            record: Record {
                machine,
                seconds,
                repeats,
                switches: Vec::new(),
                skipped: Vec::new(),
                results: Vec::new(),
            },
            progress: Progress::new(total, seconds),
            start: Instant::now(),
        }
    }

    /// Runs cases of one setting through all switches that are made for it.
    fn run_cases(&mut self, cases: &[&'static Case]) -> Result<()> {
        let Some(setting) = cases.first().map(|case| case.setting) else {
            return Ok(());
        };
        let mut contestants = Vec::new();
        for kind in self.peers.clone() {
            let contestant = self.set_up(kind, setting)?;
            if contestant.is_none() {
                let runs = self.record.repeats * count(kind, cases);
                self.progress.leave_out(runs);
            }
            contestants.extend(contestant);
        }
        for case in cases {
            let mut taking_part = Vec::new();
            for contestant in contestants.iter().filter(|(_, kind, _)| (kind.takes)(case)) {
                let (title, _, peer) = contestant;
                match case.load.misses(peer) {
                    None => taking_part.push(contestant),
                    Some(reason) => {
                        self.skip(title, reason.to_owned());
                        self.progress.leave_out(self.record.repeats);
                    }
                }
            }
            if taking_part.is_empty() {
                report::left_out(case.title);
                continue;
            }
            let summaries = self.run_case(case, taking_part)?;
            report::results(&summaries);
            self.record.results.extend(summaries);
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
                peer.ends.check().context("it carries no traffic")?;
                Ok(peer)
            }),
        };
        match peer {
            Ok(peer) => {
                let switch = Switch::of(kind, title, &peer);
                if !self.record.switches.contains(&switch) {
                    self.record.switches.push(switch);
                }
                Ok(Some((title, kind, peer)))
            }
            Err(error) if kind.is_ours() => Err(error.context(format!("set up {title}"))),
            Err(error) => {
                self.skip(title, format!("{error:#}"));
                Ok(None)
            }
        }
    }

    /// Names a switch that is left out.
    fn skip(&mut self, title: &str, reason: String) {
        let peer = title.to_owned();
        let skipped = Skipped { peer, reason };
        report::skipped(&skipped);
        if !self.record.skipped.contains(&skipped) {
            self.record.skipped.push(skipped);
        }
    }

    /// Runs one case through each switch in turn, as often as was asked for. A switch of others that does
    /// not get through is left out of the case.
    fn run_case(&mut self, case: &Case, contestants: Vec<&Contestant>) -> Result<Vec<Summary>> {
        let (seconds, repeats) = (self.record.seconds, self.record.repeats);
        let with_runs = |contestant| (contestant, Vec::new());
        let mut contestants: Vec<(&Contestant, _)> =
            contestants.into_iter().map(with_runs).collect();
        for repeat in 1..=repeats {
            let mut still_there = Vec::with_capacity(contestants.len());
            for (contestant, mut runs) in contestants {
                let (title, kind, peer) = contestant;
                self.progress.begin();
                let so_far = self.progress.told(self.start.elapsed());
                report::progress(&so_far, case.title, title, repeat, repeats);
                let outcome = run_once(case, peer, seconds)
                    .with_context(|| format!("{} through {title}", case.title));
                match outcome {
                    Ok(outcome) => {
                        runs.push(outcome);
                        still_there.push((contestant, runs));
                    }
                    Err(error) if kind.is_ours() => return Err(error),
                    Err(error) => {
                        self.skip(title, format!("{error:#}"));
                        self.progress.leave_out(repeats - repeat);
                    }
                }
            }
            contestants = still_there;
        }
        let summaries = contestants.iter();
        let mut summaries: Vec<_> = summaries
            .flat_map(|((_, kind, _), runs)| Summary::of(case, kind, runs))
            .collect();
        summary::compare(&mut summaries);
        Ok(summaries)
    }
}

/// How many of the cases a kind of switch takes.
fn count(kind: &PeerKind, cases: &[&Case]) -> u32 {
    let takes = |case: &&&Case| (kind.title)(case.setting).is_some() && (kind.takes)(case);
    cases.iter().filter(takes).map(|_| 1).sum()
}

/// One run, and the proof that it went the way it should.
fn run_once(case: &Case, peer: &Peer, seconds: u32) -> Result<Outcome> {
    let passed = || peer.underlay.as_ref().map(Underlay::octets).transpose();
    let before = passed()?;
    let site = Site::new(peer, peer.ends.path(case.way));
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
