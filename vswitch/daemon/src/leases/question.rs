//! Questions to the neighbours at a place: does somebody use these addresses, who has that one?

use std::net::IpAddr;

use tokio::time::sleep;
use vswitch_dhcp::ask::Ask;
use vswitch_dhcp::conflict::{Check, Conflict};
use vswitch_netio::clock;
use vswitch_packet::MacAddr;

use super::error::WireError;
use super::seed;
use super::wires::Ear;

/// Probes the addresses; the first conflict, if there is one.
pub(super) async fn conflict(
    ear: &mut Ear,
    addresses: &[IpAddr],
) -> Result<Option<Conflict>, WireError> {
    let mut check = Check::new(ear.place().mac, addresses, seed(), clock::now());
    loop {
        let now = clock::now();
        while let Some(frame) = check.poll(now) {
            ear.send(frame)?;
        }
        if check.is_done(now) {
            return Ok(None);
        }
        tokio::select! {
            frame = ear.hear() => {
                if let Some(conflict) = check.receive(&frame?) {
                    return Ok(Some(conflict));
                }
            }
            () = sleep(check.deadline() - now) => {}
        }
    }
}

/// Who has `target`, on behalf of the one who has `source`.
pub(super) async fn holder(
    ear: &mut Ear,
    source: Option<IpAddr>,
    target: IpAddr,
) -> Result<Option<MacAddr>, WireError> {
    let mut ask = Ask::new(ear.place().mac, source, target, clock::now());
    loop {
        let now = clock::now();
        while let Some(frame) = ask.poll(now) {
            ear.send(frame)?;
        }
        if ask.is_done(now) {
            return Ok(None);
        }
        tokio::select! {
            frame = ear.hear() => {
                if let Some(holder) = ask.receive(&frame?) {
                    return Ok(Some(holder));
                }
            }
            () = sleep(ask.deadline() - now) => {}
        }
    }
}
