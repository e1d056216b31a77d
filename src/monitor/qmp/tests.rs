use super::*;
use proptest::prelude::*;
use serde_json::json;

/// Everything in `pieces`: the messages up to the end or up to an error.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Message>, Option<String>) {
    let mut decoder = Decoder::default();
    let mut messages = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        loop {
            match decoder.next_text().and_then(|text| text.map(Message::parse).transpose()) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(cause) => return (messages, Some(cause)),
            }
        }
    }
    (messages, None)
}

fn error_of(text: &str) -> String {
    decode([text.as_bytes()]).1.expect("an error")
}

fn value_of(text: &str) -> Value {
    match decode([format!("{{\"return\":{text}}}").as_bytes()]) {
        (messages, None) => match &messages[..] {
            [Message::Reply { result: Ok(value), .. }] => value.clone(),
            other => panic!("{other:?}"),
        },
        (_, cause) => panic!("{cause:?}"),
    }
}

const CONVERSATION: &str = concat!(
    r#"{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": "Debian 1:10.0.2"}, "capabilities": ["oob"]}}"#,
    "\r\n",
    r#"{"return": {}, "id": 1}"#,
    "\n",
    r#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "X_NEW", "data": {"name": "grün ☃ {[\"\\"}, "more": 1}"#,
    "\r\n\r\n",
    "{\r\n    \"error\": {\r\n        \"class\": \"CommandNotFound\",\r\n        \"desc\": \"no }\"\r\n    },\r\n    \"id\": \"a\"\r\n}\r\n",
    r#"{"error": {"class": "GenericError", "desc": "JSON parse error, …"}}"#,
    r#"{"return": [{"a": []}, "\\"], "x-unknown": {"return": 1}}"#,
    "\r\n",
);

fn conversation() -> Vec<Message> {
    let refusal =
        |class: &str, description: &str| Refusal { class: class.into(), description: description.into() };
    vec![
        Message::Greeting(Greeting {
            version: "10.0.2".into(),
            package: "Debian 1:10.0.2".into(),
            capabilities: vec!["oob".into()],
        }),
        Message::Reply { id: Some(json!(1)), result: Ok(json!({})) },
        Message::Event(json!({
            "timestamp": { "seconds": 1, "microseconds": 2 },
            "event": "X_NEW",
            "data": { "name": "grün ☃ {[\"\\" },
            "more": 1
        })),
        Message::Reply { id: Some(json!("a")), result: Err(refusal("CommandNotFound", "no }")) },
        Message::Reply { id: None, result: Err(refusal("GenericError", "JSON parse error, …")) },
        Message::Reply { id: None, result: Ok(json!([{ "a": [] }, "\\"])) },
    ]
}

#[test]
fn a_conversation_is_the_same_wherever_it_is_cut() {
    let bytes = CONVERSATION.as_bytes();
    assert_eq!(decode([bytes]), (conversation(), None));
    for cut in 0..bytes.len() {
        assert_eq!(decode([&bytes[..cut], &bytes[cut..]]), (conversation(), None), "cut at {cut}");
    }
    assert_eq!(decode(bytes.chunks(1)), (conversation(), None));
}

#[test]
fn a_greeting_may_say_little() {
    let (messages, _) = decode([br#"{"QMP": {"version": 7, "capabilities": [1]}}"#.as_slice()]);
    let greeting = Greeting { version: "0.0.0".into(), package: String::new(), capabilities: vec![] };
    assert_eq!(messages, [Message::Greeting(greeting)]);
}

#[test]
fn what_is_not_qmp_is_shown() {
    assert_eq!(error_of("SSH-2.0-OpenSSH_9.2\r\n"), "it sent `SSH-2.0-OpenSSH_9.2`");
    assert_eq!(error_of(" \r\n\u{1b}[1m(qemu) \n"), "it sent `\u{fffd}[1m(qemu)`");
    assert_eq!(error_of(&"x".repeat(65)), format!("it sent `{}…`", "x".repeat(64)));
    assert_eq!(decode([b"half a line".as_slice()]), (vec![], None));
    assert_eq!(error_of("{}"), "it sent `{}`, which is neither greeting, reply nor event");
    assert_eq!(error_of("{]"), "it sent `{]`, which is no JSON (key must be a string at line 1 column 2)");
    assert_eq!(
        error_of("{\"return\": }"),
        "it sent `{\"return\": }`, which is no JSON (expected value at line 1 column 12)"
    );
    let (_, cause) = decode([b"{\"event\": \"\xff\"}".as_slice()]);
    assert_eq!(cause.unwrap(), "it sent `{\"event\": \"\u{fffd}\"}`, which is no UTF-8");
}

#[test]
fn the_rest_of_a_broken_connection_can_be_shown() {
    let mut decoder = Decoder::default();
    decoder.feed(b"{\"return\": {}}\r\n{\"return\": ");
    assert!(decoder.next_text().unwrap().is_some());
    assert!(decoder.next_text().unwrap().is_none());
    assert_eq!(decoder.rest(), "{\"return\":");
}

#[test]
fn a_message_has_a_longest_length() {
    let long = |length: usize| format!("{{\"return\":\"{}\"}}", "x".repeat(length - 13)).into_bytes();
    let (messages, cause) = decode(long(LONGEST_MESSAGE).chunks(1 << 16));
    assert_eq!((messages.len(), cause), (1, None));
    let (messages, cause) = decode(long(LONGEST_MESSAGE + 1).chunks(1 << 16));
    assert_eq!((messages, cause), (vec![], Some("it sent a message of more than 64 MiB".into())));
}

#[test]
fn integers_are_exact() {
    assert_eq!(value_of("18446744073709551615"), json!(u64::MAX));
    assert_eq!(value_of("-9223372036854775808"), json!(i64::MIN));
    assert_eq!(value_of("18446744073709551616"), json!("18446744073709551616"));
    assert_eq!(value_of("-9223372036854775809"), json!("-9223372036854775809"));
    assert_eq!(
        value_of(
            r#"[1e30, 1.5, 18446744073709551616, {"18446744073709551616": "\"18446744073709551616 é"}]"#
        ),
        json!([1e30, 1.5, "18446744073709551616", { "18446744073709551616": "\"18446744073709551616 é" }])
    );
    let digits = "9".repeat(400);
    assert_eq!(value_of(&digits), json!(digits));
    assert!(error_of("{\"return\": 099999999999999999999}").contains("invalid number"));
}

#[test]
fn a_request_is_as_short_as_can_be() {
    let encode = |arguments: Value, id, out_of_band| {
        Request { command: "query-\"x\"", arguments: &arguments, id, out_of_band }.encode()
    };
    assert_eq!(encode(Value::Null, None, false), "{\"execute\":\"query-\\\"x\\\"\"}\n");
    assert_eq!(encode(json!({}), Some(7), true), "{\"exec-oob\":\"query-\\\"x\\\"\",\"id\":7}\n");
    assert_eq!(
        encode(json!({ "z": u64::MAX, "a": "line\n" }), Some(1), false),
        "{\"execute\":\"query-\\\"x\\\"\",\"arguments\":{\"z\":18446744073709551615,\"a\":\"line\\n\"},\"id\":1}\n"
    );
}

#[test]
fn arguments_that_qemu_would_give_up_on_are_refused() {
    let nested = |levels: usize| (0..levels).fold(json!(0), |inner, _| json!([inner]));
    assert_eq!(check_arguments(&nested(DEEPEST_ARGUMENTS)), Ok(()));
    assert_eq!(
        check_arguments(&nested(DEEPEST_ARGUMENTS + 1)),
        Err("the arguments nest deeper than 128 levels".into())
    );
}

fn cut(bytes: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([0, bytes.len()]).collect();
    at.sort_unstable();
    at.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_give_the_same(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "[{}\\[\\]\":,a1 \n\\\\-]{0,120}".prop_map(String::into_bytes),
        ],
        cuts in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        let whole = decode([&bytes[..]]);
        prop_assert_eq!(decode(cut(&bytes, &cuts).iter().map(Vec::as_slice)), whole);
    }

    #[test]
    fn any_value_comes_through(
        values in prop::collection::vec(json_value(), 1..5),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
        pretty: bool,
    ) {
        let mut bytes = Vec::new();
        for value in &values {
            let reply = json!({ "return": value });
            let text = if pretty { serde_json::to_string_pretty(&reply).unwrap() } else { reply.to_string() };
            bytes.extend(text.bytes().chain(*b"\r\n"));
        }
        let expected: Vec<_> =
            values.into_iter().map(|value| Message::Reply { id: None, result: Ok(value) }).collect();
        prop_assert_eq!(decode(cut(&bytes, &cuts).iter().map(Vec::as_slice)), (expected, None));
    }
}
