//! How the lines of a human monitor go on, as its `help` shows them: `migrate [-d] [-r] uri -- migrate to URI`.
//!
//! Pure.

use std::collections::HashMap;

/// The arguments of a command.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Such as `-d`.
    pub flags: Vec<String>,
    /// The others, in their order.
    pub arguments: Vec<Argument>,
}

/// An argument that is no flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// One of these words.
    Words(Vec<String>),
    /// A file, or an address that may have a path in it.
    File,
    /// Anything else.
    Other,
}

/// What `help` calls the arguments that are files, or addresses with a path.
const FILES: [&str; 5] = ["file", "filename", "new-image-file", "target", "uri"];

/// Words in a usage that stand for others, though they look like a choice: `commit device|all`.
const NAMES: [&str; 1] = ["device"];

impl Usage {
    /// What may follow the words after the command: flags that are not there yet, and the choices for the next argument.
    #[must_use]
    pub fn next(&self, given: &[&str]) -> Vec<String> {
        let flags = self.flags.iter().filter(|flag| !given.contains(&flag.as_str()));
        let words = match self.argument(given) {
            Some(Argument::Words(words)) => &words[..],
            _ => &[],
        };
        flags.chain(words).cloned().collect()
    }

    /// Whether a file may follow them.
    #[must_use]
    pub fn wants_file(&self, given: &[&str]) -> bool {
        self.argument(given) == Some(&Argument::File)
    }

    fn argument(&self, given: &[&str]) -> Option<&Argument> {
        self.arguments.get(given.iter().filter(|word| !word.starts_with('-')).count())
    }
}

/// The usages of all commands in a `help` text; `after` is what each of its lines begins with.
#[must_use]
pub fn usages(help: &str, after: &str) -> HashMap<String, Usage> {
    let mut found = HashMap::new();
    let mut lines = help.lines().peekable();
    while let Some(line) = lines.next() {
        let line = line.strip_prefix(after).filter(|line| line.starts_with(|c: char| c.is_alphabetic()));
        let Some(mut line) = line.map(str::to_owned) else { continue };
        // Those of `drive_add` go on for lines.
        while !line.contains(" -- ")
            && let Some(more) = lines.next_if(|more| more.starts_with('['))
        {
            line = format!("{line} {more}");
        }
        let (names, arguments) = line.split_once(' ').unwrap_or((&line, ""));
        let arguments = arguments.split("-- ").next().unwrap_or_default();
        for name in names.split('|').filter(|name| name.starts_with(|c: char| c.is_alphabetic())) {
            found.insert(name.to_owned(), usage(name, arguments));
        }
    }
    found
}

fn usage(name: &str, text: &str) -> Usage {
    let mut usage = Usage::default();
    // QEMU repeats the name of some: `closefd closefd name`.
    for word in text.split_whitespace().map(|it| it.trim_matches(['[', ']'])).filter(|it| *it != name) {
        let choices: Vec<String> =
            word.split('|').filter(|it| !NAMES.contains(it)).map(str::to_owned).collect();
        let is_choice = word.contains('|')
            && choices.iter().all(|it| it.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)));
        if word.starts_with('-') {
            usage.flags.extend(choices);
        } else if is_choice {
            usage.arguments.push(Argument::Words(choices));
        } else if FILES.contains(&word) || word.contains("file=") || (name, word) == ("wavcapture", "path") {
            usage.arguments.push(Argument::File);
        } else {
            usage.arguments.push(Argument::Other);
        }
    }
    usage
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As QEMU 10.0 prints it.
    const HELP: &str = "boot_set bootdevice -- define new values for the boot device list
closefd closefd name -- close a file descriptor previously passed via SCM rights
commit device|all -- commit changes to the disk images
cont|c  -- resume emulation
drive_add [-n] [[<domain>:]<bus>:]<slot>
[file=file][,if=type][,bus=n]
[,unit=m][,media=d][,index=i] -- add drive to PCI storage controller
dump-guest-memory [-p] [-d] [-z|-l|-s|-w] [-R] filename [begin length] -- dump guest memory into file 'filename'.
\t\t\t-p: do paging to get guest's memory mapping.
hostfwd_remove [netdev_id] [tcp|udp]:[hostaddr]:hostport -- remove host-to-guest TCP or UDP redirection
migrate [-d] [-r] uri -- migrate to URI (using -d to not wait for completion)
\t\t\t -r to resume a paused postcopy migration
set_link name on|off -- change the link status of a network adapter
?  -- help
";

    fn next(line: &str) -> (Vec<String>, bool) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let usage = &usages(HELP, "")[words[0]];
        (usage.next(&words[1..]), usage.wants_file(&words[1..]))
    }

    #[test]
    fn help_says_how_a_line_goes_on() {
        for (line, words, file) in [
            ("boot_set", "", false),
            ("closefd", "", false),
            ("commit", "all", false),
            ("c", "", false),
            ("cont", "", false),
            ("drive_add", "-n", false),
            ("drive_add -n 0", "", true),
            ("dump-guest-memory -p", "-d -z -l -s -w -R", true),
            ("hostfwd_remove net0", "", false),
            ("migrate", "-d -r", true),
            ("migrate -d", "-r", true),
            ("migrate -d tcp:0:1", "-r", false),
            ("set_link net0", "on off", false),
            ("set_link net0 on", "", false),
        ] {
            let (next, wants_file) = next(line);
            assert_eq!((next.join(" ").as_str(), wants_file), (words, file), "{line}");
        }
        assert_eq!(usages(HELP, "").len(), 10);
        let info = usages("info block [-n] [-v] [device] -- show\ninfo mice  -- show\n", "info ");
        assert_eq!((info["block"].next(&["-n"]), info["mice"].next(&[])), (vec!["-v".to_owned()], vec![]));
    }
}
