//! DEL and GC.

use serde_json::{Value, json};

use crate::fake_daemon::FakeDaemon;
use crate::runtime::Call;
use crate::switch::{ID, Scene, Switch, refusal};

fn detach(place: u32) -> String {
    format!("DELETE /v1/networks/{ID}/endpoints?sandbox=%2Frun%2Fnetns%2F{place} ")
}

fn three() -> Scene {
    Scene {
        network: true,
        endpoints: vec![("abc", "eth0"), ("abc", "eth1"), ("", "")],
        ..Scene::default()
    }
}

#[test]
fn an_attachment_is_found_by_its_labels() {
    let switch = Switch::start(three());
    let del = Call::new("DEL")
        .env("CNI_IFNAME", "eth1")
        .without("CNI_NETNS");
    del.run(&switch.daemon).succeeded();
    assert_eq!(switch.changes(), [detach(1)]);
}

#[test]
fn nothing_to_remove_is_a_success() {
    let switch = Switch::start(three());
    let unknown = Call::new("DEL").env("CNI_CONTAINERID", "abd");
    unknown.run(&switch.daemon).succeeded();
    assert_eq!(switch.changes(), [""; 0]);
    let switch = Switch::start(Scene::default());
    Call::new("DEL").run(&switch.daemon).succeeded();
    for gone in ["not_attached", "network_not_found"] {
        let switch = Switch::start(Scene {
            instead: vec![("DELETE", 404, refusal(gone, "gone"))],
            ..three()
        });
        Call::new("DEL").run(&switch.daemon).succeeded();
        assert_eq!(switch.changes(), [detach(0)]);
    }
}

#[test]
fn without_the_daemon_nothing_counts_as_removed() {
    Call::new("DEL")
        .run(&FakeDaemon::absent())
        .failed(11, "is it running?");
    let switch = Switch::start(Scene {
        instead: vec![("DELETE", 503, refusal("busy", "later"))],
        ..three()
    });
    Call::new("DEL").run(&switch.daemon).failed(11, "later");
}

#[test]
fn what_is_not_valid_any_more_is_collected() {
    let gc = |valid: Value| {
        let switch = Switch::start(three());
        let call = Call::new("GC").with("cni.dev/valid-attachments", valid);
        call.run(&switch.daemon).succeeded();
        switch.changes()
    };
    let attachment = |ifname: &str| json!({"containerID": "abc", "ifname": ifname});
    assert_eq!(gc(json!([attachment("eth0")])), [detach(1)]);
    assert_eq!(gc(json!([attachment("eth0"), attachment("eth1")])), [""; 0]);
    assert_eq!(gc(json!([])), [detach(0), detach(1)]);
    assert_eq!(gc(Value::Null), [detach(0), detach(1)]);
}

#[test]
fn without_a_list_nothing_is_collected() {
    let switch = Switch::start(three());
    Call::new("GC")
        .run(&switch.daemon)
        .failed(7, "cni.dev/valid-attachments");
    assert_eq!(switch.changes(), [""; 0]);
}

#[test]
fn collecting_goes_on_after_a_failure() {
    let first: &'static str = detach(0).trim_end().to_owned().leak();
    let switch = Switch::start(Scene {
        instead: vec![(first, 500, refusal("kernel_refused", "stuck"))],
        ..three()
    });
    let call = Call::new("GC").with("cni.dev/valid-attachments", json!([]));
    call.run(&switch.daemon).failed(100, "stuck");
    assert_eq!(switch.changes(), [detach(0), detach(1)]);
}
