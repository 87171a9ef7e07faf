//! The end of one of the two, and its return.

use std::collections::BTreeSet;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use vswitch_e2e::Transport::Tcp;
use vswitch_e2e::{Conversation, Dockerd, Echo, IMAGE, ask, eventually, ping, reaches};

use crate::fixture::{Lab, PATIENCE, SUBNET, SUBNET6, at, inside};

/// Docker forgets its containers' endpoints without telling, and begins anew with all addresses free.
#[test]
fn dockerd_is_killed_and_comes_back() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.create("net", &format!("{SUBNET} {SUBNET6}"))?;
    lab.create("pool", "--ipam-driver vswitch --subnet 10.21.0.0/24")?;
    lab.docker.run("c1", "--network net -p 8080:80")?;
    lab.docker.run("c2", "--network net --ip 10.20.0.99")?;
    lab.docker.run("c3", "--network pool")?;
    // It starts this one by itself.
    lab.docker.run("c4", "--network net --restart always")?;
    let containers = ["c1", "c2", "c3", "c4"];
    let published = at(lab.outside.host_address(4), 8080);
    let deaths: [fn(&mut Dockerd) -> Result<()>; 2] =
        [Dockerd::kill, Dockerd::kill_with_containers];
    for (round, die) in deaths.into_iter().enumerate() {
        let before = lab.docker.container("c1")?;
        let second = lab.docker.container("c2")?;
        die(&mut lab.node.docker)?;
        if round == 0 {
            // It was Docker that died, not they.
            ping(&before, inside(4, 99))?;
            ping(&second, lab.outside.address(4))?;
        }
        lab.node.docker.start_again()?;
        eventually("the container runs again", PATIENCE, || {
            let inspected = lab.docker.inspect("container", "c4")?;
            Ok(inspected["State"]["Running"] == true)
        })?;
        lab.docker.ctl("start c1 c2 c3")?;
        let first = lab.docker.container("c1")?;
        let _echo = Echo::start(&first, 80)?;
        ask(lab.outside.place(), Tcp, published)?;
        for family in [4, 6] {
            ping(&first, lab.outside.address(family))?;
        }
        ping(&first, inside(4, 99))?;
        ping(&first, lab.address("c4", "net")?)?;
        lab.docker.exec("c2", "ping -c 1 -w 5 c1")?;
        ping(&lab.docker.container("c3")?, lab.outside.address(4))?;
        // All is there once.
        let mut addresses = BTreeSet::new();
        for (net, of) in [("net", &["c1", "c2", "c4"][..]), ("pool", &["c3"])] {
            let inspected = lab.inspect(net)?;
            let rows = inspected["Containers"].as_object().context("no list")?;
            ensure!(rows.len() == of.len(), "{inspected}");
            for container in of {
                addresses.insert(lab.switched(container, net)?["IPv4Address"].to_string());
            }
        }
        ensure!(addresses.len() == containers.len(), "{addresses:?}");
        ensure!(lab.rows("list-sandboxes")?.len() == containers.len());
        let ports = lab.rows("ports")?;
        ensure!(
            ports.iter().all(|row| row["host_port"] == "8080"),
            "{ports:?}"
        );
        let interfaces = lab.host.interfaces()?;
        ensure!(
            !interfaces.iter().any(|name| is_containers(name)),
            "{interfaces:?}"
        );
    }
    lab.tidy()
}

/// Whether an interface of the host is one that waits for a container.
fn is_containers(name: &str) -> bool {
    name.strip_prefix("vs-").is_some_and(|id| id.len() == 12)
}

/// Waits until the switch has seen where Docker has put interfaces, and what it calls them: it looks every two
/// seconds.
fn are_found(lab: &Lab) -> Result<()> {
    eventually("interfaces have been found", PATIENCE, || {
        Ok(!lab.daemon.ctl("--json list-sandboxes")?.contains("\"vs-"))
    })
}

#[test]
fn the_switch_is_killed_and_comes_back() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.create("net", &format!("{SUBNET} {SUBNET6}"))?;
    lab.create("other", "--ipam-driver vswitch")?;
    lab.create("own", "--ipam-driver null")?;
    let one = lab.docker.run("c1", "--network net -p 8080:80")?;
    let two = lab.docker.run("c2", "--network net")?;
    let three = lab.docker.run("c3", "--network own")?;
    lab.docker.ctl("network connect other c3")?;
    let published = at(lab.outside.host_address(4), 8080);
    let _echo = Echo::start(&one, 80)?;
    let mut inner = Conversation::start(&two, at(inside(4, 2), 80))?;
    let mut outer = Conversation::start(lab.outside.place(), published)?;
    let told = |lab: &Lab| -> Result<Vec<String>> {
        let mut told = Vec::new();
        for line in [
            "inspect net",
            "inspect other",
            "inspect own",
            "--json ports",
            "--json list-sandboxes",
        ] {
            told.push(lab.daemon.ctl(line)?);
        }
        Ok(told)
    };
    are_found(&lab)?;
    let before = told(&lab)?;
    for _ in 0..2 {
        lab.node.daemon.kill()?;
        lab.node.daemon.start_again()?;
        inner.goes_on(PATIENCE)?;
        outer.goes_on(PATIENCE)?;
        ensure!(
            told(&lab)? == before,
            "{:?} and then {:?}",
            before,
            told(&lab)?
        );
        for place in [&one, &two, &three] {
            ping(place, lab.outside.address(4))?;
        }
        ping(&one, inside(6, 3))?;
        ask(lab.outside.place(), Tcp, published)?;
    }
    // Docker has not noticed, and goes on.
    lab.docker.run("c4", "--network net")?;
    lab.docker.exec("c4", "ping -c 1 -w 5 c1")?;
    lab.docker.ctl("network connect own c4")?;
    lab.docker.ctl("network disconnect other c3")?;
    lab.docker.ctl("network rm other")?;
    lab.docker.ctl("stop c1")?;
    ensure!(!reaches(lab.outside.place(), Tcp, published)?);
    lab.docker.ctl("start c1")?;
    lab.docker.exec("c4", "ping -c 1 -w 5 c1")?;
    lab.tidy()
}

/// Docker asks for 15 s before it gives up, each time that it asks for something: to start a container it
/// asks once, to remove one twice.
#[test]
fn the_switch_is_away() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.create("net", SUBNET)?;
    // Docker does one thing at a time on a network; and from an internal one it takes no way out.
    lab.create("other", "--internal --subnet 10.21.0.0/24")?;
    lab.docker.run("c1", "--network net")?;
    lab.docker.run("c2", "--network other --ip 10.21.0.99")?;
    lab.docker.ctl(&format!(
        "create --name c3 --network net {IMAGE} sleep infinity"
    ))?;
    are_found(&lab)?;
    lab.node.daemon.stop()?;
    let start = Instant::now();
    thread::scope(|scope| {
        let refused = scope.spawn(|| lab.docker.refused("start c3"));
        let removed = scope.spawn(|| lab.docker.ctl("rm --force c2"));
        let said = refused
            .join()
            .map_err(|_| anyhow!("it panicked"))
            .flatten()?;
        println!("after {:?}: {said}", start.elapsed());
        ensure!(said.contains("vswitch"), "{said}");
        removed
            .join()
            .map_err(|_| anyhow!("it panicked"))
            .flatten()?;
        println!("after {:?}: removed", start.elapsed());
        anyhow::Ok(())
    })?;
    lab.node.daemon.start_again()?;
    lab.docker.ctl("start c3")?;
    lab.docker.exec("c3", "ping -c 1 -w 5 c1")?;
    // What Docker could not tell has been found out.
    for (net, count) in [("net", 2), ("other", 0)] {
        let inspected = lab.inspect(net)?;
        let rows = inspected["Containers"].as_object().context("no list")?;
        ensure!(rows.len() == count, "{inspected}");
    }
    lab.docker.run("c4", "--network other --ip 10.21.0.99")?;
    lab.tidy()
}
