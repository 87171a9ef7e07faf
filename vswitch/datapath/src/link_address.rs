//! Link-layer addresses in the options of ND messages (RFC 4861 §4.6.1).

use vswitch_packet::MacAddr;

use crate::verdict::DropReason;

/// Options of RFC 4861 §4.6.
pub(crate) const SOURCE: u8 = 1;
pub(crate) const TARGET: u8 = 2;

/// Calls `see` with the kind and the address of each option that names one, until that fails.
///
/// # Errors
/// What `see` says, or [`DropReason::Malformed`] if `options` contradict their own lengths.
pub(crate) fn each(
    mut options: &[u8],
    mut see: impl FnMut(u8, MacAddr) -> Result<(), DropReason>,
) -> Result<(), DropReason> {
    while let [kind, units, ..] = *options {
        let len = usize::from(units) * 8;
        let option = options.get(..len).filter(|option| !option.is_empty());
        let option = option.ok_or(DropReason::Malformed)?;
        if matches!(kind, SOURCE | TARGET) {
            let address = option.get(2..).and_then(<[u8]>::first_chunk);
            see(kind, MacAddr(*address.ok_or(DropReason::Malformed)?))?;
        }
        options = options.get(len..).unwrap_or(&[]);
    }
    Ok(())
}

/// Puts `new` in the place of `old` in all options of `options`, through which [`each`] has come.
pub(crate) fn replace(mut options: &mut [u8], old: MacAddr, new: MacAddr) {
    while let [kind, units, ..] = *options {
        let split = options.split_at_mut_checked(usize::from(units) * 8);
        let Some((option, rest)) = split.filter(|(option, _)| !option.is_empty()) else {
            return;
        };
        if let Some(address) = option.get_mut(2..8)
            && matches!(kind, SOURCE | TARGET)
            && *address == old.0
        {
            address.copy_from_slice(&new.0);
        }
        options = rest;
    }
}
