//! Many endpoints: nothing leaks, nothing spins.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use vswitch_e2e::{Daemon, DaemonOptions, Host, ProcessFigures, eventually, figures};

use crate::fixture::{Lab, PATIENCE};

/// What a shell of Debian gives a process that does not ask for more.
const OPEN_FILES: u32 = 1024;

fn lab() -> Result<Lab> {
    let host = Host::new()?;
    let options = DaemonOptions {
        under: vec!["prlimit".to_owned(), format!("--nofile={OPEN_FILES}:")],
        show_log: true,
        ..DaemonOptions::default()
    };
    let daemon = Daemon::start_with(&host, options)?;
    // 509 addresses beside the gateway's: not enough for what is attached in the second round if the
    // first has leaked them.
    daemon.ctl("add-net net --subnet 10.50.0.0/23")?;
    Ok(Lab { daemon, host })
}

fn attach(lab: &Lab, count: usize) -> Result<Duration> {
    let mut spent = Duration::ZERO;
    for number in 0..count {
        lab.ctl(&format!("add-sandbox s{number}"))?;
        let start = Instant::now();
        lab.ctl(&format!("attach net s{number}"))?;
        spent += start.elapsed();
    }
    Ok(spent)
}

fn detach(lab: &Lab, count: usize) -> Result<Duration> {
    let mut spent = Duration::ZERO;
    for number in 0..count {
        let start = Instant::now();
        lab.ctl(&format!("detach net s{number}"))?;
        spent += start.elapsed();
        assert_eq!(lab.host.interfaces_in(&format!("s{number}"))?, ["lo"]);
        lab.ctl(&format!("rm-sandbox s{number}"))?;
    }
    Ok(spent)
}

/// TAPs in the host's namespace, with all that the kernel knows of them.
fn taps(lab: &Lab) -> Result<usize> {
    let links = lab.host.run("ip -d -o link show")?;
    Ok(links.lines().filter(|line| line.contains(" tun ")).count())
}

fn settled(lab: &Lab, before: ProcessFigures) -> Result<ProcessFigures> {
    eventually("as many descriptors as before", PATIENCE, || {
        Ok(lab.daemon.figures()?.descriptors <= before.descriptors)
    })?;
    lab.daemon.figures()
}

#[test]
fn five_hundred_endpoints_come_and_go() -> Result<()> {
    const MANY: usize = 500;
    const SOME: usize = 50;
    let lab = lab()?;
    let (before, taps_before) = (lab.daemon.figures()?, taps(&lab)?);
    let each = |spent: Duration, count: usize| spent / u32::try_from(count).unwrap_or(1);
    let attaching = attach(&lab, MANY)?;
    let full = lab.daemon.figures()?;
    assert_eq!(
        lab.daemon.json("stats net")?.as_array().map(Vec::len),
        Some(MANY + 1),
        "ports of the sandboxes and of the host"
    );
    lab.ping("s0", "10.50.0.1")?;
    lab.ping("s0", &lab.address("net", &format!("s{}", MANY - 1), 4)?)?;
    let detaching = detach(&lab, MANY)?;
    let after = settled(&lab, before)?;
    figures(&format!(
        "{MANY} endpoints, each with a start of vsctl: attach {:.1?}, detach {:.1?}\n  before: {before}\n  full:   {full}\n  after:  {after}",
        each(attaching, MANY),
        each(detaching, MANY),
    ))?;
    assert_eq!(after.threads, before.threads);
    assert_eq!(taps(&lab)?, taps_before);

    attach(&lab, SOME)?;
    detach(&lab, SOME)?;
    let again = settled(&lab, before)?;
    figures(&format!("  and after {SOME} more came and went: {again}"))?;
    assert!(
        again.resident_kib < after.resident_kib + 8 * 1024,
        "memory grows: {after:?}, {again:?}"
    );
    lab.ctl("rm-net net")?;
    assert_eq!(lab.host.interfaces()?, ["lo"]);
    Ok(())
}

#[test]
fn an_idle_daemon_with_a_hundred_ports_sleeps() -> Result<()> {
    const WATCHED: Duration = Duration::from_secs(10);
    let lab = lab()?;
    attach(&lab, 100)?;
    // Kernels have things to say about an interface when it is new.
    sleep(Duration::from_secs(3));
    let before = lab.daemon.figures()?;
    sleep(WATCHED);
    let after = lab.daemon.figures()?;
    let spent = after.processor - before.processor;
    let woken = after.sleeps.saturating_sub(before.sleeps);
    figures(&format!(
        "idle with 100 ports: {:.2} % of a core, {} wake-ups a second",
        spent.as_secs_f64() / WATCHED.as_secs_f64() * 100.0,
        woken / WATCHED.as_secs()
    ))?;
    // Loose: a daemon that polls wakes up thousands of times a second.
    assert!(woken / WATCHED.as_secs() < 500, "{woken}");
    assert!(spent < WATCHED / 10, "{spent:?}");
    Ok(())
}
