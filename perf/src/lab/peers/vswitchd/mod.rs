//! This project's switch, as users have it: no option or flag beyond what the setting is.

mod attach;
mod docker;
mod macvlan;
mod outside;
mod overlay;
mod switching;

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
    set_up: |setting| {
        Ok(match setting {
            Setting::Bridge { containers } => Box::new(switching::Switching::set_up(containers)?),
            Setting::Stations { room } => Box::new(switching::Switching::with_stations(room)?),
            Setting::Workers(workers) => Box::new(switching::Switching::with_workers(workers)?),
            Setting::Outside => Box::new(outside::Outside::set_up()?),
            Setting::Overlay => Box::new(overlay::Overlay::set_up()?),
            Setting::Lan => Box::new(macvlan::Macvlan::set_up()?),
            Setting::Attach(what) => Box::new(attach::Attach::set_up(what)?),
            Setting::Docker => Box::new(docker::DockerVswitch::set_up()?),
        })
    },
};
