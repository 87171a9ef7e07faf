//! Pools that Docker's IPAM borrows.

use serde_json::{Value, json};
use vswitch_api::NetworkCreate;

use super::exchange::Plugin;
use crate::daemon::{bridge, code};
use crate::lab::isolated;

fn pool(plugin: &Plugin, pool: &str) -> Value {
    let request =
        json!({"AddressSpace": "vswitch", "Pool": pool, "SubPool": "", "Options": {}, "V6": false});
    plugin.call("IpamDriver.RequestPool", &request)
}

fn address(plugin: &Plugin, pool: &str, address: &str) -> Value {
    let options = json!({"RequestAddressType": "com.docker.network.gateway"});
    let request = json!({"PoolID": pool, "Address": address, "Options": options});
    plugin.call("IpamDriver.RequestAddress", &request)["Address"].clone()
}

#[test]
fn a_lent_pool_is_nobody_elses() {
    isolated(|| {
        let mut plugin = Plugin::start();
        let first = pool(&plugin, "");
        let expected =
            json!({"PoolID": "vswitch/172.17.0.0/16", "Pool": "172.17.0.0/16", "Data": {}});
        assert_eq!(first, expected);
        assert_eq!(pool(&plugin, "")["Pool"], "172.18.0.0/16");
        assert_eq!(
            address(&plugin, "vswitch/172.17.0.0/16", ""),
            "172.17.0.1/16"
        );
        assert_eq!(
            address(&plugin, "vswitch/172.17.0.0/16", "172.17.0.9"),
            "172.17.0.9/16"
        );

        plugin.daemon.kill();
        plugin.start_again();
        assert_eq!(
            address(&plugin, "vswitch/172.17.0.0/16", ""),
            "172.17.0.2/16"
        );
        let client = plugin.daemon.client();
        let overlapping = bridge("mine", "172.18.5.0/24");
        let refused = plugin.daemon.block_on(client.create_network(&overlapping));
        assert_eq!(code(refused), "subnet_overlap");
        plugin.daemon.network(&NetworkCreate::new("mine"));
        let shown = plugin.daemon.block_on(client.network("mine")).unwrap();
        assert_eq!(shown.ipam.config[0].subnet.to_string(), "172.19.0.0/16");
    });
}

#[test]
fn what_is_returned_is_free_again() {
    isolated(|| {
        let plugin = Plugin::start();
        let id = "vswitch/10.55.0.0/24";
        assert_eq!(pool(&plugin, "10.55.0.0/24")["PoolID"], id);
        assert_eq!(address(&plugin, id, "10.55.0.1"), "10.55.0.1/24");
        let twice = json!({"PoolID": id, "Address": "10.55.0.1", "Options": {}});
        plugin.send("IpamDriver.RequestAddress", &twice.to_string());
        for release in [
            json!({"PoolID": id, "Address": "10.55.0.1"}),
            json!({"PoolID": id, "Address": "10.55.0.1"}),
            json!({"PoolID": id, "Address": ""}),
            json!({"PoolID": "vswitch/10.1.0.0/16", "Address": "10.1.0.1"}),
        ] {
            assert_eq!(
                plugin.call("IpamDriver.ReleaseAddress", &release),
                json!({})
            );
        }
        assert_eq!(address(&plugin, id, "10.55.0.1"), "10.55.0.1/24");
        for _ in 0..2 {
            let release = json!({"PoolID": id});
            assert_eq!(plugin.call("IpamDriver.ReleasePool", &release), json!({}));
        }
        let gone = json!({"PoolID": id, "Address": ""});
        let answer = plugin.send("IpamDriver.RequestAddress", &gone.to_string());
        assert_ne!(answer.status, 200);
        plugin.daemon.network(&bridge("mine", "10.55.0.0/24"));
    });
}

#[test]
fn a_network_on_a_lent_pool_gets_its_addresses_from_docker() {
    isolated(|| {
        let plugin = Plugin::start();
        let lent = pool(&plugin, "10.55.0.0/24");
        let gateway = address(&plugin, lent["PoolID"].as_str().unwrap(), "");
        let create = json!({
            "NetworkID": "a".repeat(64),
            "Options": {"com.docker.network.generic": {}},
            "IPv4Data": [{"AddressSpace": "vswitch", "Gateway": gateway, "Pool": lent["Pool"]}],
            "IPv6Data": [],
        });
        plugin.call("NetworkDriver.CreateNetwork", &create);
        plugin.call("NetworkDriver.DeleteNetwork", &create);
        // dockerd 20.10 returns pools after their networks.
        assert_eq!(
            plugin.call("IpamDriver.ReleasePool", &json!({"PoolID": lent["PoolID"]})),
            json!({})
        );
    });
}
