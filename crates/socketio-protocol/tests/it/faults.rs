//! Each fault, in the words and at the byte that a person reads.

use socketio_protocol::{
    Args, Packet,
    engine::{self, Handshake},
};

#[test]
fn a_fault_is_told_with_its_place() {
    for (text, fault) in [
        ("", "empty packet"),
        ("7", "unknown packet type '7' at byte 0"),
        ("é", "unknown packet type 'é' at byte 0"),
        (
            r#"51-["a",{"_placeholder":true,"num":0}]"#,
            "packet with binary attachments at byte 0, which is not supported",
        ),
        ("2", "'[' expected at byte 1"),
        ("2/admin", "'[' expected at byte 7"),
        (r#"2/admin,12{"a":1}"#, "'[' expected at byte 10"),
        (r#"2[7,"a"]"#, "event name in quotes expected at byte 2"),
        ("2[]", "event name in quotes expected at byte 2"),
        (r#"2["a]"#, "'\"' expected at byte 5"),
        (
            r#"2["\ud800"]"#,
            "event name of whole characters expected at byte 2",
        ),
        (r#"2["a",]"#, "JSON value expected at byte 6"),
        (r#"2["a" 1]"#, "',' or ']' expected at byte 6"),
        (r#"2["a",1"#, "',' or ']' expected at byte 7"),
        (r#"2["a",{"b" 1}]"#, "':' expected at byte 11"),
        (r#"2["a",{"b":1,}]"#, "key of an object expected at byte 13"),
        (r#"2["a",{"b":1]]"#, "',' or '}' expected at byte 12"),
        (r#"2["a",01]"#, "',' or ']' expected at byte 7"),
        (r#"2["a",1.]"#, "digit expected at byte 8"),
        (r#"2["a","\x"]"#, "escape sequence expected at byte 8"),
        (r#"2["a","\u12"]"#, "hexadecimal digit expected at byte 11"),
        (
            "2[\"a\",\"\n\"]",
            "escaped control character expected at byte 7",
        ),
        (r#"2["a"]x"#, "end of packet expected at byte 6"),
        (
            r#"299999999999999999999["a"]"#,
            "acknowledgement id at byte 1 is too large",
        ),
        ("3[1]", "acknowledgement id expected at byte 1"),
        ("0[1]", "JSON object expected at byte 1"),
        ("1x", "end of packet expected at byte 1"),
        ("4", "JSON object or string expected at byte 1"),
        ("4/admin,7", "JSON object or string expected at byte 8"),
    ] {
        let error = Packet::decode(text).expect_err(text);
        assert_eq!(error.to_string(), fault, "{text}");
        assert!(
            fault == "empty packet" || fault.contains(&format!("at byte {}", error.offset())),
            "{text}"
        );
    }
}

#[test]
fn an_engine_fault_is_told_with_its_place() {
    for (text, fault) in [
        ("", "empty packet"),
        ("b", "unknown packet type 'b' at byte 0"),
        ("1!", "end of packet expected at byte 1"),
    ] {
        assert_eq!(
            engine::Packet::decode(text).expect_err(text).to_string(),
            fault
        );
    }
    let error = Handshake::decode(r#"{"sid":"x","pingInterval":"soon"}"#).unwrap_err();
    assert!(
        error.to_string().contains("expected u64") && error.offset() > 20,
        "{error}"
    );
}

#[test]
fn nesting_ends_at_128_levels_and_not_in_a_stack_overflow() {
    let nested = |levels: usize| format!(r#"2["a",{}{}]"#, "[".repeat(levels), "]".repeat(levels));
    assert!(Packet::decode(&nested(128)).is_ok());
    assert_eq!(
        Packet::decode(&nested(129)).unwrap_err().to_string(),
        "JSON nested too deeply at byte 134"
    );
    assert_eq!(
        Packet::decode(&nested(1_000_000)).unwrap_err().offset(),
        134
    );
}

#[test]
fn white_space_between_values_is_no_part_of_them() {
    let args = Args::parse(" [ 1 , {\"a\" : [ ] } ,\"x y\"\t] ").unwrap();
    assert_eq!(
        args.iter().collect::<Vec<_>>(),
        ["1", "{\"a\" : [ ] }", "\"x y\""]
    );
    assert_eq!((args.get(2), args.get(3)), (Some("\"x y\""), None));
    assert!(Args::parse("[ ]").unwrap().is_empty());
}

#[test]
fn a_namespace_may_end_the_packet_without_its_comma() {
    assert_eq!(
        Packet::decode("1/admin"),
        Ok(Packet::Disconnect {
            namespace: "/admin"
        })
    );
    assert_eq!(
        Packet::decode("0/admin"),
        Ok(Packet::Connect {
            namespace: "/admin",
            payload: None
        })
    );
}
