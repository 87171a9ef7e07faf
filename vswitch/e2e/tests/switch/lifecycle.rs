//! Things vanish, or are found half made: repaired or removed, with a line in the log.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use vswitch_e2e::{eventually, state_files};

use crate::fixture::{Lab, PATIENCE, ping};

impl Lab {
    /// The sandboxes that are attached to a network.
    fn attached(&self, network: &str) -> Result<Vec<String>> {
        let inspected = self.daemon.json(&format!("inspect {network}"))?;
        let containers = inspected[0]["Containers"].as_object();
        let containers = containers.context("inspect shows no Containers")?;
        Ok(containers.keys().cloned().collect())
    }

    /// No TAP of the switch but the host ports is in the host's namespace.
    fn no_stray_tap(&self) -> Result<()> {
        let stray = self.host.interfaces()?;
        assert!(
            !stray.iter().any(|name| name.starts_with("vs-")),
            "{stray:?}"
        );
        Ok(())
    }

    /// Uses of descriptors settle to what they were, and nothing spins.
    fn settles(&self, descriptors: usize) -> Result<()> {
        eventually("as many descriptors as before", PATIENCE, || {
            Ok(self.daemon.figures()?.descriptors <= descriptors)
        })?;
        let before = self.daemon.figures()?;
        sleep(Duration::from_secs(2));
        let spent = self.daemon.figures()?.processor - before.processor;
        println!("processor time in 2 s: {spent:?}");
        assert!(spent < Duration::from_millis(200), "{spent:?}");
        Ok(())
    }
}

#[test]
fn a_deleted_namespace_takes_its_ports_with_it() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("add-net net --subnet 10.20.0.0/24")?;
    lab.daemon.populate("net", &["stays"])?;
    let descriptors = lab.daemon.figures()?.descriptors;
    for round in 0..3 {
        let name = format!("goes{round}");
        lab.host.run(&format!("ip netns add {name}"))?;
        lab.ctl(&format!("attach net {name}"))?;
        lab.ping("stays", &lab.address("net", &name, 4)?)?;
        lab.host.run(&format!("ip netns del {name}"))?;
        eventually("the port goes", PATIENCE, || {
            Ok(lab.attached("net")? == ["stays"])
        })?;
    }
    lab.settles(descriptors)?;
    lab.ping("stays", "10.20.0.1")?;
    assert!(!lab.ctl("stats")?.contains("goes"));
    lab.no_stray_tap()
}

#[test]
fn a_dead_process_takes_its_ports_with_it() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("add-net net --subnet 10.20.0.0/24")?;
    let descriptors = lab.daemon.figures()?.descriptors;
    let mut process = lab
        .host
        .program("unshare")
        .args(["--net", "sh", "-c", "echo ready; exec sleep 600"])
        .spawn()?;
    process.wait_for("ready", PATIENCE)?;
    lab.ctl(&format!("attach net pid:{}", process.pid()))?;
    ping(&lab.host.place(), "10.20.0.2")?;
    process.kill()?;
    eventually("the port goes", PATIENCE, || {
        Ok(lab.attached("net")?.is_empty())
    })?;
    lab.settles(descriptors)
}

#[test]
fn a_namespace_that_vanished_while_the_daemon_was_away() -> Result<()> {
    let mut lab = Lab::with_three("")?;
    lab.daemon.kill()?;
    lab.host.run("ip netns del b")?;
    lab.daemon.start_again()?;
    eventually("the port goes", PATIENCE, || {
        Ok(lab.attached("net")? == ["a", "c"])
    })?;
    lab.ping("a", "10.20.0.4")?;
    lab.no_stray_tap()?;
    // Its name and its address are free again.
    lab.host.run("ip netns add b")?;
    lab.ctl("attach net b --ip 10.20.0.3")?;
    lab.ping("a", "10.20.0.3")
}

#[test]
fn a_namespace_that_vanished_after_a_restart() -> Result<()> {
    let mut lab = Lab::with_three("")?;
    lab.daemon.kill()?;
    lab.daemon.start_again()?;
    // The daemon has reopened the TAP from the inside.
    lab.host.run("ip netns del b")?;
    eventually("the port goes", PATIENCE, || {
        Ok(lab.attached("net")? == ["a", "c"])
    })?;
    lab.ping("a", "10.20.0.4")
}

#[test]
fn an_interface_that_was_deleted_in_the_sandbox() -> Result<()> {
    let lab = Lab::with_three("")?;
    lab.host.run_in("b", "ip link del eth0")?;
    eventually("the port goes", PATIENCE, || {
        Ok(lab.attached("net")? == ["a", "c"])
    })?;
    lab.ctl("attach net b")?;
    lab.ping("a", &lab.address("net", "b", 4)?)
}

#[test]
fn an_interface_that_is_down_for_a_while() -> Result<()> {
    let lab = Lab::with_three("")?;
    lab.host.run_in("b", "ip link set eth0 down")?;
    lab.no_ping("a", "10.20.0.3")?;
    let descriptors = lab.daemon.figures()?.descriptors;
    lab.settles(descriptors)?;
    lab.host.run_in("b", "ip link set eth0 up")?;
    lab.ping("a", "10.20.0.3")
}

#[test]
fn an_orphaned_tap_is_removed() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.ctl("add-net net --subnet 10.20.0.0/24")?;
    lab.ctl("add-sandbox a")?;
    lab.daemon.stop()?;
    let remembered = state_files(&lab.daemon.state_dir())?;
    lab.daemon.start_again()?;
    lab.ctl("attach net a")?;
    lab.daemon.kill()?;
    // The endpoint is in nobody's books any more.
    for (path, bytes) in remembered {
        fs::write(path, bytes)?;
    }
    lab.daemon.start_again()?;
    eventually("the orphan goes", PATIENCE, || {
        Ok(lab.host.interfaces_in("a")? == ["lo"])
    })?;
    lab.ctl("attach net a")?;
    lab.ping("a", "10.20.0.1")
}

#[test]
fn a_lost_host_port_is_made_again() -> Result<()> {
    let mut lab = Lab::with_three("")?;
    let is_bridge = |name: &&String| name.starts_with("br-");
    let interfaces = lab.host.interfaces()?;
    let bridge = interfaces.iter().find(is_bridge).context("no host port")?;
    lab.daemon.kill()?;
    lab.host.run(&format!("ip link del {bridge}"))?;
    lab.daemon.start_again()?;
    ping(&lab.host.place(), "10.20.0.2")?;
    ping(&lab.host.place(), "fd20::2")
}

/// kill -9 at any moment of attaching and detaching: afterwards each sandbox is either attached and
/// works, or has no trace of it.
#[test]
fn half_finished_attaches_are_finished_or_undone() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.ctl("add-net net --subnet 10.20.0.0/24")?;
    let sandboxes = ["a", "b", "c", "d"];
    for sandbox in sandboxes {
        lab.ctl(&format!("add-sandbox {sandbox}"))?;
    }
    for round in 0..12_u64 {
        let mut commands = Vec::new();
        for sandbox in sandboxes {
            for command in ["attach", "detach"] {
                let program = lab.daemon.vsctl_program(&[command, "net", sandbox])?;
                commands.push(program.spawn()?);
            }
        }
        sleep(Duration::from_millis(3 + round * 7));
        lab.daemon.kill()?;
        for command in commands {
            // Refused, cut off or done: all are well.
            command.finish(PATIENCE)?;
        }
        lab.daemon.start_again()?;
        let attached = lab.attached("net")?;
        println!("round {round}: {attached:?} attached");
        for sandbox in sandboxes {
            let interfaces = lab.host.interfaces_in(sandbox)?;
            if attached.iter().any(|name| name == sandbox) {
                assert_eq!(interfaces, ["lo", "eth0"], "{sandbox}");
                lab.ping(sandbox, "10.20.0.1")?;
                lab.ctl(&format!("detach net {sandbox}"))?;
            } else {
                assert_eq!(interfaces, ["lo"], "{sandbox}");
            }
        }
        lab.no_stray_tap()?;
    }
    lab.ctl("rm-net net")?;
    assert_eq!(lab.host.interfaces()?, ["lo"]);
    Ok(())
}

#[test]
fn nothing_is_left_behind() -> Result<()> {
    let lab = Lab::new()?;
    // Once, so that what the daemon makes once and keeps is not counted.
    let cycle = || -> Result<()> {
        lab.ctl("add-net net --subnet 10.20.0.0/24 --ipv6 --subnet fd20::/64")?;
        lab.daemon.populate("net", &["a", "b"])?;
        lab.ping("a", "10.20.0.3")?;
        let refusal = lab.daemon.refused("rm-net net")?;
        assert!(refusal.message.contains("active endpoints"), "{refusal:?}");
        lab.ctl("detach net a")?;
        assert_eq!(lab.host.interfaces_in("a")?, ["lo"]);
        lab.ctl("rm-net --force net")?;
        assert_eq!(lab.host.interfaces_in("b")?, ["lo"]);
        lab.ctl("rm-sandbox a")?;
        lab.ctl("rm-sandbox b")?;
        assert_eq!(lab.host.interfaces()?, ["lo"]);
        assert_eq!(lab.host.run("ip netns list")?, "");
        Ok(())
    };
    cycle()?;
    let descriptors = lab.daemon.figures()?.descriptors;
    cycle()?;
    cycle()?;
    lab.settles(descriptors)
}
