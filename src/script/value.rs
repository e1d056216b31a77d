//! JSON to script values and back, with nothing lost on the way without a word.
//!
//! Pure. Rhai's own conversions turn large unsigned numbers into floats and drop nulls; a monitor's
//! reply has both.

use rhai::{Array, Blob, Dynamic, FLOAT, INT, ImmutableString, Map};
use serde_json::{Number, Value};

/// Arrays and maps inside one another beyond this are refused; `serde_json` reads no more either.
const MAX_DEPTH: usize = 128;

/// A JSON value as a script sees it. Null is `()`; an integer above the largest `i64` stays an exact
/// `u64`.
pub fn to_dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(bool) => (*bool).into(),
        Value::Number(number) => number_to_dynamic(number),
        Value::String(text) => text.into(),
        Value::Array(items) => Dynamic::from_array(items.iter().map(to_dynamic).collect()),
        Value::Object(members) => Dynamic::from_map(
            members.iter().map(|(key, value)| (key.as_str().into(), to_dynamic(value))).collect(),
        ),
    }
}

fn number_to_dynamic(number: &Number) -> Dynamic {
    if let Some(int) = number.as_i64() {
        return Dynamic::from(int as INT);
    }
    match (number.as_u64(), number.as_f64()) {
        (Some(unsigned), _) => Dynamic::from(unsigned),
        (None, Some(float)) => Dynamic::from(float as FLOAT),
        (None, None) => unreachable!("without `arbitrary_precision` a number is one of the three"),
    }
}

/// A script's value as JSON. `name` is what the script calls it, such as `arguments`.
///
/// Maps come out ordered by their keys, as Rhai keeps them; a character is a string; a blob is an
/// array of numbers.
///
/// # Errors
/// A sentence that names the part and its type: `` `arguments.size` is a `Fn`, which is no JSON ``.
pub fn to_json(name: &str, value: &Dynamic) -> Result<Value, String> {
    json(&mut Path { name: name.to_owned(), depth: 0 }, value)
}

fn json(path: &mut Path, value: &Dynamic) -> Result<Value, String> {
    if value.is_shared() {
        // A variable that a closure captured is shared. Taking it out copies it one level at a time, so
        // that no lock is held while the next level is read.
        let flat = value.flatten_clone();
        return if flat.is_shared() { Err(path.refuse("in use elsewhere")) } else { json(path, &flat) };
    }
    if let Some(items) = value.read_lock::<Array>() {
        let numbered = items.iter().enumerate();
        return numbered.map(|(index, item)| path.inside(&format!("[{index}]"), item)).collect();
    }
    if let Some(members) = value.read_lock::<Map>() {
        let converted =
            members.iter().map(|(key, member)| Ok((key.to_string(), path.inside(&step(key), member)?)));
        return converted.collect::<Result<_, String>>().map(Value::Object);
    }
    if let Some(bytes) = value.read_lock::<Blob>() {
        return Ok(bytes.as_slice().into());
    }
    scalar(value).map_err(|what| path.refuse(&what))
}

/// A value without parts, or what it is instead.
fn scalar(value: &Dynamic) -> Result<Value, String> {
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(bool) = value.as_bool() {
        return Ok(bool.into());
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Ok(text.as_str().into());
    }
    if let Ok(char) = value.as_char() {
        return Ok(char.to_string().into());
    }
    if let Some(int) = integer(value) {
        let number = i64::try_from(int).map(Number::from).or_else(|_| u64::try_from(int).map(Number::from));
        return number.map(Value::Number).map_err(|_| int.to_string());
    }
    let single = value.read_lock::<f32>().map(|float| f64::from(*float));
    if let Some(float) = value.as_float().ok().or(single) {
        return Number::from_f64(float).map(Value::Number).ok_or_else(|| float.to_string());
    }
    if let Some(unsigned) = value.read_lock::<u128>() {
        return Err(unsigned.to_string());
    }
    let full = value.type_name().split('<').next().unwrap_or_default();
    Err(format!("a `{}`", full.rsplit("::").next().unwrap_or(full)))
}

/// An integer of any width that Rhai knows; `u128` only as far as it fits.
fn integer(value: &Dynamic) -> Option<i128> {
    macro_rules! first_of {
        ($($width:ty)*) => {
            None$(.or_else(|| value.read_lock::<$width>().and_then(|int| i128::try_from(*int).ok())))*
        };
    }
    first_of!(INT u64 i8 u8 i16 u16 i32 u32 isize usize i128 u128)
}

/// Where in the value the conversion is, in the words of the script.
struct Path {
    name: String,
    depth: usize,
}

impl Path {
    fn inside(&mut self, step: &str, value: &Dynamic) -> Result<Value, String> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse("nested too deeply"));
        }
        let outer = self.name.len();
        self.name.push_str(step);
        self.depth += 1;
        let result = json(self, value);
        self.depth -= 1;
        self.name.truncate(outer);
        result
    }

    fn refuse(&self, what: &str) -> String {
        format!("`{}` is {what}, which is no JSON", self.name)
    }
}

fn step(key: &str) -> String {
    let is_identifier = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_identifier { format!(".{key}") } else { format!("[{key:?}]") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use rhai::Engine;
    use serde_json::json;

    use super::*;

    fn evaluated(script: &str) -> Dynamic {
        Engine::new().eval(script).unwrap()
    }

    fn refused(value: &Dynamic) -> String {
        to_json("arguments", value).unwrap_err()
    }

    #[test]
    fn every_kind_of_json_comes_back_as_it_was() {
        let value = json!({
            "null": null, "yes": true, "int": -7, "largest": u64::MAX, "smallest": i64::MIN, "float": 1.0,
            "text": "", "list": [[], [1, 2.5, null]], "map": { "a b": {}, "": 0 },
        });
        let mut sorted = value.clone();
        sorted.sort_all_objects();
        assert_eq!(to_json("value", &to_dynamic(&value)), Ok(sorted));
    }

    #[test]
    fn numbers_keep_their_type() {
        assert_eq!(to_dynamic(&json!(9_223_372_036_854_775_807_u64)).type_name(), "i64");
        assert_eq!(to_dynamic(&json!(9_223_372_036_854_775_808_u64)).try_cast(), Some(1_u64 << 63));
        assert_eq!(to_dynamic(&json!(2.0)).type_name(), "f64");
    }

    #[test]
    fn a_script_can_print_what_it_gets() {
        let mut scope = rhai::Scope::new();
        scope.push_dynamic("reply", to_dynamic(&json!({ "size": u64::MAX, "absent": null })));
        let text: String =
            Engine::new().eval_with_scope(&mut scope, "`${reply.size} ${reply.absent}`").unwrap();
        assert_eq!(text, "18446744073709551615 ");
    }

    #[test]
    fn script_values_become_json() {
        let value = evaluated("#{ b: 'x', a: [1, 2.5, (), true], blob: blob(2, 255) }");
        let text = to_json("value", &value).unwrap().to_string();
        assert_eq!(text, r#"{"a":[1,2.5,null,true],"b":"x","blob":[255,255]}"#);
    }

    #[test]
    fn integers_of_all_widths() {
        let array: Vec<Dynamic> = vec![
            Dynamic::from(1_u8),
            Dynamic::from(-2_i8),
            Dynamic::from(3_u16),
            Dynamic::from(-4_i16),
            Dynamic::from(5_u32),
            Dynamic::from(-6_i32),
            Dynamic::from(7_u64),
            Dynamic::from(-8_i128),
            Dynamic::from(9_u128),
            Dynamic::from(10_usize),
            Dynamic::from(0.5_f32),
        ];
        assert_eq!(to_json("value", &array.into()), Ok(json!([1, -2, 3, -4, 5, -6, 7, -8, 9, 10, 0.5])));
        let limit = Dynamic::from(u128::MAX);
        assert_eq!(
            refused(&limit),
            "`arguments` is 340282366920938463463374607431768211455, which is no JSON"
        );
        assert_eq!(
            refused(&Dynamic::from(-1_i128 << 64)),
            "`arguments` is -18446744073709551616, which is no JSON"
        );
    }

    #[test]
    fn what_is_no_json_is_named_with_its_place() {
        assert_eq!(refused(&evaluated("#{ size: |x| x }")), "`arguments.size` is a `Fn`, which is no JSON");
        assert_eq!(
            refused(&evaluated("#{ a: [0, #{ \"b c\": timestamp() }] }")),
            "`arguments.a[1][\"b c\"]` is a `timestamp`, which is no JSON"
        );
        assert_eq!(refused(&Dynamic::from(Duration::ZERO)), "`arguments` is a `Duration`, which is no JSON");
        assert_eq!(refused(&evaluated("[1..2]")), "`arguments[0]` is a `Range`, which is no JSON");
        assert_eq!(refused(&evaluated("#{ x: 0.0 / 0.0 }")), "`arguments.x` is NaN, which is no JSON");
        assert_eq!(refused(&evaluated("-1.0 / 0.0")), "`arguments` is -inf, which is no JSON");
    }

    #[test]
    fn a_captured_variable_is_an_ordinary_value() {
        let value = evaluated("let a = [1]; let f = || a.push(2); f.call(); #{ a: a }");
        assert_eq!(to_json("value", &value), Ok(json!({ "a": [1, 2] })));
        let shared = Dynamic::from_array(vec![Dynamic::from(3).into_shared()]).into_shared();
        assert_eq!(to_json("value", &shared), Ok(json!([3])));
    }

    #[test]
    fn nesting_has_an_end() {
        let mut value = Dynamic::UNIT;
        for _ in 0..=MAX_DEPTH {
            value = Dynamic::from_array(vec![value]);
        }
        assert!(refused(&value).ends_with("[0]` is nested too deeply, which is no JSON"));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_filter("finite", |float| float.is_finite()).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_json_comes_back_as_it_was(value in any_json()) {
            prop_assert_eq!(to_json("value", &to_dynamic(&value)), Ok(value));
        }
    }
}
