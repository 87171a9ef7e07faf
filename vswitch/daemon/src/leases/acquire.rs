//! How an address is had, and kept.

use std::time::Duration;

use vswitch_cnm::EndpointId;
use vswitch_dhcp::{Event, Lease};
use vswitch_netio::clock;

use super::conversation::Conversation;
use super::error::{AcquireError, WireError};

/// How long servers may take for an address.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Addresses that are tried, if they are found in use.
const TRIES: u32 = 3;

/// Gets an address that nobody else uses.
pub(super) async fn acquire(conversation: &mut Conversation) -> Result<Lease, AcquireError> {
    let mut tries = 1;
    loop {
        let lease = bound(conversation).await?;
        let Some(conflict) = conversation.conflict(&lease).await? else {
            return Ok(lease);
        };
        conversation.decline().await?;
        if tries == TRIES {
            return Err(AcquireError::Conflict {
                wire: conversation.place().wire(),
                server: lease.server,
                address: lease.address,
                holder: conflict.holder,
            });
        }
        tries += 1;
    }
}

async fn bound(conversation: &mut Conversation) -> Result<Lease, AcquireError> {
    let until = clock::now() + PATIENCE;
    loop {
        match conversation.next(Some(until)).await? {
            Some(Event::Bound(lease)) => return Ok(lease),
            Some(_) => {}
            None => return Err(unanswered(conversation)),
        }
    }
}

fn unanswered(conversation: &Conversation) -> AcquireError {
    let (wire, seconds) = (conversation.place().wire(), PATIENCE.as_secs());
    conversation.held().with(|client| match client.offer() {
        Some(offer) => AcquireError::NotConfirmed {
            wire,
            server: offer.server,
            address: offer.address,
            seconds,
        },
        None => AcquireError::NoAnswer {
            wire,
            seconds,
            mac: client.identity().mac,
        },
    })
}

/// Keeps what there is, and gets another one when it is lost, for as long as it is polled. Says what
/// happened to the address.
pub(super) async fn keep(
    conversation: &mut Conversation,
    endpoint: EndpointId,
    notify: impl Fn(Event),
) {
    let mut trouble = Trouble {
        endpoint,
        told: false,
    };
    loop {
        match conversation.next(None).await {
            Ok(Some(Event::Bound(lease))) => {
                let conflict = match conversation.conflict(&lease).await {
                    Ok(conflict) => conflict,
                    // Checking is what a client should do, not what it must (RFC 2131 §2.2).
                    Err(error) => {
                        trouble.tell(&error);
                        None
                    }
                };
                let Some(conflict) = conflict else {
                    trouble.told = false;
                    notify(Event::Bound(lease));
                    continue;
                };
                tracing::warn!(
                    endpoint = endpoint.short(), address = %conflict.address, holder = %conflict.holder,
                    "the address from the DHCP server is in use by another station; asking for another one"
                );
                if let Err(error) = conversation.decline().await {
                    trouble.tell(&error);
                }
            }
            Ok(Some(Event::Renewed(lease))) => {
                trouble.told = false;
                notify(Event::Renewed(lease));
            }
            Ok(Some(Event::Lost(loss))) => {
                tracing::warn!(
                    endpoint = endpoint.short(), reason = ?loss,
                    "the address from the DHCP server is lost; asking for another one"
                );
                notify(Event::Lost(loss));
            }
            Ok(None) => {}
            Err(error) => trouble.tell(&error),
        }
    }
}

/// What is in the way of asking. It is told once, until something was had again.
struct Trouble {
    endpoint: EndpointId,
    told: bool,
}

impl Trouble {
    fn tell(&mut self, error: &WireError) {
        let endpoint = self.endpoint.short();
        if self.told {
            tracing::debug!(endpoint, "cannot ask the DHCP server: {error}");
        } else {
            tracing::warn!(endpoint, "cannot ask the DHCP server: {error}");
        }
        self.told = true;
    }
}
