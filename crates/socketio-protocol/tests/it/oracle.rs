//! The independent implementation inside socketioxide reads what we write, and writes what we read, where both speak
//! of the same thing: it has no `CONNECT_ERROR` to read, keeps JSON unchecked, and its ids are `i64`.

use engineioxide_core::{OpenPacket, Packet as EnginePacket, ProtocolVersion};
use proptest::prelude::*;
use socketio_protocol::{
    Ack, Args, Event, Packet,
    engine::{self, Handshake},
};
use socketioxide_core::{
    Value as OracleValue,
    packet::{Packet as OraclePacket, PacketData},
    parser::{Parse as _, ParseConfig, ParserState},
};
use socketioxide_parser_common::CommonParser;

use crate::strategies;

fn oracle_decodes(packet: &Packet<'_>) -> OraclePacket {
    let mut text = String::new();
    packet.encode(&mut text);
    CommonParser
        .decode_str(
            &ParseConfig::default(),
            &ParserState::default(),
            text.into(),
        )
        .unwrap()
}

fn oracle_encodes(ns: &str, inner: PacketData) -> String {
    let packet = CommonParser.encode(OraclePacket {
        ns: ns.to_owned().into(),
        inner,
    });
    packet.as_str().unwrap().to_string()
}

fn we_read(text: &str, packet: &Packet<'_>) {
    assert_eq!(Packet::decode(text).as_ref(), Ok(packet), "{text}");
}

fn id() -> impl Strategy<Value = u64> {
    0..=i64::MAX.cast_unsigned()
}

fn array(args: Args<'_>) -> String {
    format!("[{}]", args.as_str())
}

proptest! {
    #[test]
    fn the_oracle_reads_our_events(
        namespace in strategies::namespace(), id in prop::option::of(id()), name: String, args in strategies::args(),
    ) {
        let event = Event { namespace: &namespace, id, name: name.as_str().into(), args: args.as_args() };
        let read = oracle_decodes(&Packet::Event(event));
        prop_assert_eq!(&*read.ns, &namespace);
        let PacketData::Event(value, read_id) = read.inner else { panic!("{:?}", read.inner) };
        prop_assert_eq!(read_id, id.map(u64::cast_signed));
        // Its own reader borrows the name, and so cannot read one with escapes.
        if serde_json::to_string(&name).unwrap().len() == name.len() + 2 {
            prop_assert_eq!(CommonParser.read_event(&value).unwrap(), &name);
        }
        let read: Vec<serde_json::Value> = serde_json::from_str(value.as_str().unwrap()).unwrap();
        prop_assert_eq!(&read[0], &serde_json::Value::from(name));
        prop_assert_eq!(&read[1..], &*args.as_args().values().unwrap());
    }

    #[test]
    fn we_read_the_oracles_events(
        namespace in strategies::namespace(), id in prop::option::of(id()), name: String, value in strategies::value(),
    ) {
        let data = CommonParser.encode_value(&value, Some(&name)).unwrap();
        let text = oracle_encodes(&namespace, PacketData::Event(data, id.map(u64::cast_signed)));
        let Packet::Event(event) = Packet::decode(&text).unwrap() else { panic!("{text}") };
        prop_assert_eq!((event.namespace, event.id, &*event.name), (&*namespace, id, &*name));
        prop_assert_eq!(event.args.iter().collect::<Vec<_>>(), [value.to_string()]);
    }

    #[test]
    fn both_read_each_others_acknowledgements(
        namespace in strategies::namespace(), id in id(), args in strategies::args(),
    ) {
        let ours = Packet::Ack(Ack { namespace: &namespace, id, args: args.as_args() });
        let theirs = OracleValue::Str(array(args.as_args()).into(), None);
        let theirs = OraclePacket { ns: namespace.clone().into(), inner: PacketData::EventAck(theirs, id.cast_signed()) };
        prop_assert_eq!(&oracle_decodes(&ours), &theirs);
        we_read(&oracle_encodes(&namespace, theirs.inner), &ours);
    }

    #[test]
    fn both_read_each_others_joining_and_leaving(
        namespace in strategies::namespace(), payload in strategies::object(), message: String,
    ) {
        let json = payload.to_string();
        for payload in [None, Some(&*json)] {
            let ours = Packet::Connect { namespace: &namespace, payload };
            let theirs = PacketData::Connect(payload.map(|json| OracleValue::Str(json.to_owned().into(), None)));
            prop_assert_eq!(&oracle_decodes(&ours).inner, &theirs);
            we_read(&oracle_encodes(&namespace, theirs), &ours);
        }
        let ours = Packet::Disconnect { namespace: &namespace };
        prop_assert_eq!(oracle_decodes(&ours).inner, PacketData::Disconnect);
        we_read(&oracle_encodes(&namespace, PacketData::Disconnect), &ours);

        let refusal = oracle_encodes(&namespace, PacketData::ConnectError(message.clone()));
        let Packet::ConnectError { namespace: read, payload } = Packet::decode(&refusal).unwrap() else { panic!("{refusal}") };
        prop_assert_eq!(read, &namespace);
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(payload).unwrap(), serde_json::json!({ "message": message }));
    }

    #[test]
    fn both_read_each_others_engine_packets(data: String) {
        use engine::Packet::{Close, Message, Noop, Ping, Pong, Upgrade};
        for (ours, theirs) in [
            (Close, EnginePacket::Close),
            (Ping(""), EnginePacket::Ping),
            (Pong(""), EnginePacket::Pong),
            (Ping("probe"), EnginePacket::PingUpgrade),
            (Pong("probe"), EnginePacket::PongUpgrade),
            (Message(&data), EnginePacket::Message(data.clone().into())),
            (Upgrade, EnginePacket::Upgrade),
            (Noop, EnginePacket::Noop),
        ] {
            let mut text = String::new();
            ours.encode(&mut text);
            prop_assert_eq!(&EnginePacket::parse(ProtocolVersion::V4, text.clone()).unwrap(), &theirs);
            prop_assert_eq!(String::from(theirs), text);
        }
    }
}

#[test]
fn we_read_the_oracles_handshake() {
    let theirs = OpenPacket::default();
    let text = String::from(EnginePacket::Open(theirs.clone()));
    let engine::Packet::Open(json) = engine::Packet::decode(&text).unwrap() else {
        panic!("{text}")
    };
    let ours = Handshake::decode(json).unwrap();
    assert_eq!(ours.sid, theirs.sid.to_string());
    assert_eq!(ours.upgrades, ["websocket"]);
    assert_eq!(
        (ours.ping_interval, ours.ping_timeout),
        (theirs.ping_interval, theirs.ping_timeout)
    );
    assert_eq!(ours.max_payload, Some(theirs.max_payload));
}
