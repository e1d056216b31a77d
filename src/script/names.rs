//! What there is to call and to read: the names that a slip is compared with, and the ways in which an
//! existing function can be called.

use rhai::{AST, Engine};

/// A function as it is called, such as `` launch(options: map) `` or `` vm.wait(status: string) ``.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signature {
    /// The bare name.
    pub name: String,
    /// The name with its parameters; before it, the object that a method changes.
    pub shown: String,
}

/// All functions with a name, those of the script first.
#[must_use]
pub fn signatures(engine: &Engine, ast: Option<&AST>) -> Vec<Signature> {
    let functions = ast.into_iter().flat_map(AST::iter_functions);
    let scripted = functions.map(|function| Signature {
        name: function.name.to_owned(),
        shown: format!("{}({})", function.name, function.params.join(", ")),
    });
    let native = engine.collect_fn_metadata(
        None,
        |function| {
            let (name, parameters) = (&function.metadata.name, &function.metadata.params_info);
            Some(Signature {
                name: name.to_string(),
                shown: shown(name, parameters.iter().map(AsRef::as_ref)),
            })
        },
        true,
    );
    // Getters, operators and closures have names that nobody can write.
    scripted.chain(native).filter(|it| rhai::is_valid_identifier(&it.name)).collect()
}

/// A call in a script's words, from the parameters as Rhai describes them.
#[must_use]
pub fn shown<'a>(name: &str, parameters: impl Iterator<Item = &'a str>) -> String {
    let mut object = String::new();
    let mut shown = Vec::new();
    for (index, parameter) in parameters.enumerate() {
        let (label, typed) = parameter.split_once(": ").unwrap_or((parameter, ""));
        let word = type_word(typed);
        if index == 0 && typed.starts_with("&mut ") {
            object = if label == "_" { format!("{}.", word.to_lowercase()) } else { format!("{label}.") };
        } else {
            shown.push(match (label, word.as_str()) {
                (label, "" | "Dynamic") => label.to_owned(),
                ("_", word) => word.to_owned(),
                (label, word) => format!("{label}: {word}"),
            });
        }
    }
    format!("{object}{name}({})", shown.join(", "))
}

/// The properties that values of a type have.
#[must_use]
pub fn properties(engine: &Engine, of: &str) -> Vec<String> {
    engine.collect_fn_metadata(
        None,
        |function| {
            let property = function.metadata.name.strip_prefix("get$")?;
            let owner = function.metadata.params_info.first()?.split(": ").nth(1)?;
            (type_word(owner) == of).then(|| property.to_owned())
        },
        true,
    )
}

/// A type as `type_of` calls it, from what Rhai calls it in its messages or Rust in its signatures.
#[must_use]
pub fn type_word(typed: &str) -> String {
    let bare = typed.trim().trim_start_matches("&mut ").split('<').next().unwrap_or_default();
    match bare.rsplit("::").next().unwrap_or_default() {
        "&str | ImmutableString | String" | "&str" | "ImmutableString" | "String" => "string",
        "INT" => "i64",
        "FLOAT" => "f64",
        "Map" => "map",
        "Array" => "array",
        "Blob" => "blob",
        "FnPtr" => "Fn",
        word => word,
    }
    .to_owned()
}

/// The names that a script's text declares: variables, modules and parameters of functions. A guess
/// from the text alone, for a script that does not compile.
#[must_use]
pub fn declared(text: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let words = |text| str::split(text, move |c| !is_part(c)).filter(|word| !word.is_empty());
    let mut names = Vec::new();
    let mut before = "";
    for word in words(text) {
        if matches!(before, "let" | "const" | "for" | "as" | "catch") {
            names.push(word);
        }
        before = word;
    }
    for function in text.split("fn ").skip(1) {
        let parameters = function.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
        names.extend(parameters.into_iter().flat_map(|(parameters, _)| words(parameters)));
    }
    for line in text.lines() {
        let between_bars = line.split('|').skip(1);
        names.extend(
            between_bars.filter(|it| it.chars().all(|c| is_part(c) || ", ".contains(c))).flat_map(words),
        );
    }
    names
}

#[cfg(test)]
mod tests {
    use rhai::{CustomType, TypeBuilder};

    use super::*;

    #[derive(Clone)]
    struct Machine;

    impl CustomType for Machine {
        fn build(mut builder: TypeBuilder<Self>) {
            builder.with_name("Machine").with_get("status", |_: &mut Self| 1_i64);
        }
    }

    fn shown_as(name: &str, engine: &Engine, ast: Option<&AST>) -> Vec<String> {
        let mut shown: Vec<String> =
            signatures(engine, ast).into_iter().filter(|it| it.name == name).map(|it| it.shown).collect();
        shown.sort();
        shown
    }

    #[test]
    fn functions_are_shown_as_they_are_called() {
        let mut engine = Engine::new();
        engine.build_type::<Machine>();
        engine.register_fn("halt", |_: &mut Machine, _: i64, _: &str| {});
        let ast = engine.compile("fn twice(x, y) { |z| z }").unwrap();
        assert_eq!(shown_as("halt", &engine, None), ["machine.halt(i64, string)"]);
        assert_eq!(shown_as("twice", &engine, Some(&ast)), ["twice(x, y)"]);
        assert_eq!(
            shown_as("parse_int", &engine, None),
            ["parse_int(string: string)", "parse_int(string: string, radix: i64)"]
        );
        assert_eq!(shown_as("push", &engine, None), ["array.push(item)", "blob.push(value: i64)"]);
        assert!(signatures(&engine, Some(&ast)).iter().all(|it| !it.name.contains('$')));
    }

    #[test]
    fn types_have_properties() {
        let mut engine = Engine::new();
        engine.build_type::<Machine>();
        assert_eq!(properties(&engine, "Machine"), ["status", "tag"][..1]);
        assert!(properties(&engine, "array").contains(&"len".into()));
    }

    #[test]
    fn declarations_are_guessed() {
        let text = "import \"./x\" as lib; let a = |one, two| one; const B = a | 1;\nfor i in 0..3 { try {} catch (e) {} }\nfn f(x, y) { x }";
        assert_eq!(declared(text), ["lib", "a", "B", "i", "e", "x", "y", "one", "two"]);
    }
}
