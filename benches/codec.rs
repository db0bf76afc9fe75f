//! The packet codec: one frame in, one frame out. `serde_json` into a tree is the measure beside it, since that is what
//! a client pays that has no decoder of its own.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::Value;
use socketio_protocol::{Ack, Args, Event, Packet, engine};

/// What goes over the wire, by the name of its row.
const FRAMES: [(&str, &str); 4] = [
    ("count", r#"42["countUpdated",1234567]"#),
    ("acknowledgement", "4317[1234567]"),
    ("named", r#"42/admin,17["order \"placed\"",{"id":17}]"#),
    (
        "nested",
        r#"42["order",{"id":"b7c9","lines":[{"sku":"a-1","count":2,"price":12.5},{"sku":"b-2","count":1,"price":1e3}],"note":"caf\u00e9, fragile"},true]"#,
    ),
];

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for (name, frame) in FRAMES {
        group.throughput(Throughput::Bytes(frame.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| packet(black_box(frame)).namespace().len());
        });
    }
    group.finish();
}

/// Decoding plus the one value that a counter's client wants of it.
fn read(criterion: &mut Criterion) {
    let (name, frame) = FRAMES[0];
    let mut group = criterion.benchmark_group("read");
    group.bench_function(name, |bencher| {
        bencher.iter(|| match packet(black_box(frame)) {
            Packet::Event(event) => event
                .args
                .get(0)
                .and_then(|count| count.parse::<u64>().ok()),
            _ => None,
        });
    });
    group.bench_function(format!("{name}, serde_json tree"), |bencher| {
        bencher.iter(|| {
            serde_json::from_str::<Value>(&black_box(frame)[2..])
                .ok()?
                .get(1)?
                .as_u64()
        });
    });
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    let args = Args::parse("[1234567]").expect("a JSON array");
    let event = Event {
        namespace: "/",
        id: None,
        name: "countUpdated".into(),
        args,
    };
    let ack = Ack {
        namespace: "/",
        id: 17,
        args,
    };
    let mut frame = String::new();
    for (name, packet) in [
        ("count", Packet::Event(event)),
        ("acknowledgement", Packet::Ack(ack)),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                frame.clear();
                black_box(&packet).encode_message(&mut frame);
                frame.len()
            });
        });
    }
    group.finish();
}

fn packet(frame: &str) -> Packet<'_> {
    match engine::Packet::decode(frame) {
        Ok(engine::Packet::Message(text)) => Packet::decode(text).expect("a Socket.IO packet"),
        other => panic!("no message: {other:?}"),
    }
}

criterion_group!(benches, decode, read, encode);
criterion_main!(benches);
