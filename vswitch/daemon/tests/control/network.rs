//! Networks and their host ports.

use vswitch_api::NetworkCreate;
use vswitch_netio::netlink::{Netlink, Route};

use crate::daemon::{Daemon, bridge, code};
use crate::lab;

#[test]
fn a_network_has_a_host_port_with_the_gateway() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        let id = daemon.network(&bridge("web", "10.5.0.0/24"));
        let port = lab::host_link(&format!("br-{}", &id[..12])).unwrap();
        assert!(port.up && port.carrier);
        assert_eq!(port.mac.unwrap().to_string(), "02:42:0a:05:00:01");
        let addresses = Netlink::open().unwrap().addresses().unwrap();
        let own: Vec<_> = addresses
            .iter()
            .filter(|a| a.interface == port.index)
            .map(|a| a.network.to_string())
            .collect();
        assert_eq!(own, ["10.5.0.1/24"], "no IPv6, not even link-local");

        let network = daemon.block_on(daemon.client().network("web")).unwrap();
        assert_eq!(network.id, id);
        assert_eq!(
            network.ipam.config[0].gateway,
            Some("10.5.0.1".parse().unwrap())
        );
        daemon
            .block_on(daemon.client().remove_network("web", false))
            .unwrap();
        assert!(lab::host_taps().is_empty());
        let gone = daemon.block_on(daemon.client().network("web"));
        assert_eq!(code(gone), "network_not_found");
    });
}

#[test]
fn subnets_avoid_the_hosts_routes_and_each_other() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        let mut netlink = Netlink::open().unwrap();
        // As 172.17.0.0/16 dev lo.
        let route = Route::to("172.17.0.0/16".parse().unwrap(), None, 1);
        netlink.add_route(&route).unwrap();
        let subnet = |name: &str| {
            daemon.network(&NetworkCreate::new(name));
            let network = daemon.block_on(daemon.client().network(name)).unwrap();
            network.ipam.config[0].subnet.to_string()
        };
        assert_eq!(subnet("a"), "172.18.0.0/16");
        assert_eq!(subnet("b"), "172.19.0.0/16");
        for taken in ["172.17.3.0/24", "172.18.0.0/24"] {
            let request = bridge("c", taken);
            let refused = daemon.block_on(daemon.client().create_network(&request));
            assert_eq!(code(refused), "subnet_overlap", "{taken}");
        }
        assert_eq!(lab::host_taps().len(), 2);
    });
}

#[test]
fn a_network_in_use_is_removed_by_force_only() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        daemon.sandboxes(&["a", "b"]);
        daemon.attach("web", "a");
        daemon.attach("web", "b");
        let refused = daemon.block_on(daemon.client().remove_network("web", false));
        assert_eq!(code(refused), "network_in_use");
        assert_eq!(daemon.attached("web"), ["a", "b"]);
        daemon
            .block_on(daemon.client().remove_network("web", true))
            .unwrap();
        assert_eq!(lab::links("a").len(), 1);
        assert_eq!(lab::links("b").len(), 1);
        assert!(lab::host_taps().is_empty());
    });
}

#[test]
fn a_deleted_host_port_is_made_anew() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        let id = daemon.network(&bridge("web", "10.5.0.0/24"));
        let name = format!("br-{}", &id[..12]);
        let index = lab::host_link(&name).unwrap().index;
        Netlink::open().unwrap().delete_link(index).unwrap();
        lab::eventually("the host port is back", || {
            lab::host_link(&name).is_some_and(|link| link.index != index && link.up)
        });
        lab::eventually_eq(&1, || daemon.logged(&["WARN", "deleted the host port"]));
    });
}

#[test]
fn a_name_that_the_host_uses_is_refused_and_nothing_is_left() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        lab::leave_tap("docker0", "somebody's");
        let mut request = bridge("web", "10.5.0.0/24");
        let key = "com.docker.network.bridge.name".to_owned();
        request.options.insert(key, "docker0".to_owned());
        let refused = daemon.block_on(daemon.client().create_network(&request));
        assert_eq!(code(refused), "interface_in_use");
        assert_eq!(
            daemon.block_on(daemon.client().networks()).unwrap().len(),
            2
        );
        assert_eq!(lab::host_taps(), ["docker0"]);
        daemon.network(&bridge("web", "10.5.0.0/24"));
    });
}
