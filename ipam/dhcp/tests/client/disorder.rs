//! Any messages in any order at any time.

use std::net::Ipv4Addr;
use std::time::Duration;

use proptest::prelude::*;
use vswitch_dhcp::{Client, Event, Output, State};
use vswitch_packet::Moment;

use crate::server::{
    ACK, ADDRESS, NAK, OFFER, OTHER_SERVER, SERVER, answer, identity, usual_lease,
};

/// What happens next to a client.
#[derive(Clone, Debug)]
enum Step {
    /// Time goes by, and the client does what is due.
    Wait { millis: u64 },
    /// A server answers one of the last questions.
    Answer {
        question: usize,
        kind: u8,
        server: Ipv4Addr,
        address: Ipv4Addr,
        seconds: u32,
    },
    /// Octets that nobody means.
    Noise { octets: Vec<u8> },
    /// The address is found in use.
    Decline,
}

fn steps() -> impl Strategy<Value = Step> {
    let answer = (
        0_usize..3,
        prop_oneof![Just(OFFER), Just(ACK), Just(NAK), any::<u8>()],
        prop_oneof![Just(SERVER), Just(OTHER_SERVER)],
        prop_oneof![Just(ADDRESS), any::<Ipv4Addr>()],
        prop_oneof![0..100_u32, Just(u32::MAX), any::<u32>()],
    )
        .prop_map(|(question, kind, server, address, seconds)| Step::Answer {
            question,
            kind,
            server,
            address,
            seconds,
        });
    prop_oneof![
        4 => prop_oneof![0..5_000_u64, 0..5_000_000_u64].prop_map(|millis| Step::Wait { millis }),
        8 => answer,
        1 => proptest::collection::vec(any::<u8>(), 0..600).prop_map(|octets| Step::Noise { octets }),
        1 => Just(Step::Decline),
    ]
}

/// A client, what it said, and what it was told.
struct Run {
    client: Client,
    now: Moment,
    questions: Vec<Vec<u8>>,
    /// Whether the user of the client thinks that there is an address.
    bound: bool,
}

impl Run {
    fn take(&mut self, step: Step) {
        match step {
            Step::Wait { millis } => self.now = self.now + Duration::from_millis(millis),
            Step::Answer {
                question,
                kind,
                server,
                address,
                seconds,
            } => {
                let Some(question) = self.questions.iter().rev().nth(question) else {
                    return;
                };
                let time = seconds.to_be_bytes();
                let message = answer(question, kind, server, address, &[(51, &time)]);
                let event = self.client.receive(&message, self.now);
                self.told(event);
            }
            Step::Noise { octets } => {
                let event = self.client.receive(&octets, self.now);
                assert!(matches!(event, None | Some(Event::Lost(_))), "{event:?}");
                self.told(event);
            }
            Step::Decline => {
                let had = self.client.lease().is_some();
                self.client.decline(self.now);
                self.bound &= !had;
            }
        }
        self.run_down();
    }

    /// Does what is due, which must come to an end.
    fn run_down(&mut self) {
        for _ in 0..10 {
            match self.client.poll(self.now) {
                Some(Output::Send(outgoing)) => self.questions.push(outgoing.payload),
                Some(Output::Event(event)) => self.told(Some(event)),
                None => {
                    let later = self.client.deadline().is_none_or(|at| at > self.now);
                    assert!(later, "{:?} waits for the past", self.client.state());
                    return;
                }
            }
        }
        panic!("{:?} never rests", self.client.state());
    }

    fn told(&mut self, event: Option<Event>) {
        match event {
            Some(Event::Bound(_)) => assert!(!std::mem::replace(&mut self.bound, true)),
            Some(Event::Renewed(_)) => assert!(self.bound),
            Some(Event::Lost(_)) => assert!(std::mem::replace(&mut self.bound, false)),
            None => {}
        }
    }

    fn check(&self) {
        assert_eq!(self.client.lease().is_some(), self.bound);
        let Some(lease) = self.client.lease() else {
            assert!(self.client.deadline().is_some(), "it goes on asking");
            return;
        };
        assert!(
            lease.expires().is_none_or(|end| end > self.now),
            "never used too long"
        );
        assert!((1..=32).contains(&lease.prefix_len));
        assert_ne!(self.client.state(), State::Released);
    }
}

proptest! {
    #[test]
    fn a_client_is_always_in_order(
        seed: u64,
        beginning in 0..3,
        steps in proptest::collection::vec(steps(), 0..60),
    ) {
        let now = Moment::from_secs(1000);
        let lease = usual_lease(now);
        let client = match beginning {
            0 => Client::new(identity(), seed, now),
            1 => Client::resume(identity(), lease, seed),
            _ => Client::holding(identity(), lease, seed),
        };
        let bound = client.lease().is_some();
        let mut run = Run { client, now, questions: vec![], bound };
        run.run_down();
        for step in steps {
            run.take(step);
            run.check();
        }
    }
}
