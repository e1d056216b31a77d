//! The Rhai engine as every script gets it: limits, the script API, the standard library.

use rhai::{AST, Dynamic, Engine, LexError, OptimizationLevel, Token};

use super::resolver::Resolver;
use super::session::{Ending, Session};
use super::sources::Sources;
use super::{api, library, recipe};

/// Deep enough for any recipe, and far from the end of the script thread's stack.
const MAX_CALL_LEVELS: usize = 64;
const MAX_EXPRESSION_DEPTH: usize = 128;

/// An engine whose scripts belong to `session`. Texts that it compiles are remembered in `sources`.
#[must_use]
pub fn build(session: &Session, sources: &Sources, resolver: Resolver) -> Engine {
    let mut engine = Engine::new();
    engine
        .set_max_call_levels(MAX_CALL_LEVELS)
        .set_max_expr_depths(MAX_EXPRESSION_DEPTH, MAX_EXPRESSION_DEPTH)
        .set_max_operations(0)
        .set_max_variables(10_000)
        .set_max_functions(10_000)
        .set_max_modules(1_000)
        .set_max_string_size(256 << 20)
        .set_max_array_size(10_000_000)
        .set_max_map_size(1_000_000)
        // The optimizer takes an `import` for something that can be left out.
        .set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_module_resolver(resolver);
    engine.set_default_tag(Dynamic::from(session.clone()));
    refuse_huge_integers(&mut engine);
    let interrupt = session.interrupt().clone();
    engine.on_progress(move |_| interrupt.is_raised().then(|| Dynamic::from(Ending::Interrupted)));
    let printer = session.clone();
    engine.on_print(move |text| printer.print(text));
    let logger = session.clone();
    engine.on_debug(move |text, source, position| {
        logger.log(&format!(
            "{}{position:?}: {text}",
            source.map(|source| format!("{source}:")).unwrap_or_default()
        ));
    });

    api::register(&mut engine);
    for (name, text) in library::files() {
        sources.add(&name, text);
    }
    let library = library::compile(&engine);
    engine.register_global_module(library);
    engine
}

/// Rhai makes a rounded float of an integer that has too many digits, without a word.
#[allow(deprecated)] // the hook is not: Rhai only says that it may change
fn refuse_huge_integers(engine: &mut Engine) {
    engine.on_parse_token(|token, _, _| match &token {
        Token::FloatConstant(constant) if constant.1.chars().all(|c| c.is_ascii_digit() || c == '_') => {
            let text = format!("{} (integers end at {})", constant.1, i64::MAX);
            Token::LexError(LexError::MalformedNumber(text).into())
        }
        _ => token,
    });
}

/// Compile a recipe's text under the name that its positions are reported with.
pub fn compile(engine: &Engine, name: &str, text: &str) -> Result<AST, rhai::ParseError> {
    let mut ast = engine.compile(recipe::without_shebang(text))?;
    if name != library::NAME {
        library::refuse_doubles(&ast, text)?;
    }
    ast.set_source(name);
    Ok(ast)
}
