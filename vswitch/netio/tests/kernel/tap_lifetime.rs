//! What outlives what: TAPs, their queues and namespaces.

use std::time::Duration;

use vswitch_netio::epoll::{Epoll, Event, Events, Interest, Token};
use vswitch_netio::netlink::{Dad, Netlink, Route};
use vswitch_netio::netns::Netns;
use vswitch_netio::tap::{Tap, TapQueue};

use crate::lab;

/// A persistent TAP made here and moved to a new namespace, where it has 10.0.0.1/24.
fn moved_tap() -> (Tap, Netns) {
    let tap = Tap::create(&lab::name("t0"), lab::queues(2)).unwrap();
    tap.set_persistent(true).unwrap();
    let netns = Netns::create().unwrap();
    Netlink::open()
        .unwrap()
        .set_netns(tap.index, &netns)
        .unwrap();
    netns
        .run(|| lab::settle(tap.index, &tap.name, "10.0.0.1/24"))
        .unwrap();
    (tap, netns)
}

fn bad_descriptor(queue: &TapQueue) -> bool {
    queue.read(&mut [0; 2048]).unwrap_err().raw_os_error() == Some(libc::EBADFD)
}

fn any_frame(tap: &Tap) -> bool {
    tap.queues
        .iter()
        .any(|queue| queue.read(&mut [0; 2048]).is_ok())
}

#[test]
fn queues_deliver_after_a_move_to_another_namespace() {
    lab::enter();
    let (tap, netns) = moved_tap();
    assert!(Netlink::open().unwrap().link(&tap.name).unwrap().is_none());
    netns.run(|| lab::provoke_frame("10.0.0.2:9")).unwrap();
    lab::eventually("a frame from the other namespace", || any_frame(&tap));
}

#[test]
fn queues_opened_outside_do_not_pin_the_namespace_and_fail_when_it_dies() {
    lab::enter();
    let (tap, netns) = moved_tap();
    let epoll = Epoll::new().unwrap();
    let mut events = Events::with_capacity(4);
    for (queue, token) in tap.queues.iter().zip(0..) {
        epoll.add(queue, Token(token), Interest::Read).unwrap();
    }
    epoll.wait(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.is_empty());

    drop(netns);
    // The kernel takes namespaces down in the background; a sleeping worker is woken by it.
    epoll.wait(&mut events, Some(lab::PATIENCE)).unwrap();
    assert!(
        !events.is_empty(),
        "no event from a TAP whose namespace died"
    );
    lab::eventually("every queue failed", || {
        epoll.wait(&mut events, Some(Duration::ZERO)).unwrap();
        let gone = |e: &Event| e.failed && !e.readable && !e.writable;
        events.iter().filter(gone).count() == 2
    });
    for queue in &tap.queues {
        assert!(bad_descriptor(queue));
        let error = queue.write(&[0; 64]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADFD));
        epoll.remove(queue).unwrap();
    }
    epoll.wait(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.is_empty(), "a removed queue is silent");
    assert!(tap.set_persistent(false).is_err());
}

#[test]
fn queues_opened_inside_pin_the_namespace() {
    lab::enter();
    let (tap, netns) = moved_tap();
    let name = tap.name.clone();
    drop(tap);
    let again = netns
        .run(|| Tap::reopen(&name, lab::queues(2)).unwrap())
        .unwrap();
    drop(netns);
    std::thread::sleep(Duration::from_millis(500));
    for queue in &again.queues {
        assert!(
            !bad_descriptor(queue),
            "the namespace died under an open queue"
        );
    }
}

#[test]
fn a_persistent_tap_keeps_its_configuration_while_nobody_holds_it() {
    lab::enter();
    let (tap, netns) = moved_tap();
    netns
        .run(|| {
            let mut netlink = Netlink::open().unwrap();
            let gateway = "10.0.0.254".parse().unwrap();
            netlink
                .add_route(&Route::default_via(gateway, tap.index))
                .unwrap();
            netlink.set_alias(tap.index, "kept").unwrap();
            let name = tap.name.clone();
            let before = netlink.link(&name).unwrap().unwrap();
            let (addresses, routes) = (netlink.addresses().unwrap(), netlink.routes().unwrap());
            assert!(before.up && before.carrier && before.running);
            drop(tap);

            let alone = netlink.link(&name).unwrap().unwrap();
            assert!(alone.up && !alone.carrier && !alone.running);
            assert_eq!(netlink.addresses().unwrap(), addresses);
            assert_eq!(netlink.routes().unwrap(), routes);

            let again = Tap::reopen(&name, lab::queues(2)).unwrap();
            lab::eventually("the carrier is back", || {
                netlink.link(&name).unwrap().unwrap() == before
            });
            lab::provoke_frame("10.0.0.2:9");
            lab::eventually("a frame through the new queues", || any_frame(&again));
        })
        .unwrap();
}

#[test]
fn ipv6_addresses_stay_as_well() {
    lab::enter();
    let tap = Tap::create(&lab::name("t0"), lab::queues(1)).unwrap();
    tap.set_persistent(true).unwrap();
    let mut netlink = Netlink::open().unwrap();
    netlink.set_up(tap.index).unwrap();
    netlink
        .add_address(tap.index, "fd00::1/64".parse().unwrap(), Dad::Off)
        .unwrap();
    let gateway = "fd00::ff".parse().unwrap();
    netlink
        .add_route(&Route::default_via(gateway, tap.index))
        .unwrap();
    let is_default = |route: &Route| route.destination.is_none() && route.version == 6;
    let name = tap.name.clone();
    drop(tap);
    std::thread::sleep(Duration::from_millis(100));
    let kept = netlink.addresses().unwrap();
    assert!(
        kept.iter()
            .any(|a| a.network == "fd00::1/64".parse().unwrap())
    );
    assert!(netlink.routes().unwrap().iter().any(is_default));
    Tap::reopen(&name, lab::queues(1)).unwrap();
}

#[test]
fn a_tap_that_is_not_persistent_goes_with_its_last_queue() {
    lab::enter();
    let mut tap = Tap::create(&lab::name("t0"), lab::queues(2)).unwrap();
    let mut netlink = Netlink::open().unwrap();
    tap.queues.pop();
    assert!(netlink.link(&tap.name).unwrap().is_some());
    tap.queues.pop();
    assert!(netlink.link(&tap.name).unwrap().is_none());
}

#[test]
fn a_deleted_tap_fails_its_queues() {
    lab::enter();
    let tap = Tap::create(&lab::name("t0"), lab::queues(1)).unwrap();
    Netlink::open().unwrap().delete_link(tap.index).unwrap();
    assert!(lab::readable(&tap.queues[0], Duration::ZERO));
    assert!(bad_descriptor(&tap.queues[0]));
}
