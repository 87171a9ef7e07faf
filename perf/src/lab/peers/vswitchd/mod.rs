//! This project's switch, as users have it: no option or flag beyond what the setting is.

mod attach;
mod docker;
mod macvlan;
mod outside;
mod overlay;
mod switching;

use anyhow::Result;
use vswitch_e2e::{Daemon, DaemonOptions, Host};

use crate::lab::peer::PeerKind;
use crate::lab::setting::{By, Setting};

pub(super) const KIND: PeerKind = PeerKind {
    name: "vswitchd",
    help: "This project's switch",
    needs: &[],
    title: |setting| {
        Some(match setting {
            Setting::Lan => "vswitchd macvlan",
            Setting::Attach(what) if what.by == By::Engine => "vswitchd, API",
            Setting::Attach(_) => "vswitchd, vsctl",
            _ => "vswitchd",
        })
    },
    takes: |_| true,
    set_up: |setting| match setting {
        Setting::Bridge { containers } => switching::set_up(containers),
        Setting::Stations { room } => switching::with_stations(room),
        Setting::Workers(workers) => switching::with_workers(workers),
        Setting::Outside => outside::set_up(),
        Setting::Overlay => overlay::set_up(),
        Setting::Lan => macvlan::set_up(),
        Setting::Attach(what) => attach::set_up(what),
        Setting::Docker => docker::set_up(),
    },
};

fn start(host: &Host, flags: &[&str]) -> Result<Daemon> {
    let options = DaemonOptions {
        flags: flags.iter().copied().map(str::to_owned).collect(),
        ..DaemonOptions::default()
    };
    Daemon::start_with(host, options)
}
