//! A DHCP server as it is used everywhere.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use crate::{Background, Place};

/// A running `dnsmasq` that gives addresses on `eth0`. Ends when dropped.
#[derive(Debug)]
pub struct Dnsmasq {
    process: Background,
    folder: TempDir,
}

impl Dnsmasq {
    /// Starts a server of the addresses from the first to the last, for two minutes each (the shortest that
    /// dnsmasq knows), with a router and further flags.
    ///
    /// # Errors
    /// If it does not come up.
    pub fn start(
        place: &Place,
        [first, last]: [IpAddr; 2],
        router: IpAddr,
        flags: &[&str],
    ) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vswitch-").tempdir()?;
        let mut process = place
            .program("dnsmasq")
            .args(["--keep-in-foreground", "--log-facility=-", "--log-dhcp"])
            .args(["--conf-file=/dev/null", "--pid-file=", "--user=root"])
            // No DNS. And it must not ping first: that takes seconds.
            .args(["--port=0", "--interface=eth0", "--no-ping"])
            .arg(format!("--dhcp-range={first},{last},255.255.255.0,120"))
            .arg(format!("--dhcp-option=option:router,{router}"))
            .arg(format!(
                "--dhcp-leasefile={}",
                folder.path().join("leases").display()
            ))
            .args(flags)
            .spawn()?;
        process.wait_for("DHCP, IP range", Duration::from_secs(10))?;
        Ok(Self { process, folder })
    }

    /// All that it has logged.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(self.process.written()?.1)
    }

    /// How many messages of a kind (`DHCPREQUEST`) it has logged that it heard or said of somebody or something.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn count(&self, kind: &str, of: &str) -> Result<usize> {
        let log = self.log()?;
        let said = format!(" {kind}(");
        Ok(log
            .lines()
            .filter(|line| line.contains(&said) && line.contains(of))
            .count())
    }

    /// The lines of its file of leases: expiry, MAC address, address, name, client identifier.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn leases(&self) -> Result<Vec<String>> {
        let path: PathBuf = self.folder.path().join("leases");
        let text = std::fs::read_to_string(path)?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

/// What a failed test is looked at with.
impl Drop for Dnsmasq {
    #[expect(
        clippy::print_stdout,
        reason = "test runners show it if the test fails"
    )]
    fn drop(&mut self) {
        println!("-- log of dnsmasq:\n{}", self.log().unwrap_or_default());
    }
}
