//! Everything that the switch asks the kernel for, once.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use vswitch_e2e::{
    Daemon, DaemonOptions, Echo, Host, Place, Transport, UNDERLAY_NIC, Underlay, ask,
};

/// A confined daemon on host 1 of a wire, and an ordinary one on host 2.
pub(crate) struct Exercise {
    // Dropped in this order: the daemons, then their hosts, then the wire.
    confined: Daemon,
    other: Daemon,
    here: Host,
    there: Host,
    wire: Underlay,
}

const NIC: &str = UNDERLAY_NIC;

impl Exercise {
    /// Starts the daemons, the one on host 1 under a command.
    pub(crate) fn new(under: impl FnOnce(&Host) -> Result<Vec<String>>) -> Result<Self> {
        let wire = Underlay::new()?;
        let [here, there] = [Host::new()?, Host::new()?];
        wire.plug(&here, 1)?;
        wire.plug(&there, 2)?;
        let options = DaemonOptions {
            flags: ["--uplink", NIC].map(str::to_owned).into(),
            under: under(&here)?,
            show_log: true,
            ..DaemonOptions::default()
        };
        Ok(Self {
            confined: Daemon::start_with(&here, options)?,
            other: Daemon::start_with(&there, DaemonOptions::default())?,
            here,
            there,
            wire,
        })
    }

    /// All of it, and again after a restart.
    pub(crate) fn run(&mut self) -> Result<()> {
        self.translate_and_publish().context("a bridge network")?;
        self.enter_by_process().context("a sandbox by process id")?;
        self.join_hosts().context("an overlay network")?;
        self.join_lans().context("networks on a NIC")?;
        self.confined.kill()?;
        self.confined.start_again()?;
        self.look_again().context("after a restart")?;
        self.take_away().context("at the end")?;
        // What is not permitted is warned of where the rest goes on.
        let log = self.confined.log()?;
        for refusal in ["not permitted", "Permission denied"] {
            ensure!(!log.contains(refusal), "something was refused:\n{log}");
        }
        Ok(())
    }

    /// Out, in by a port below 1024, in by a range that a BPF program serves, and from the host itself.
    fn translate_and_publish(&self) -> Result<()> {
        let ports = "-p 80:7000 -p 20000-20400:20000-20400";
        self.confined.ctl("add-net net --ipv6")?;
        self.confined.populate("net", &["b"])?;
        self.confined.ctl("add-sandbox a")?;
        self.confined.ctl(&format!("attach net a {ports}"))?;
        let _far = Echo::start(&self.there.place(), 7001)?;
        ask(&self.sandbox("a"), Transport::Tcp, self.at(2, 7001))?;
        self.come_in()
    }

    fn come_in(&self) -> Result<()> {
        let a = self.sandbox("a");
        let (_low, _range) = (Echo::start(&a, 7000)?, Echo::start(&a, 20_399)?);
        for from in [self.there.place(), self.here.place()] {
            for port in [80, 20_399] {
                ask(&from, Transport::Tcp, self.at(1, port))?;
            }
        }
        Ok(())
    }

    /// As a container is whose processes are not root's.
    fn enter_by_process(&self) -> Result<()> {
        let user = ["--reuid", "1000", "--regid", "1000", "--clear-groups"];
        let unshare = self.here.program("unshare").args(["--net", "setpriv"]);
        let sleep = ["sh", "-c", "echo ready && exec sleep infinity"];
        let mut process = unshare.args(user).args(sleep).spawn()?;
        process.wait_for("ready", std::time::Duration::from_secs(10))?;
        let sandbox = format!("pid:{}", process.pid());
        self.confined.ctl(&format!("attach net {sandbox}"))?;
        self.confined.ctl(&format!("detach net {sandbox}"))?;
        Ok(())
    }

    fn join_hosts(&self) -> Result<()> {
        for (daemon, peer, number) in [(&self.confined, 2, 10), (&self.other, 1, 20)] {
            let peer = self.wire.address(4, peer);
            daemon.ctl(&format!(
                "add-net wide -d overlay --subnet 10.30.0.0/24 -o peers={peer}"
            ))?;
            let sandbox = format!("w{number}");
            daemon.ctl(&format!("add-sandbox {sandbox}"))?;
            daemon.ctl(&format!("attach wide {sandbox} --ip 10.30.0.{number}"))?;
        }
        ping(&self.sandbox("w10"), IpAddr::from([10, 30, 0, 20]))
    }

    fn join_lans(&self) -> Result<()> {
        for (driver, number) in [("macvlan", 11), ("ipvlan", 12)] {
            let address = self.wire.address(4, number);
            self.confined.ctl(&format!(
                "add-net {driver} -d {driver} --subnet 192.0.2.0/24 -o parent={NIC}"
            ))?;
            self.confined.ctl(&format!("add-sandbox {driver}"))?;
            self.confined
                .ctl(&format!("attach {driver} {driver} --ip {address}"))?;
            ping(&self.sandbox(driver), self.wire.address(4, 2))?;
        }
        self.confined
            .ctl(&format!("add-net vlan -d macvlan -o parent={NIC}.7"))?;
        Ok(())
    }

    fn look_again(&self) -> Result<()> {
        self.come_in()?;
        ping(&self.sandbox("w10"), IpAddr::from([10, 30, 0, 20]))?;
        ping(&self.sandbox("macvlan"), self.wire.address(4, 2))
    }

    fn take_away(&self) -> Result<()> {
        let nets = "net wide macvlan ipvlan vlan";
        self.confined.ctl(&format!("rm-net --force {nets}"))?;
        self.confined.ctl("rm-sandbox a b w10 macvlan ipvlan")?;
        ensure!(self.here.run("ip netns list")?.is_empty());
        Ok(())
    }

    fn sandbox(&self, name: &str) -> Place {
        self.here.sandbox(name)
    }

    fn at(&self, host: u8, port: u16) -> SocketAddr {
        SocketAddr::new(self.wire.address(4, host), port)
    }
}

/// One of a few echo requests is answered.
fn ping(place: &Place, to: IpAddr) -> Result<()> {
    let ping = place.program("ping");
    ping.args(["-c", "1", "-i", "0.2", "-w", "5", &to.to_string()])
        .output()?;
    Ok(())
}
