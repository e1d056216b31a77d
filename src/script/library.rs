//! The standard library: its files, embedded, as one module.
//!
//! One, since Rhai remembers which function a name means across the modules that a call passes through: two helpers of
//! two files with one name would be taken for each other, and so would a helper and a function of the script's.

use std::sync::OnceLock;

use include_dir::{Dir, include_dir};
use rhai::{AST, Engine, Module, ParseError, ParseErrorType, Position, Shared};

use super::engine;

static FILES: Dir = include_dir!("$CARGO_MANIFEST_DIR/stdlib");

/// What positions in it are reported under before [`place`] tells the files apart.
pub const NAME: &str = "stdlib";

/// The files, by the names that positions are reported with, and their texts.
pub fn files() -> impl Iterator<Item = (String, &'static str)> {
    let file = |file: &'static include_dir::File| {
        (format!("{NAME}/{}", file.path().display()), file.contents_utf8().unwrap_or_default())
    };
    FILES.files().map(file)
}

/// All of it, compiled.
///
/// # Panics
/// If it does not compile, which every test would notice.
#[must_use]
pub fn compile(engine: &Engine) -> Shared<Module> {
    // One text, so that no two files share a line number.
    let text: String = files().map(|(_, text)| text).collect();
    let mut whole = engine::compile(engine, NAME, &text).unwrap_or_else(|error| {
        let (name, line) = place(error.position().line().unwrap_or_default());
        panic!("{name}:{line} does not compile: {error}")
    });
    whole.set_source(NAME);
    let names = whole.iter_functions().map(|function| (function.name.to_owned(), function.params.len()));
    let _ = DEFINED.set(names.collect());
    // Not as a module that is evaluated: each of its functions would bring the others along when it is called from
    // outside, and not when it is called from within; and Rhai, which remembers which function a name means,
    // would take the one for the other.
    whole.shared_lib().clone()
}

/// The syntax of each file.
pub fn syntax(engine: &Engine) -> impl Iterator<Item = AST> {
    files().filter_map(|(name, text)| {
        let mut ast = engine::compile(engine, NAME, text).ok()?;
        ast.set_source(name);
        Some(ast)
    })
}

/// The file that a line of the whole is in, and its line there.
#[must_use]
pub fn place(line: usize) -> (String, usize) {
    let mut rest = line;
    for (name, text) in files() {
        let lines = text.lines().count();
        if rest <= lines {
            return (name, rest);
        }
        rest -= lines;
    }
    (NAME.to_owned(), line)
}

static DEFINED: OnceLock<Vec<(String, usize)>> = OnceLock::new();

/// Whether it has a function of this name with so many parameters, be it for its own use.
#[must_use]
pub fn defines(name: &str, parameters: usize) -> bool {
    let is_it = |(known, count): &(String, usize)| known == name && *count == parameters;
    !name.starts_with("anon$") && DEFINED.get().is_some_and(|defined| defined.iter().any(is_it))
}

/// Whether it has a function of this name, however many parameters that takes. Closures have names, too.
#[must_use]
pub fn has(name: &str) -> bool {
    DEFINED.get().is_some_and(|defined| defined.iter().any(|(known, _)| known == name))
}

/// Refuse a script that has a function of the library's name: the library would call it in place of its own.
///
/// # Errors
/// `FnDuplicatedDefinition`.
pub fn refuse_doubles(ast: &AST, text: &str) -> Result<(), ParseError> {
    let Some(double) = ast.iter_functions().find(|it| defines(it.name, it.params.len())) else {
        return Ok(());
    };
    let declaration = format!("fn {}(", double.name);
    let position = text.lines().enumerate().find_map(|(line, text)| {
        let column = text.find(&declaration)?;
        Some(Position::new(u16::try_from(line + 1).ok()?, u16::try_from(column + 1).ok()?))
    });
    let kind = ParseErrorType::FnDuplicatedDefinition(double.name.to_owned(), double.params.len());
    Err(ParseError(kind.into(), position.unwrap_or(Position::NONE)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_functions_have_one_name() {
        let mut engine = Engine::new();
        engine.set_max_expr_depths(0, 0);
        let mut seen = BTreeSet::new();
        for (file, text) in files() {
            let ast = engine.compile(text).unwrap();
            for function in ast.iter_functions().filter(|it| !it.name.starts_with("anon$")) {
                let name = (function.name.to_owned(), function.params.len());
                assert!(seen.insert(name), "`{}` of {file} is there already", function.name);
                // A recipe can have functions of any other name.
                let is_hidden = function.access == rhai::FnAccess::Private;
                assert!(!is_hidden || function.name.starts_with('_'), "`{}` of {file}", function.name);
            }
        }
    }

    #[test]
    fn a_line_tells_its_file() {
        let mut files = files();
        let (first, text) = files.next().unwrap();
        let lines = text.lines().count();
        assert_eq!(place(1), (first.clone(), 1));
        assert_eq!(place(lines), (first, lines));
        assert_eq!(place(lines + 1), (files.next().unwrap().0, 1));
        assert_eq!(place(1_000_000), ("stdlib".to_owned(), 1_000_000));
    }
}
