//! The daemon dies, and is started again: nothing is made anew at a plugin, and what is gone is ended there.

use vswitch_cnm::{Endpoint, Phase};
use vswitch_netio::netns::NamedNetns;
use vswitchd::store::{Change, Table};

use super::network::{lent, remove};
use super::scripted::Plugin;
use crate::daemon::Daemon;
use crate::lab;

/// The sandboxes a and b on the plugin's network `web`.
fn web_of_two() -> (Plugin, Daemon) {
    let (plugin, daemon) = (Plugin::new("fake"), Daemon::new());
    daemon.network(&lent("fake", "web"));
    daemon.sandboxes(&["a", "b"]);
    daemon.attach("web", "a");
    daemon.attach("web", "b");
    plugin.calls();
    (plugin, daemon)
}

/// Changes the record of the endpoint in a sandbox.
fn change(daemon: &Daemon, sandbox: &str, change: impl FnOnce(&mut Endpoint)) {
    let mut store = daemon.store();
    let endpoints: Vec<Endpoint> = store.load(Table::Endpoints).unwrap();
    let mut endpoints = endpoints.into_iter();
    let is_it = |endpoint: &Endpoint| endpoint.whereabouts() == sandbox;
    let mut endpoint = endpoints.find(is_it).unwrap();
    change(&mut endpoint);
    let change = Change::put(Table::Endpoints, endpoint.id, &endpoint).unwrap();
    store.commit(&[change]).unwrap();
}

#[test]
fn endpoints_are_found_again_in_their_sandboxes() {
    lab::isolated(|| {
        let (plugin, mut daemon) = web_of_two();
        assert!(lab::succeeds_in("b", "ip link set net0 down"));
        assert!(lab::succeeds_in("b", "ip link set net0 name mine"));
        daemon.kill();
        daemon.start();
        assert_eq!(daemon.attached("web"), ["a", "b"]);
        assert_eq!(plugin.methods(), [""; 0]);
        assert_eq!(daemon.logged(&["WARN"]), 0, "{}", daemon.log());
        assert!(lab::succeeds_in("a", "ping -c 1 -W 5 10.55.0.7"));
        daemon.detach("web", "b");
        daemon.detach("web", "a");
        assert_eq!((lab::links("a").len(), lab::links("b").len()), (1, 1));
        remove(&daemon, "web", false).unwrap();
        assert_eq!(plugin.has(), [0; 4]);
    });
}

#[test]
fn an_endpoint_whose_interface_or_sandbox_is_gone_is_ended() {
    lab::isolated(|| {
        let (plugin, mut daemon) = web_of_two();
        daemon.kill();
        assert!(lab::succeeds_in("a", "ip link del net0"));
        NamedNetns::delete(&"b".parse().unwrap()).unwrap();
        daemon.start();
        lab::eventually("the plugin is told", || plugin.has() == [1, 0, 1, 1]);
        lab::eventually("they are forgotten", || daemon.attached("web").is_empty());
        lab::eventually("the sandbox too", || daemon.known_sandboxes() == ["a"]);
        daemon.attach("web", "a");
    });
}

#[test]
fn what_was_interrupted_is_undone() {
    lab::isolated(|| {
        let (plugin, mut daemon) = web_of_two();
        daemon.kill();
        change(&daemon, "a", |endpoint| endpoint.phase = Phase::Attaching);
        change(&daemon, "b", |endpoint| endpoint.phase = Phase::Detaching);
        daemon.start();
        lab::eventually("the plugin is told", || plugin.has() == [1, 0, 1, 1]);
        lab::eventually("they are forgotten", || daemon.attached("web").is_empty());
        assert_eq!((lab::links("a").len(), lab::links("b").len()), (1, 1));
        assert_eq!(daemon.logged(&["attaching was interrupted: undone"]), 1);
        assert_eq!(daemon.logged(&["detaching was interrupted: finished"]), 1);
        daemon.attach("web", "a");
        daemon.kill();
        change(&daemon, "a", |endpoint| {
            endpoint.phase = Phase::Created;
            endpoint.sandbox = None;
            endpoint.ifname = None;
            endpoint.plugin = None;
        });
        daemon.start();
        lab::eventually("the plugin is told again", || plugin.has() == [1, 0, 1, 1]);
    });
}

#[test]
fn a_plugin_that_is_away_at_the_start_hinders_nothing() {
    lab::isolated(|| {
        let (plugin, mut daemon) = web_of_two();
        daemon.kill();
        std::fs::remove_file(plugin.socket()).unwrap();
        NamedNetns::delete(&"b".parse().unwrap()).unwrap();
        daemon.start();
        assert_eq!(daemon.attached("web")[0], "a");
        lab::eventually("it is forgotten", || daemon.attached("web") == ["a"]);
        daemon.detach("web", "a");
        assert_eq!(lab::links("a").len(), 1);
    });
}
