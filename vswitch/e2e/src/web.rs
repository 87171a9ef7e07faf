//! Pages by HTTP, with `curl`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use crate::{Background, Place};

/// A web server of one page, on port 8000 of all addresses. Ends when dropped.
#[derive(Debug)]
pub struct WebServer {
    _process: Background,
    _folder: TempDir,
}

const PORT: u16 = 8000;

impl WebServer {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// If it does not.
    pub fn start(place: &Place, page: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vswitch-").tempdir()?;
        std::fs::write(folder.path().join("page"), page)?;
        let mut process = place
            .program("python3")
            .args(["-u", "-m", "http.server", &PORT.to_string(), "--bind", "::"])
            .arg("--directory")
            .arg(folder.path())
            .spawn()?;
        process.wait_for("Serving HTTP", Duration::from_secs(10))?;
        Ok(Self {
            _process: process,
            _folder: folder,
        })
    }
}

/// The page of the server at an address.
///
/// # Errors
/// If it cannot be had.
pub fn fetch_page(place: &Place, address: IpAddr) -> Result<String> {
    let url = format!("http://{}/page", SocketAddr::new(address, PORT));
    let curl = place.program("curl").env("no_proxy", "*");
    curl.args([
        "--silent",
        "--show-error",
        "--fail",
        "--max-time",
        "20",
        &url,
    ])
    .output()
}
