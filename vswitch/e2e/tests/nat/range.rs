//! Forty thousand ports at once.

use std::time::Instant;

use anyhow::Result;
use vswitch_e2e::Transport::Udp;
use vswitch_e2e::{DaemonOptions, Echo, Host, Outside, WAN0, ask, figures};

use crate::fixture::{Lab, at};

/// Open files: fewer than the ports.
const LIMIT: u32 = 20_000;

#[test]
fn a_range_of_forty_thousand_ports() -> Result<()> {
    let host = Host::new()?;
    let outside = Outside::new(&host, WAN0)?;
    outside.route_everything(&host)?;
    let options = DaemonOptions {
        under: vec!["prlimit".to_owned(), format!("--nofile={LIMIT}:")],
        show_log: true,
        ..DaemonOptions::default()
    };
    let mut lab = Lab::on(host, outside, options)?;
    lab.add_two("")?;
    let before = lab.daemon.figures()?;
    let start = Instant::now();
    lab.ctl("publish net a -p 20000-59999:20000-59999/udp")?;
    let took = start.elapsed();
    let after = lab.daemon.figures()?;
    figures(&format!(
        "-p 20000-59999:20000-59999/udp: {} ms with vsctl's start, {:.1} MiB, {} descriptors (debug build)",
        took.as_millis(),
        after.resident_kib.saturating_sub(before.resident_kib) as f64 / 1024.0,
        after.descriptors - before.descriptors
    ))?;
    assert!(after.descriptors < LIMIT as usize);
    let (_first, _last) = (
        Echo::start(&lab.a(), 20_000)?,
        Echo::start(&lab.a(), 59_999)?,
    );
    for restarted in [false, true] {
        if restarted {
            lab.daemon.kill()?;
            lab.daemon.start_again()?;
        }
        for port in [20_000, 59_999] {
            for family in [4, 6] {
                let to = at(lab.outside.host_address(family), port);
                for from in [lab.outside().clone(), lab.b(), lab.host.place()] {
                    ask(&from, Udp, to)?;
                }
            }
            ask(&lab.host.place(), Udp, at([127, 0, 0, 1].into(), port))?;
        }
    }
    // Others still find a port to go out by, and so does the host itself.
    let _echo = Echo::start(lab.outside(), 7)?;
    for family in [4, 6] {
        for place in [lab.b(), lab.host.place()] {
            ask(&place, Udp, at(lab.outside.address(family), 7))?;
        }
    }
    lab.ctl("unpublish net a -p 20000-59999:20000-59999/udp")?;
    Ok(())
}
