//! What the hot path may cost: nothing.

use std::hint::black_box;

use allocation_counter::measure;
use socketio_protocol::{Ack, Args, Event, Packet, engine};

#[test]
fn decoding_an_event_and_its_arguments_allocates_nothing() {
    let frame =
        r#"42/admin,17["countUpdated",7,{"nested":[[[{"deep":["\u00e9\n",1e-7]}]]]},"text"]"#;
    let used = measure(|| {
        let engine::Packet::Message(text) = engine::Packet::decode(frame).unwrap() else {
            unreachable!()
        };
        let Packet::Event(event) = Packet::decode(text).unwrap() else {
            unreachable!()
        };
        assert_eq!(
            (event.namespace, event.id, &*event.name),
            ("/admin", Some(17), "countUpdated")
        );
        let count: u64 = serde_json::from_str(event.args.get(0).unwrap()).unwrap();
        assert_eq!((count, event.args.iter().count()), (7, 3));
    });
    assert_eq!(used.count_total, 0);
}

#[test]
fn decoding_an_acknowledgement_allocates_nothing() {
    let used = measure(|| {
        let expected = Packet::Ack(Ack {
            namespace: "/",
            id: 3,
            args: Args::parse("[8]").unwrap(),
        });
        assert_eq!(Packet::decode("33[8]"), Ok(expected));
    });
    assert_eq!(used.count_total, 0);
}

#[test]
fn refusing_what_is_malformed_allocates_nothing() {
    assert_eq!(
        measure(|| assert!(Packet::decode(r#"2["a",{"b":[1,2"#).is_err())).count_total,
        0
    );
}

#[test]
fn encoding_into_a_string_with_room_allocates_nothing() {
    let mut frame = String::with_capacity(64);
    let args = Args::parse("[7]").unwrap();
    let packet = Packet::Event(Event {
        namespace: "/",
        id: Some(1),
        name: "countUpdated".into(),
        args,
    });
    let used = measure(|| packet.encode_message(black_box(&mut frame)));
    assert_eq!((used.count_total, &*frame), (0, r#"421["countUpdated",7]"#));
}

/// The counter counts: without this the tests above could pass for the wrong reason.
#[test]
fn a_name_with_escapes_is_the_one_exception() {
    let used = measure(|| assert!(Packet::decode(r#"2["a\tb"]"#).is_ok()));
    assert!(used.count_total > 0);
}
