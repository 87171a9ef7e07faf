//! What is refused, in one line, with nothing half made.

use anyhow::Result;

use crate::fixture::Lab;

#[test]
fn refusals_say_what_and_change_nothing() -> Result<()> {
    let lab = Lab::new()?;
    lab.host.run("ip route add 10.40.0.0/16 dev lo")?;
    lab.ctl("add-net web --subnet 10.30.0.0/24")?;
    lab.daemon.populate("web", &["s"])?;
    lab.ctl("add-sandbox t")?;
    let long = "n".repeat(300);
    let cases = [
        ("add-net x --subnet 10.30.0.0/25", "overlaps"),
        (
            "add-net x --subnet 10.40.7.0/24",
            "overlaps the host's route",
        ),
        ("add-net web", "already exists"),
        (
            "add-net x --subnet 10.31.0.0/24 --gateway 10.32.0.1",
            "10.32.0.1",
        ),
        (
            "add-net x --subnet 10.31.0.0/24 --ip-range 10.32.0.0/28",
            "10.32.0.0/28",
        ),
        ("add-net x -d nosuch", "nosuch"),
        ("add-net x -d host", "only one instance"),
        ("add-net x -o com.example.nothing=1", "com.example.nothing"),
        ("add-net x -o com.docker.network.driver.mtu=many", "many"),
        ("add-net x/y", "x/y"),
        (&format!("add-net {long}"), "long"),
        (&format!("add-sandbox {long}"), "long"),
        ("add-sandbox t", "t"),
        ("rm-sandbox nosuch", "nosuch"),
        ("attach web t --ip 10.30.0.2", "already in use"),
        ("attach web t --ip 10.31.0.9", "outside"),
        ("attach web t --ip 10.30.0.1", "the gateway's"),
        ("attach web t --ip6 fd00::9", "IPv6"),
        ("attach web t --mac 01:00:5e:00:00:01", "multicast"),
        ("attach web t --mac 02:42:0a:1e:00:02", "already in use"),
        (
            "attach web t --ifname this-is-too-long-for-linux",
            "this-is-too-long",
        ),
        ("attach nosuch t", "network \"nosuch\" not found"),
        ("attach web nosuch", "nosuch"),
        ("attach web /no/such/path", "/no/such/path"),
        ("attach web /etc/hostname", "/etc/hostname"),
        ("attach web pid:2147483647", "2147483647"),
        ("attach web s", "already attached"),
        ("attach web t -o vswitch.vlan=4095", "4095"),
        ("detach web t", "not attached"),
        ("detach nosuch t", "nosuch"),
        ("inspect nosuch", "nosuch"),
        ("rm-net nosuch", "nosuch"),
        ("rm-net web", "active endpoints"),
        ("rm-net host", "pre-defined"),
        ("fdb nosuch", "nosuch"),
        ("stats nosuch", "nosuch"),
        ("exec nosuch -- true", "nosuch"),
    ];
    let look = || -> Result<_> {
        Ok((
            lab.ctl("inspect web")?,
            lab.ctl("list-nets")?,
            lab.ctl("list-sandboxes")?,
            lab.host.interfaces()?,
            lab.host.interfaces_in("s")?,
            lab.host.interfaces_in("t")?,
            lab.host.run("ip netns list")?,
        ))
    };
    let before = look()?;
    let descriptors = lab.daemon.figures()?.descriptors;
    let mut wrong = Vec::new();
    for (line, text) in cases {
        let Ok(refusal) = lab.daemon.refused(line) else {
            wrong.push(format!("`{line}` is not refused"));
            continue;
        };
        println!("{line}\n    {}", refusal.message);
        let one_line = refusal.message.lines().count() == 1;
        if refusal.code != 1
            || !one_line
            || !refusal.message.starts_with("error: ")
            || !refusal.message.contains(text)
        {
            wrong.push(format!("`{line}` should say {text:?}: {refusal:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(look()?, before);
    assert!(lab.daemon.figures()?.descriptors <= descriptors + 1);
    lab.ping("s", "10.30.0.1")
}

#[test]
fn wrong_usage_exits_2() -> Result<()> {
    let lab = Lab::new()?;
    for line in [
        "add-net",
        "add-net x --subnet 10.0.0.0/33",
        "add-net x --subnet nonsense",
        "attach web",
        "frobnicate",
    ] {
        assert_eq!(lab.daemon.refused(line)?.code, 2, "{line}");
    }
    Ok(())
}

#[test]
fn a_failed_attach_leaves_nothing() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("add-net net --subnet 10.20.0.0/24")?;
    lab.ctl("add-sandbox a")?;
    // The name is taken by an interface that the switch did not make.
    lab.host.run_in("a", "ip link add eth0 type bridge")?;
    lab.host.run_in("a", "ip address add 10.20.0.9/24 dev lo")?;
    let refused = lab.daemon.refused("attach net a --ifname eth0")?;
    println!("{refused:?}");
    assert_eq!(refused.message.lines().count(), 1);
    assert_eq!(lab.host.interfaces_in("a")?, ["lo", "eth0"]);
    let strays = lab.host.interfaces()?;
    assert!(
        !strays.iter().any(|name| name.starts_with("vs-")),
        "{strays:?}"
    );
    lab.host.run_in("a", "ip link del eth0")?;
    let endpoint = lab.daemon.json("attach net a")?;
    assert_eq!(endpoint["ifname"], "eth0");
    lab.ping("a", "10.20.0.1")
}
