//! What the property tests are fed with.

use proptest::{collection, prelude::*};
use serde_json::{Map, Number, Value};
use socketio_protocol::ArgsBuf;

/// A namespace: any text after the `/` but a comma.
pub(crate) fn namespace() -> impl Strategy<Value = String> {
    prop_oneof![Just("/".to_owned()), "/[^,]{0,12}"]
}

/// Any JSON value, with texts of any characters.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|float| Number::from_f64(float).map_or(Value::Null, Value::Number)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 32, 4, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// An object, as CONNECT carries.
pub(crate) fn object() -> impl Strategy<Value = Value> {
    collection::vec((any::<String>(), value()), 0..4)
        .prop_map(|entries| Value::Object(entries.into_iter().collect()))
}

/// Arguments of an event.
pub(crate) fn args() -> impl Strategy<Value = ArgsBuf> {
    collection::vec(value(), 0..4).prop_map(|values| ArgsBuf::new(&values).unwrap())
}

/// A JSON array, damaged in up to two places, or not at all.
pub(crate) fn damaged_array() -> impl Strategy<Value = String> {
    let place = (
        any::<prop::sample::Index>(),
        prop::option::of(proptest::sample::select(&b"[]{},:\"\\ -+.0e1utn\n\0"[..])),
    );
    let array = collection::vec(value(), 0..4).prop_map(|values| Value::from(values).to_string());
    (array, collection::vec(place, 0..3)).prop_map(|(text, places)| {
        let mut characters: Vec<char> = text.chars().collect();
        for (index, byte) in places {
            if characters.is_empty() {
                break;
            }
            let at = index.index(characters.len());
            match byte {
                Some(byte) => characters.insert(at, byte as char),
                None => drop(characters.remove(at)),
            }
        }
        characters.into_iter().collect()
    })
}
