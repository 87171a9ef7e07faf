//! What dockerd 20.10.24 sent in one life, answered. `>` is a request, `<` the status and the answer. The address
//! spaces, pools and gateways, which dockerd repeats as a plugin named them, are vswitchd's; and one option
//! (`ipam=dhcp`) is taken out, as it needs a physical network.

use serde_json::Value;

use super::exchange::{Answer, Plugin};
use crate::lab::isolated;

const RECORDED: &str = include_str!("recorded.txt");

#[test]
fn a_life_of_dockerd_is_answered() {
    isolated(|| {
        let plugin = Plugin::start();
        let lines: Vec<&str> = RECORDED.lines().collect();
        for exchange in lines.chunks(2) {
            let &[request, expected] = exchange else {
                panic!("no answer: {exchange:?}");
            };
            let request = request.strip_prefix("> ").unwrap();
            let (method, body) = request.split_once(' ').unwrap_or((request, ""));
            assert_eq!(plugin.send(method, body), answer(expected), "{request}");
        }
        let client = plugin.daemon.client();
        let left = plugin.daemon.block_on(client.networks()).unwrap();
        let left: Vec<&str> = left.iter().map(|network| network.name.as_str()).collect();
        assert_eq!(left, ["host", "none"]);
    });
}

fn answer(line: &str) -> Answer {
    let (status, body) = line.strip_prefix("< ").unwrap().split_once(' ').unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    Answer {
        status: status.parse().unwrap(),
        body,
    }
}
