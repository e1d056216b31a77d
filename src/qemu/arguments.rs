//! QEMU's command line as QEMU sees it: options with their values, in order, in the original words.
//!
//! Pure: words in, words out. A command line that is read and printed is the same, word for word.

pub mod descriptors;
pub mod options;
pub mod readconfig;
#[cfg(test)]
mod tests;
pub mod value;

pub use value::Value;

/// The words after the program's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments(Vec<Argument>);

/// One option with its value, or a disk image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// `-S`, `-m 512`, `--machine q35`.
    Option {
        /// As written, with its dashes.
        word: String,
        /// The word after it, for an option that takes one. A value that is missing at the end stays missing.
        value: Option<String>,
    },
    /// A word that belongs to no option: QEMU takes it as the first hard disk.
    Image(String),
}

impl Argument {
    /// An option as one writes it.
    #[must_use]
    pub fn new(name: &str, value: Option<&str>) -> Self {
        Self::Option { word: format!("-{name}"), value: value.map(str::to_owned) }
    }

    /// The option's name without dashes, `M` as `machine` and `h` as `help`; empty for an image.
    #[must_use]
    pub fn name(&self) -> &str {
        let Self::Option { word, .. } = self else { return "" };
        match undashed(word).unwrap_or_default() {
            "M" => "machine",
            "h" => "help",
            name => name,
        }
    }

    /// Its value as written.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Option { value, .. } => value.as_deref(),
            Self::Image(path) => Some(path),
        }
    }

    /// Its value as something with keys: a list or JSON. `None` for an option without such a value.
    #[must_use]
    pub fn value(&self) -> Option<Value> {
        let text = self.text()?;
        match options::implied_key(self.name()) {
            Some(implied) => Some(Value::parse(text, implied)),
            // `-incoming` takes JSON since 9.2.
            None => Some(Value::parse(text, "")).filter(|value| matches!(value, Value::Json(_))),
        }
    }

    /// The same option with another value.
    #[must_use]
    pub fn with(&self, text: &impl ToString) -> Self {
        match self {
            Self::Option { word, .. } => Self::Option { word: word.clone(), value: Some(text.to_string()) },
            Self::Image(_) => Self::Image(text.to_string()),
        }
    }

    /// As one line: `-m 512`. For people: nothing is quoted.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::Option { word, value: Some(value) } => format!("{word} {value}"),
            Self::Option { word, value: None } => word.clone(),
            Self::Image(path) => path.clone(),
        }
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match self {
            Self::Option { word, value } => (word, value.as_deref()),
            Self::Image(path) => (path, None),
        };
        std::iter::once(first.as_str()).chain(second)
    }
}

impl Arguments {
    /// Read the words after the program's name, as QEMU does. Never fails: what QEMU would refuse is kept as it is.
    ///
    /// An option that is not known here takes the next word if that does not look like an option.
    #[must_use]
    pub fn parse(words: &[String]) -> Self {
        let mut arguments = Vec::new();
        let mut rest = words.iter().peekable();
        while let Some(word) = rest.next() {
            arguments.push(match undashed(word) {
                None => Argument::Image(word.clone()),
                Some(name) => {
                    let value = match options::takes_value(name) {
                        Some(true) => rest.next(),
                        Some(false) => None,
                        None => rest.next_if(|next| undashed(next).is_none()),
                    };
                    Argument::Option { word: word.clone(), value: value.cloned() }
                }
            });
        }
        Self(arguments)
    }

    /// The words again.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        self.0.iter().flat_map(Argument::words).map(str::to_owned).collect()
    }

    /// All of them, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Argument] {
        &self.0
    }

    /// All of them, to be changed, removed and added to.
    pub fn list(&mut self) -> &mut Vec<Argument> {
        &mut self.0
    }

    /// Every appearance of an option, in order. `machine` finds `-M`, too.
    #[must_use]
    pub fn all<'a>(&'a self, name: &str) -> impl DoubleEndedIterator<Item = &'a Argument> {
        self.0.iter().filter(move |argument| argument.name() == name)
    }

    /// Whether an option is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The text of an option's last appearance: the one that counts where QEMU takes only one.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next_back().and_then(Argument::text)
    }

    /// What a key says in all appearances together, the last one first: `-machine q35 -machine accel=tcg`.
    #[must_use]
    pub fn get(&self, name: &str, key: &str) -> Option<String> {
        self.all(name).rev().find_map(|argument| argument.value()?.get(key))
    }

    /// With every `-readconfig FILE` replaced by the options that the file stands for. `read` hands the text of a
    /// file; one that it does not have stays as it is.
    ///
    /// # Errors
    /// A sentence that says which line of which file cannot be read.
    pub fn expanded(&self, mut read: impl FnMut(&str) -> Option<String>) -> Result<Self, String> {
        let mut arguments = Vec::new();
        for argument in &self.0 {
            let file = argument.text().filter(|_| argument.name() == "readconfig");
            match file.and_then(|file| Some((file, read(file)?))) {
                Some((file, text)) => {
                    let options =
                        readconfig::parse(&text).map_err(|cause| format!("`-readconfig {file}`: {cause}"))?;
                    arguments.extend(options);
                }
                None => arguments.push(argument.clone()),
            }
        }
        Ok(Self(arguments))
    }
}

impl FromIterator<Argument> for Arguments {
    fn from_iter<I: IntoIterator<Item = Argument>>(arguments: I) -> Self {
        Self(arguments.into_iter().collect())
    }
}

/// An option without its dashes; QEMU takes every word that begins with one as an option.
fn undashed(word: &str) -> Option<&str> {
    word.strip_prefix("--").or_else(|| word.strip_prefix('-'))
}
