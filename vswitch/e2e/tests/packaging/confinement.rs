//! `vswitchd.service` takes from the switch what it does not need, and nothing else.

use anyhow::{Context, Result};
use vswitch_e2e::Host;

use crate::exercise::Exercise;
use crate::unit::{self, Unit};

const SERVICE: &str = "vswitchd.service";
/// linux/socket.h.
const FAMILIES: [(&str, u32); 5] = [
    ("AF_UNIX", 1),
    ("AF_INET", 2),
    ("AF_INET6", 10),
    ("AF_NETLINK", 16),
    ("AF_PACKET", 17),
];

/// A command that confines another one as systemd does by the service's settings.
fn confined(host: &Host, unit: &Unit, capabilities: &[&str]) -> Result<Vec<String>> {
    let mut bounding = "-all".to_owned();
    for name in capabilities {
        let name = name.strip_prefix("CAP_").context("CAP_ is missing")?;
        bounding.push_str(&format!(",+{}", name.to_lowercase()));
    }
    let allowed = unit.words("RestrictAddressFamilies");
    let families = allowed.iter().map(|word| {
        let known = FAMILIES.iter().find(|(name, _)| name == word);
        Ok(known
            .with_context(|| format!("unknown: {word}"))?
            .1
            .to_string())
    });
    let families = families.collect::<Result<Vec<_>>>()?.join(",");
    let script = unit::root().join("vswitch/e2e/tests/packaging/confine.py");
    let words = [
        "setpriv",
        &format!("--bounding-set={bounding}"),
        "--inh-caps=-all",
        "--no-new-privs",
        "python3",
        &script.display().to_string(),
        &families,
        &unit.system_calls(host)?.join(","),
    ];
    Ok(words.map(str::to_owned).into())
}

#[test]
fn the_switch_does_everything_in_its_service() -> Result<()> {
    let unit = Unit::read(SERVICE)?;
    let capabilities = unit.words("CapabilityBoundingSet");
    assert!(!unit.words("RestrictAddressFamilies").is_empty());
    assert!(!unit.words("SystemCallFilter").is_empty());
    Exercise::new(|host| confined(host, &unit, &capabilities))?.run()
}

#[test]
fn it_needs_each_of_its_capabilities() -> Result<()> {
    let unit = Unit::read(SERVICE)?;
    let capabilities = unit.words("CapabilityBoundingSet");
    assert!(!capabilities.is_empty());
    for missing in &capabilities {
        let mut fewer = capabilities.clone();
        fewer.retain(|other| other != missing);
        let exercise = Exercise::new(|host| confined(host, &unit, &fewer));
        let outcome = exercise.and_then(|mut exercise| exercise.run());
        let error = outcome
            .err()
            .with_context(|| format!("{missing} is not needed"))?;
        println!("without {missing}: {error:#}");
    }
    Ok(())
}

/// What it mounts is to be seen by the host, and what engines mount by it: with each of these settings
/// systemd would give it mounts of its own (systemd.exec(5)).
#[test]
fn it_shares_its_mounts_with_the_host() -> Result<()> {
    let unit = Unit::read(SERVICE)?;
    for key in [
        "BindPaths",
        "BindReadOnlyPaths",
        "DynamicUser",
        "ExecPaths",
        "InaccessiblePaths",
        "MountFlags",
        "NoExecPaths",
        "PrivateDevices",
        "PrivateIPC",
        "PrivateMounts",
        "PrivateNetwork",
        "PrivateTmp",
        "PrivateUsers",
        "ProcSubset",
        "ProtectControlGroups",
        "ProtectHome",
        "ProtectKernelLogs",
        "ProtectKernelModules",
        "ProtectKernelTunables",
        "ProtectProc",
        "ProtectSystem",
        "ReadOnlyPaths",
        "ReadWritePaths",
        "RootDirectory",
        "RootImage",
        "TemporaryFileSystem",
    ] {
        assert!(unit.words(key).is_empty(), "{key}");
    }
    Ok(())
}
