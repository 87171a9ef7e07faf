//! Which part of a NIC's traffic a network has, and with whom it shares that.

use vswitch_packet::VlanId;

use super::options_of;
use crate::error::{Error, LanError};
use crate::lan::{LanMode, LanRecord};
use crate::network::Network;

/// What a network has of a NIC.
#[derive(Clone, Debug)]
struct Place<'a> {
    parent: &'a str,
    /// The VLAN, and whether its tag is a service tag.
    tag: Option<(VlanId, bool)>,
    /// Whether it is there alone.
    alone: bool,
}

/// Checks that nobody else is where a network wants to be alone, and the other way round.
pub(in crate::driver) fn check(network: &Network, others: &[&Network]) -> Result<(), Error> {
    let Some(own) = Place::of(network)? else {
        return Ok(());
    };
    for other in others {
        let Some(place) = Place::of(other)? else {
            continue;
        };
        if !own.overlaps(&place) {
            continue;
        }
        let network = || other.name.clone();
        if place.alone {
            return Err(Error::Lan(LanError::PlaceTaken {
                place: place.describe(),
                network: network(),
            }));
        }
        if own.alone {
            return Err(Error::Lan(LanError::PlaceInUse {
                place: own.describe(),
                network: network(),
            }));
        }
    }
    Ok(())
}

/// The link of a network's endpoints, the same for all networks on the same VLAN of the same NIC.
pub(in crate::driver) fn link(network: &Network) -> Option<String> {
    let place = Place::at(network.lan.as_ref()?)?;
    Some(place.describe())
}

impl<'a> Place<'a> {
    fn of(network: &'a Network) -> Result<Option<Self>, Error> {
        let (Some(options), Some(record)) = (options_of(network)?, &network.lan) else {
            return Ok(None);
        };
        let alone = options.mode == LanMode::Passthru;
        Ok(Self::at(record).map(|place| Self { alone, ..place }))
    }

    fn at(record: &'a LanRecord) -> Option<Self> {
        Some(Self {
            parent: record.parent.as_deref()?,
            tag: record.vlan.map(|vlan| (vlan, record.service)),
            alone: false,
        })
    }

    /// Without a VLAN of its own, an endpoint that is alone has them all.
    fn overlaps(&self, other: &Self) -> bool {
        let has_all = |place: &Self| place.alone && place.tag.is_none();
        self.parent == other.parent && (self.tag == other.tag || has_all(self) || has_all(other))
    }

    fn describe(&self) -> String {
        let Self { parent, tag, .. } = self;
        match tag {
            None => (*parent).to_owned(),
            Some((vlan, false)) => format!("VLAN {} of {parent}", vlan.get()),
            Some((vlan, true)) => format!("service VLAN {} of {parent}", vlan.get()),
        }
    }
}
