//! VLAN tags (IEEE 802.1Q).

use anyhow::Result;

use crate::fixture::Lab;
use crate::frames::{frame, mac};

/// Puts a tag into a frame.
fn tagged(frame: &[u8], vlan: u16) -> Vec<u8> {
    let mut tagged = frame[..12].to_vec();
    tagged.extend([0x81, 0x00]);
    tagged.extend(vlan.to_be_bytes());
    tagged.extend(&frame[12..]);
    tagged
}

#[test]
fn tags_pass() -> Result<()> {
    let lab = Lab::with_three("")?;
    let [b, c] = lab.listen(["b", "c"])?;
    let to_b = tagged(&frame(mac(3), mac(2), 1), 5);
    let to_all = tagged(&frame([0xff; 6], mac(2), 2), 4094);
    // Priority 7.
    let urgent = tagged(&frame(mac(3), mac(2), 3), 0xe005);
    let twice = tagged(&tagged(&frame(mac(3), mac(2), 4), 6), 5);
    let frames = [to_b, to_all.clone(), urgent, twice];
    lab.send("a", 1, &frames)?;
    for frame in &frames {
        b.wait_for(frame)?;
    }
    c.wait_for(&to_all)
}

#[test]
fn access_ports_are_in_one_vlan() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("add-net net --subnet 10.20.0.0/24")?;
    for (sandbox, options) in [
        ("a", "-o vswitch.vlan=10"),
        ("b", "-o vswitch.vlan=10"),
        ("c", "-o vswitch.vlan=20"),
        ("trunk", ""),
    ] {
        lab.ctl(&format!("add-sandbox {sandbox}"))?;
        lab.ctl(&format!("attach net {sandbox} {options}"))?;
    }
    lab.ping("a", "10.20.0.3")?;
    lab.no_ping("a", "10.20.0.4")?;
    let [b, c, trunk] = lab.listen(["b", "c", "trunk"])?;
    // Tags are the switch's business here: a port of VLAN 10 cannot send into VLAN 20.
    let sneaky = tagged(&frame([0xff; 6], mac(2), 1), 20);
    let plain = frame([0xff; 6], mac(2), 2);
    lab.send("a", 1, &[sneaky.clone(), plain.clone()])?;
    b.wait_for(&plain)?;
    trunk.wait_for(&tagged(&plain, 10))?;
    assert_eq!((c.count(&plain)?, c.count(&sneaky)?), (0, 0));
    assert_eq!(trunk.count(&sneaky)?, 0);
    assert!(lab.daemon.drops("a", "vlan_not_allowed")? >= 1);
    Ok(())
}
