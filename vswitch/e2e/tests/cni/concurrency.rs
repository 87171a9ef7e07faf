//! Many containers at once.

use std::collections::BTreeSet;
use std::thread;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use vswitch_e2e::ping;

use crate::fixture::{Lab, address};

#[test]
fn twenty_containers_are_attached_at_once() -> Result<()> {
    let lab = Lab::new()?;
    let web = lab.web()?;
    let names: Vec<String> = (0..20).map(|number| format!("c{number}")).collect();
    for name in &names {
        lab.container(name)?;
    }
    let results: Vec<Value> = all_at_once(&names, |name| web.add(name))?;
    let addresses: BTreeSet<_> = results
        .iter()
        .map(|result| address(result, 4))
        .collect::<Result<_>>()?;
    assert_eq!(addresses.len(), names.len());
    // The network was made once, by whoever came first.
    let networks = lab.daemon.json("list-nets")?;
    let networks = networks.as_array().context("no list")?;
    let made = networks.iter().filter(|network| network["name"] == "web");
    assert_eq!(made.count(), 1);
    for address in addresses {
        ping(&lab.host.sandbox("c0"), address)?;
    }
    all_at_once(&names, |name| web.del(name))?;
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    lab.is_empty("web", &names)
}

fn all_at_once<T: Send>(
    names: &[String],
    work: impl Fn(&str) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    thread::scope(|scope| {
        let started: Vec<_> = names
            .iter()
            .map(|name| scope.spawn(|| work(name)))
            .collect();
        let ended = started.into_iter().map(thread::ScopedJoinHandle::join);
        ended
            .map(|ended| ended.map_err(|_| anyhow!("it panicked"))?)
            .collect()
    })
}
