//! What is encoded decodes to the same, and nothing that comes from outside brings the decoder down.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::value::RawValue;
use socketio_protocol::{
    Ack, Args, Event, Packet,
    engine::{self, Handshake},
};

use crate::strategies;

fn encoded(packet: &Packet<'_>) -> String {
    let mut text = String::new();
    packet.encode(&mut text);
    text
}

fn survives(packet: &Packet<'_>) {
    let text = encoded(packet);
    assert_eq!(Packet::decode(&text).as_ref(), Ok(packet), "{text}");
}

proptest! {
    #[test]
    fn an_event_survives_the_round_trip(
        namespace in strategies::namespace(), id: Option<u64>, name: String, args in strategies::args(),
    ) {
        let packet = Packet::Event(Event { namespace: &namespace, id, name: name.into(), args: args.as_args() });
        survives(&packet);
    }

    #[test]
    fn an_acknowledgement_survives_the_round_trip(
        namespace in strategies::namespace(), id: u64, args in strategies::args(),
    ) {
        let packet = Packet::Ack(Ack { namespace: &namespace, id, args: args.as_args() });
        survives(&packet);
    }

    #[test]
    fn joining_and_leaving_survive_the_round_trip(namespace in strategies::namespace(), payload in strategies::object()) {
        let (namespace, payload) = (&*namespace, &*payload.to_string());
        for packet in [
            Packet::Connect { namespace, payload: None },
            Packet::Connect { namespace, payload: Some(payload) },
            Packet::ConnectError { namespace, payload },
            Packet::ConnectError { namespace, payload: "\"a 2.x server says it in a string\"" },
            Packet::Disconnect { namespace },
        ] {
            survives(&packet);
        }
    }

    #[test]
    fn an_engine_packet_survives_the_round_trip(data: String) {
        use engine::Packet::{Close, Message, Noop, Open, Ping, Pong, Upgrade};
        for packet in [Open(&data), Close, Ping(&data), Pong(&data), Message(&data), Upgrade, Noop] {
            let mut text = String::new();
            packet.encode(&mut text);
            prop_assert_eq!(engine::Packet::decode(&text), Ok(packet));
        }
    }

    #[test]
    fn a_handshake_survives_the_round_trip(sid: String, interval: u32, timeout: u32, max_payload: Option<u64>) {
        let handshake = Handshake {
            sid,
            upgrades: vec!["websocket".to_owned()],
            ping_interval: Duration::from_millis(interval.into()),
            ping_timeout: Duration::from_millis(timeout.into()),
            max_payload,
        };
        prop_assert_eq!(Handshake::decode(&serde_json::to_string(&handshake).unwrap()), Ok(handshake));
    }

    #[test]
    fn a_message_frame_is_the_engine_packet_of_the_packet(name: String, args in strategies::args()) {
        let packet = Packet::Event(Event { namespace: "/", id: None, name: name.into(), args: args.as_args() });
        let mut frame = String::new();
        packet.encode_message(&mut frame);
        prop_assert_eq!(engine::Packet::decode(&frame), Ok(engine::Packet::Message(&encoded(&packet))));
    }

    #[test]
    fn any_text_decodes_or_fails_at_a_place_inside_it(text in r"[0-7]?(/[a-z]{0,3},?)?[0-9]{0,2}\PC{0,20}") {
        match Packet::decode(&text) {
            Ok(packet) => survives(&packet),
            Err(error) => prop_assert!(error.offset() <= text.len(), "{error}"),
        }
        if let Err(error) = engine::Packet::decode(&text) {
            prop_assert!(error.offset() <= text.len(), "{error}");
        }
        if let Err(error) = Handshake::decode(&text) {
            prop_assert!(error.offset() <= text.len(), "{error}");
        }
    }

    /// `serde_json` is the judge of what is JSON and of where its values end.
    #[test]
    fn arguments_are_cut_where_serde_json_cuts_them(text in strategies::damaged_array()) {
        match (serde_json::from_str::<Vec<&RawValue>>(&text), Args::parse(&text)) {
            (Ok(judged), Ok(args)) => {
                let judged: Vec<_> = judged.into_iter().map(RawValue::get).collect();
                prop_assert_eq!(args.iter().collect::<Vec<_>>(), judged);
            }
            (Err(judged), Err(error)) => {
                // One line of text: the judge's column is an offset in bytes, counted from 1, and may lie behind ours
                // by the one character that it had to read to see the fault.
                prop_assert!(text.contains('\n') || judged.column() >= error.offset(), "{judged}, {error} in {text:?}");
            }
            (judged, ours) => prop_assert!(false, "serde_json: {judged:?}, ours: {ours:?}"),
        }
    }
}
