//! The daemon or the plugin ends in between.

use std::thread;

use anyhow::{Result, ensure};
use serde_json::json;
use vswitch_e2e::{CniFailure, ping};

use crate::fixture::{Lab, address};

/// How often the plugin is killed.
const ROUNDS: u32 = 24;

#[test]
fn attachments_outlive_the_daemon() -> Result<()> {
    let mut lab = Lab::new()?;
    let web = lab.web()?;
    let a = lab.container("a")?;
    lab.container("b")?;
    let results = [web.add("a")?, web.add("b")?];
    lab.daemon.kill()?;
    // The runtime is to come again: the switch would still have the endpoint when it is back.
    let failure = CniFailure::of(web.call("DEL", "b")?)?;
    ensure!(
        failure.code == 11 && failure.details.contains("is it running?"),
        "{failure:?}"
    );
    assert_eq!(CniFailure::of(web.checking("a", &results[0])?)?.code, 11);
    assert_eq!(CniFailure::of(web.call("ADD", "a")?)?.code, 11);
    lab.daemon.start_again()?;
    web.check("a", &results[0])?;
    ping(&a, address(&results[1], 4)?)?;
    web.del("b")?;
    lab.daemon.stop()?;
    lab.daemon.start_again()?;
    web.del("a")?;
    lab.is_empty("web", &["a", "b"])
}

#[test]
fn a_plugin_that_is_killed_leaves_nothing_behind_its_del() -> Result<()> {
    let lab = Lab::new()?;
    let web = lab.network(json!({
        "ipam": {"type": "host-local", "subnet": "10.20.0.0/29", "dataDir": lab.host.folder()},
        "cniVersion": "1.0.0",
    }))?;
    lab.container("a")?;
    let whole = web.call("ADD", "a")?.run()?.took;
    let mut cut_short = 0;
    // From its beginning to its end, and more often than there are addresses: what leaks is missed.
    for part in 0..ROUNDS {
        web.del("a")?;
        lab.host.run("ip netns delete a")?;
        lab.container("a")?;
        let mut call = web.call("ADD", "a")?.spawn()?;
        thread::sleep(whole * part / ROUNDS);
        if call.is_running()? {
            cut_short += 1;
            call.kill()?;
        }
    }
    println!("{cut_short} of {ROUNDS} were cut short");
    web.del("a")?;
    let result = web.add("a")?;
    web.check("a", &result)?;
    assert_eq!(lab.endpoints("web")?.len(), 1);
    web.del("a")?;
    lab.is_empty("web", &["a"])
}
