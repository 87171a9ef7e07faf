//! `docker network connect` and `disconnect`, and containers on several networks.

use anyhow::{Result, ensure};
use vswitch_e2e::Transport::Tcp;
use vswitch_e2e::{Conversation, Echo, ask, no_ping, ping, reaches};

use crate::fixture::{Lab, PATIENCE, SUBNET, SUBNET6, at, inside, run};

#[test]
fn a_running_container_comes_onto_a_network_and_goes() -> Result<()> {
    let lab = Lab::new()?;
    lab.create("home", &format!("{SUBNET} {SUBNET6}"))?;
    lab.create("work", "--subnet 10.21.0.0/24")?;
    let one = lab.docker.run("c1", "--network home")?;
    let two = lab.docker.run("c2", "--network work")?;
    let three = lab.docker.run("c3", "--network home")?;
    let _echo = Echo::start(&one, 7)?;
    let mut talk = Conversation::start(&three, at(inside(4, 2), 7))?;
    no_ping(&one, "10.21.0.2".parse()?)?;
    for round in 0..2 {
        lab.docker
            .ctl("network connect --ip 10.21.0.9 --alias guest work c1")?;
        // Docker has counted on: eth1, then eth2.
        let shown = run(&one, "ip -o -4 address show")?;
        ensure!(shown.contains("10.21.0.9/24"), "{shown}");
        ping(&two, "10.21.0.9".parse()?)?;
        ping(&one, "10.21.0.2".parse()?)?;
        lab.docker.exec("c2", "ping -c 1 -w 5 guest")?;
        let containers = lab.inspect("work")?["Containers"].clone();
        ensure!(
            containers.as_object().map(serde_json::Map::len) == Some(2),
            "{containers}"
        );
        // Where it was before, nothing is felt.
        talk.goes_on(PATIENCE)?;
        lab.docker.ctl("network disconnect work c1")?;
        ensure!(run(&one, "ip -o link")?.lines().count() == 2, "{round}");
        no_ping(&two, "10.21.0.9".parse()?)?;
        let containers = lab.inspect("work")?["Containers"].clone();
        ensure!(
            containers.as_object().map(serde_json::Map::len) == Some(1),
            "{containers}"
        );
        talk.goes_on(PATIENCE)?;
    }
    // Off the network that it came with, too.
    drop(talk);
    lab.docker.ctl("network connect work c1")?;
    lab.docker.ctl("network disconnect home c1")?;
    ping(&one, "10.21.0.2".parse()?)?;
    ping(&one, lab.outside.address(4))?;
    // Nobody of the other network is reached, and the network can go when all have left it.
    let said = lab.docker.refused("network rm work")?;
    ensure!(said.contains("active endpoints"), "{said}");
    lab.docker.ctl("rm --force c3")?;
    lab.docker.ctl("network rm home")?;
    lab.tidy()
}

/// Docker elects one of a container's networks to be its way out, by name, and publishes its ports there.
#[test]
fn one_of_two_networks_is_the_way_out() -> Result<()> {
    let lab = Lab::new()?;
    lab.create("middle", &format!("{SUBNET} {SUBNET6}"))?;
    lab.create("zoo", "--subnet 10.21.0.0/24")?;
    lab.create("aisle", "--subnet 10.22.0.0/24 --ipv6 --subnet fd22::/64")?;
    lab.create("within", "--subnet 10.23.0.0/24 --internal")?;
    let one = lab.docker.run("c1", "--network middle -p 8080:80")?;
    let echo = Echo::start(&one, 80)?;
    let published = at(lab.outside.host_address(4), 8080);
    let goes_by = |router: &str| -> Result<()> {
        let routes = run(&one, "ip route")?;
        let default = format!("default via {router} ");
        ensure!(routes.contains(&default), "no {default}: {routes}");
        ensure!(routes.matches("default").count() == 1, "{routes}");
        ping(&one, lab.outside.address(4))?;
        ask(lab.outside.place(), Tcp, published)?;
        let rows = lab.rows("ports")?;
        ensure!(!rows.is_empty(), "nothing is published");
        let net = router.rsplit_once('.').map_or("", |(net, _)| net);
        for row in &rows {
            let to = row["container_ip"].as_str().unwrap_or_default();
            ensure!(to.starts_with(net) || to.contains(':'), "{router}: {row}");
        }
        Ok(())
    };
    goes_by("10.20.0.1")?;
    // Last in the alphabet, or with no way out: nothing changes.
    for other in ["zoo", "within"] {
        lab.docker.ctl(&format!("network connect {other} c1"))?;
        goes_by("10.20.0.1")?;
    }
    lab.docker.ctl("network connect aisle c1")?;
    goes_by("10.22.0.1")?;
    ping(&one, lab.outside.address(6))?;
    lab.docker.ctl("network disconnect aisle c1")?;
    goes_by("10.20.0.1")?;
    ping(&one, lab.outside.address(6))?;
    lab.docker.ctl("network disconnect middle c1")?;
    goes_by("10.21.0.1")?;
    lab.docker.ctl("network disconnect zoo c1")?;
    ensure!(!run(&one, "ip route")?.contains("default"));
    ensure!(!reaches(lab.outside.place(), Tcp, published)?);
    // After a new start all is as it was.
    lab.docker.ctl("network connect aisle c1")?;
    drop(echo);
    lab.docker.ctl("restart c1")?;
    let again = lab.docker.container("c1")?;
    let _echo = Echo::start(&again, 80)?;
    ask(lab.outside.place(), Tcp, published)?;
    lab.tidy()
}
