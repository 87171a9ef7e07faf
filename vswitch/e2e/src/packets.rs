//! Packets on a wire, as tcpdump records and tshark understands them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{Background, Place, Program, eventually};

/// A recording, from when it was made. Ends when dropped.
#[derive(Debug)]
pub struct Packets {
    place: Place,
    _recorder: Background,
    folder: TempDir,
}

/// What tshark says of one packet, field by field; of packets in packets, each field's values from the
/// outermost to the innermost.
pub type Dissected = Vec<Vec<String>>;

/// What tests send as payload is no protocol, whatever port numbers they use. The source ports of VXLAN are
/// above these.
const PLAIN_DATA: [&str; 3] = [
    "tcp.port==1-65535,data",
    "udp.port==1-4788,data",
    "udp.port==4790-49151,data",
];

impl Packets {
    /// Begins to record what passes an interface and fits a filter (pcap-filter(7)).
    ///
    /// # Errors
    /// If there is no such interface, or tcpdump cannot be run.
    pub fn record(place: &Place, interface: &str, filter: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vswitch-").tempdir()?;
        let mut recorder = place
            .program("tcpdump")
            .args(["--immediate-mode", "-U", "-n", "-s", "0", "-B", "65536"])
            .args(["-Z", "root", "-i", interface, "-w"])
            .arg(folder.path().join("packets"))
            .arg(filter)
            .spawn()?;
        recorder.wait_for("listening on", Duration::from_secs(10))?;
        Ok(Self {
            place: place.clone(),
            _recorder: recorder,
            folder,
        })
    }

    /// The packets so far that fit a display filter, and these fields of each (wireshark-filter(4)). All
    /// checksums are verified.
    ///
    /// # Errors
    /// If tshark does not know a field.
    pub fn dissect(&self, filter: &str, fields: &[&str]) -> Result<Vec<Dissected>> {
        let mut tshark = self.tshark()?.args(["-Y", filter, "-T", "fields"]);
        tshark = tshark.args(["-E", "separator=/t", "-E", "aggregator=;"]);
        for field in fields {
            tshark = tshark.args(["-e", field]);
        }
        let printed = tshark.output()?;
        let values = |field: &str| field.split(';').map(str::to_owned).collect();
        Ok(printed
            .lines()
            .map(|line| line.split('\t').map(values).collect())
            .collect())
    }

    /// All that tshark says of the packets that fit a display filter, for messages.
    ///
    /// # Errors
    /// If tshark does not understand the filter.
    pub fn explain(&self, filter: &str) -> Result<String> {
        self.tshark()?.args(["-Y", filter, "-V"]).output()
    }

    /// Waits until so many packets fit a display filter.
    ///
    /// # Errors
    /// If they do not come.
    pub fn wait_for(&self, filter: &str, count: usize) -> Result<()> {
        let what = format!("{count} packets on the wire that are `{filter}`");
        eventually(&what, Duration::from_secs(10), || {
            Ok(self.dissect(filter, &["frame.number"])?.len() >= count)
        })
    }

    fn tshark(&self) -> Result<Program> {
        // tcpdump may be writing the last packet, which tshark would complain of.
        let whole = self.whole()?;
        let tshark = self.place.program("tshark").env("HOME", self.folder.path());
        let tshark = tshark.arg("-n").arg("-r").arg(whole);
        let verify = ["ip", "udp", "tcp"].map(|of| format!("{of}.check_checksum:TRUE"));
        let tshark = tshark.args(verify.iter().flat_map(|wish| ["-o", wish]));
        Ok(tshark.args(PLAIN_DATA.iter().flat_map(|rule| ["-d", rule])))
    }

    /// A copy of the recording up to the last whole packet.
    fn whole(&self) -> Result<PathBuf> {
        let mut octets = std::fs::read(self.folder.path().join("packets"))?;
        // pcap-savefile(5): a header of 24 octets, then for each packet one of 16, which has the length.
        let mut end = 24;
        while let Some(length) = octets.get(end + 8..end + 12) {
            let length = u32::from_ne_bytes(length.try_into().context("four octets")?);
            let next = end + 16 + usize::try_from(length)?;
            if next > octets.len() {
                break;
            }
            end = next;
        }
        octets.truncate(end);
        let copy = self.folder.path().join("whole");
        std::fs::write(&copy, octets)?;
        Ok(copy)
    }
}
