//! What holds for any octets read from a TAP: a virtio header and a frame.

#![allow(clippy::expect_used, reason = "to panic is how an invariant speaks")]

use vswitch_packet::frame::complete_checksum;
use vswitch_packet::ip::Transport;
use vswitch_packet::{
    Answer, Candidate, ChecksumMode, Frame, Network, Offload, Segment, Segments, Train,
    VNET_HEADER_LEN, VnetHeader,
};

/// 65535 octets in the smallest TCP segments that a frame may ask for.
const MAX_SEGMENTS: usize = 65535 / 8;

/// Octets of a super-frame that a check still looks at in full, to stay fast.
const MAX_JOINED: usize = 20_000;

/// Panics if the switch would.
pub(crate) fn check(input: &[u8]) {
    let Some((header, octets)) = input.split_first_chunk::<VNET_HEADER_LEN>() else {
        return;
    };
    let mut octets = octets.to_vec();
    let original = octets.clone();
    let Ok(frame) = Frame::parse(&mut octets, VnetHeader::read(header)) else {
        return;
    };
    assert_eq!(frame.bytes(), original, "parsing changes nothing");
    check_positions(&frame);
    check_offload(&frame);
    let segments = check_segments(&frame);
    if frame.offload().gso.is_some() && frame.len() <= MAX_JOINED {
        check_joined(&frame, &segments);
    }
    if let Some(candidate) = Candidate::of(&frame) {
        check_candidate(&frame, &candidate);
    }
}

fn check_positions(frame: &Frame<'_>) {
    let layout = *frame.layout();
    let link_len = usize::from(layout.link_len);
    assert!(link_len >= 14 && link_len <= frame.len());
    assert!(frame.headers_len() >= link_len && frame.headers_len() <= frame.packet_end());
    assert!(frame.packet_end() <= frame.len());
    assert!(frame.packet_len() <= frame.len() - link_len);
    let _ = (frame.destination(), frame.source(), layout.tag);
    let Network::Ip(ip) = frame.network() else {
        assert_eq!(frame.flow(), None);
        return;
    };
    let (start, payload) = (usize::from(ip.start), usize::from(ip.payload));
    assert!(
        link_len == start && start < payload && payload + ip.transport_len() <= frame.packet_end()
    );
    let _ = (ip.checksum_ok(frame.bytes()), ip.hop_limit(frame.bytes()));
    let transport = matches!(
        ip.transport,
        Transport::Tcp { .. } | Transport::Udp | Transport::Sctp
    );
    let flow = frame.flow();
    assert_eq!(flow.is_some(), transport);
    if let Some(flow) = flow {
        assert_eq!(flow.source, ip.source(frame.bytes()));
        assert_eq!(flow.reversed().reversed(), flow);
    }
}

/// What is written in front of the frame is read again as the same.
fn check_offload(frame: &Frame<'_>) {
    let offload = frame.offload();
    let mut octets = frame.bytes().to_vec();
    let again = Frame::parse(&mut octets, offload.to_header(frame.headers_len()))
        .expect("what was read can be written");
    let known = Offload {
        // A partial checksum and a verified one are not said at once.
        verified: offload.verified && offload.checksum.is_none(),
        ..offload
    };
    assert_eq!(again.offload(), known);
    assert_eq!(again.layout(), frame.layout());
}

/// Segmenting ends, stays inside its bounds and loses no octet; completing the partial segments
/// makes them the complete ones.
fn check_segments(frame: &Frame<'_>) -> Vec<(Vec<u8>, Offload)> {
    let mut partial = Segments::new(frame, ChecksumMode::Partial);
    let mut complete = Segments::new(frame, ChecksumMode::Complete);
    let count = frame.segments();
    assert!((1..=MAX_SEGMENTS).contains(&count));
    assert!(partial.max_len() <= frame.len());
    let link_len = usize::from(frame.layout().link_len);
    if frame.offload().gso.is_some() {
        assert_eq!(partial.max_len() - link_len, frame.packet_len());
    }

    let mut scratch = vec![0; partial.max_len()];
    let mut scratch_complete = scratch.clone();
    let mut written = vec![];
    let mut payload = 0;
    while let Some(Segment { len, mut offload }) = partial.next_into(&mut scratch) {
        let segment = &mut scratch[..len];
        payload += len - frame.headers_len();
        let mut octets = segment.to_vec();
        let header = offload.to_header(frame.headers_len());
        let parsed = Frame::parse(&mut octets, header).expect("a segment is a frame");
        assert_eq!(parsed.layout().link_len, frame.layout().link_len);
        assert_eq!(parsed.flow(), frame.flow());
        assert_eq!(parsed.segments(), 1);
        written.push((segment.to_vec(), offload));

        complete_checksum(segment, &mut offload);
        let whole = complete
            .next_into(&mut scratch_complete)
            .expect("as many in both modes");
        assert_eq!(scratch_complete[..whole.len], *segment);
        assert_eq!(whole.offload, offload);
    }
    assert_eq!(written.len(), count);
    assert_eq!(partial.remaining(), 0);
    assert_eq!(complete.next_into(&mut scratch_complete), None);
    assert_eq!(payload, frame.len() - frame.headers_len());
    written
}

/// The segments of a super-frame, if all of them may be joined, make that super-frame.
fn check_joined(frame: &Frame<'_>, segments: &[(Vec<u8>, Offload)]) {
    let mut train: Option<Train> = None;
    let mut joined = vec![];
    for (octets, offload) in segments {
        let mut octets = octets.clone();
        let header = offload.to_header(frame.headers_len());
        let parsed = Frame::parse(&mut octets, header).expect("a segment is a frame");
        let Some(candidate) = Candidate::of(&parsed) else {
            return;
        };
        match &mut train {
            None => {
                train = Some(Train::start(&candidate));
                joined.extend_from_slice(&octets[..candidate.payload().end]);
            }
            Some(train) => {
                if train.offer(&candidate) == Answer::Refuse {
                    return;
                }
                joined.extend_from_slice(&octets[candidate.payload()]);
            }
        }
    }
    let (Some(train), Network::Ip(ip)) = (train, frame.network()) else {
        return;
    };
    let offload = train.seal(&mut joined);
    assert_eq!(train.frame_len(), frame.len());
    if segments.len() > 1 {
        assert_eq!(
            offload.gso,
            frame
                .offload()
                .gso
                .map(|gso| vswitch_packet::Gso { ecn: false, ..gso })
        );
    }
    let mut original = frame.bytes().to_vec();
    // A sender may have put any sum there; a train's is computed.
    if let Some(offset) = ip.transport.checksum_offset() {
        let field = usize::from(ip.payload + offset);
        original[field..field + 2].copy_from_slice(&joined[field..field + 2]);
    }
    assert_eq!(joined, original);
    Frame::parse(&mut joined, offload.to_header(train.headers_len()))
        .expect("a sealed train is a frame");
}

/// A candidate's own copy follows it if it is a datagram, and the two make a super-frame of two.
fn check_candidate(frame: &Frame<'_>, candidate: &Candidate) {
    assert_eq!(candidate.payload().start, frame.headers_len());
    assert_eq!(candidate.payload().end, frame.packet_end());
    let mut train = Train::start(candidate);
    let mut octets = frame.bytes()[..candidate.payload().end].to_vec();
    assert_eq!(train.seal(&mut octets), frame.offload());
    assert_eq!(octets, frame.bytes()[..candidate.payload().end]);
    if train.offer(candidate) == Answer::Refuse {
        return;
    }
    octets.extend_from_slice(&frame.bytes()[candidate.payload()]);
    let offload = train.seal(&mut octets);
    let sealed = Frame::parse(&mut octets, offload.to_header(train.headers_len()))
        .expect("a sealed train is a frame");
    assert_eq!(sealed.segments(), 2);
    assert_eq!(sealed.flow(), frame.flow());
    check_segments(&sealed);
}
