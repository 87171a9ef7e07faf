//! What is no request of Docker's gets an error in its form, and the daemon goes on.

use vswitch_plugin::Method;

use super::exchange::Plugin;
use crate::lab::isolated;

#[test]
fn what_is_malformed_is_refused_by_every_method() {
    isolated(|| {
        let plugin = Plugin::start();
        let wrong_types =
            r#"{"NetworkID": 5, "PoolID": {}, "Options": 7, "DiscoveryType": "node"}"#;
        for method in Method::ALL.into_iter().filter(|method| method.has_body()) {
            for body in ["", " \n", "{", "[]", "\"\"", "\u{0}", wrong_types] {
                let answer = plugin.send(method.as_str(), body);
                answer.message(400);
            }
        }
        assert_eq!(plugin.send("Plugin.Activate", "").status, 200);
        assert_eq!(plugin.daemon.logged(&["internal error"]), 0);
    });
}

#[test]
fn what_is_missing_is_named() {
    isolated(|| {
        let plugin = Plugin::start();
        let id = "c".repeat(64);
        let ids = format!(r#"{{"NetworkID": "{id}", "EndpointID": "{id}"}}"#);
        for (method, body, named) in [
            ("NetworkDriver.CreateNetwork", "", "NetworkID"),
            ("NetworkDriver.CreateNetwork", "{}", "NetworkID"),
            (
                "NetworkDriver.CreateNetwork",
                r#"{"NetworkID": "web"}"#,
                "64 hex digits",
            ),
            ("NetworkDriver.Join", r#"{"NetworkID": "1"}"#, "EndpointID"),
            ("NetworkDriver.Join", &ids, "SandboxKey"),
            ("IpamDriver.RequestAddress", "{}", "PoolID"),
        ] {
            let message = plugin.send(method, body).message(400);
            assert!(message.contains(named), "{method} {body}: {message}");
        }
    });
}

#[test]
fn a_body_has_an_end() {
    isolated(|| {
        let plugin = Plugin::start();
        let longest = 16 << 20;
        let spaces = vec![b' '; longest + 1];
        let method = "NetworkDriver.CreateNetwork";
        let answer = plugin.request("POST", method, &spaces);
        assert_eq!(answer.message(413), "the body has more than 16 MiB");
        let answer = plugin.request("POST", method, &spaces[1..]);
        assert!(answer.message(400).contains("empty"));
    });
}

#[test]
fn other_methods_and_verbs_are_refused() {
    isolated(|| {
        let plugin = Plugin::start();
        for method in [
            "",
            "NetworkDriver.ReleaseIPv6",
            "networkdriver.join",
            "v1/networks",
        ] {
            let message = plugin.send(method, "{}").message(404);
            assert!(message.contains("no such method"), "{message}");
        }
        for verb in ["GET", "PUT", "DELETE"] {
            let answer = plugin.request(verb, "Plugin.Activate", b"");
            assert!(answer.message(405).contains("POST"));
        }
    });
}
