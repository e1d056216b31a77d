//! What the record of a run says: lines in, a [`Run`] out.
//!
//! Pure. A line that cannot be read is passed over: the last one may be half, when the disk was full or the host died.

use serde_json::{Map, Value, json};

/// A run, as far as its record tells.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// The record's name.
    pub name: String,
    /// The recipe, as its user named it.
    pub title: String,
    /// When it began, in milliseconds since 1970.
    pub at: u64,
    /// The process id of the qhop that wrote the record last.
    pub pid: u32,
    /// When that qhop started, in clock ticks since the host's start.
    pub started: Option<u64>,
    /// Which start of the host that was.
    pub boot: String,
    /// Which host that was.
    pub host: String,
    /// The QEMUs that it launched or attached to, in that order.
    pub guests: Vec<Guest>,
    /// The moves of a guest that it began.
    pub courses: Vec<Course>,
    /// Files that are its own.
    pub files: Vec<String>,
    /// How it ended; `None` if it did not.
    pub end: Option<String>,
    /// Whether its qhop lives: not in the record, but known to the one who reads it.
    pub lives: bool,
}

/// A QEMU of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Guest {
    /// What errors call it.
    pub name: String,
    /// Its process id; unknown where only a monitor was found.
    pub pid: Option<u32>,
    /// When it started, in clock ticks since the host's start: with the pid, an identity that is never used again.
    pub started: Option<u64>,
    /// The QEMU binary.
    pub qemu: String,
    /// QEMU's version.
    pub version: String,
    /// The machine type.
    pub machine: String,
    /// The address of the monitor that qhop has used.
    pub monitor: String,
    /// The private directory, if qhop made one.
    pub directory: Option<String>,
    /// Whether it is to outlive the script.
    pub kept: bool,
    /// Whether the run has launched it, and not attached to it.
    pub launched: bool,
    /// Whether it is there for a rehearsal only.
    pub throwaway: bool,
}

/// One move of a guest, as far as it came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Course {
    /// The names of its steps, in their order. Each was noted before it was taken; the last one perhaps was not taken.
    pub steps: Vec<String>,
    /// What was noted with them: the later word counts.
    pub details: Map<String, Value>,
    /// How many verbs are under way in it: `live_patch` calls `migrate`.
    depth: usize,
}

impl Run {
    /// Read a record. `None` if it does not even say which run it is of.
    #[must_use]
    pub fn read(name: &str, text: &str) -> Option<Self> {
        let mut run: Option<Self> = None;
        // What was set aside for more may show as NULs.
        for line in text.lines().map(|line| line.trim_matches('\0')) {
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
            if line["run"].is_object() {
                let run = run.get_or_insert_with(|| Self { name: name.to_owned(), ..Self::default() });
                run.header(&line["run"], line["at"].as_u64());
            } else if let Some(run) = &mut run {
                run.note(&line);
            }
        }
        run
    }

    /// The QEMU that a detail of a step names.
    #[must_use]
    pub fn guest(&self, reference: &Value) -> Option<&Guest> {
        self.guests.iter().find(|guest| guest.is(reference))
    }

    /// The moves that were not brought to an end.
    pub fn open(&self) -> impl Iterator<Item = &Course> {
        self.courses.iter().filter(|course| course.is_open())
    }

    /// Whether it was moving the guest of that QEMU, or moving one to it, and did not get to the end.
    #[must_use]
    pub fn moves(&self, reference: &Value) -> bool {
        let is_end =
            |course: &Course, end| course.details.get(end).is_some_and(|known| is_same(known, reference));
        self.open().any(|course| is_end(course, "source") || is_end(course, "target"))
    }

    /// Whether nothing of it is left to be done: it has ended, and every move was brought to an end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.end.is_some() && self.open().next().is_none()
    }

    /// What it was doing when it was last heard of.
    #[must_use]
    pub fn doing(&self) -> String {
        match self.open().last() {
            Some(course) => course.doing(),
            None => "moving no guest".to_owned(),
        }
    }

    fn header(&mut self, header: &Value, at: Option<u64>) {
        if self.title.is_empty() {
            self.title = text(header, "title");
            self.at = at.unwrap_or_default();
        }
        self.pid = number(header, "pid").unwrap_or_default();
        self.started = header["started"].as_u64();
        (self.boot, self.host) = (text(header, "boot"), text(header, "host"));
        // Another qhop has taken it up.
        self.end = None;
    }

    fn note(&mut self, line: &Value) {
        if line["vm"].is_object() {
            self.note_guest(Guest::read(&line["vm"]));
        } else if let Some(step) = line["step"].as_str() {
            self.note_step(step, &line["details"]);
        } else if let Some(end) = line["end"].as_str() {
            self.end = Some(end.to_owned());
        }
    }

    fn note_guest(&mut self, guest: Guest) {
        let known = self.guests.iter_mut().find(|known| {
            known.pid.is_some() && (known.pid, known.started) == (guest.pid, guest.started)
                || known.pid.is_none() && guest.pid.is_none() && known.monitor == guest.monitor
        });
        match known {
            // Seen once more, perhaps by a qhop that did not launch it.
            Some(known) => {
                known.kept |= guest.kept && (guest.launched || !known.launched);
                known.monitor = guest.monitor;
                // By `cpr-exec`, one that had none may get one.
                known.directory = guest.directory.or(known.directory.take());
                if known.version.is_empty() {
                    (known.version, known.machine) = (guest.version, guest.machine);
                }
            }
            None => self.guests.push(guest),
        }
    }

    fn note_step(&mut self, step: &str, details: &Value) {
        if step == "file" {
            self.files.push(text(details, "path"));
            return;
        }
        let throwaways = match &details["throwaway"] {
            Value::Array(all) => &all[..],
            one => std::slice::from_ref(one),
        };
        for guest in &mut self.guests {
            guest.throwaway |= throwaways.iter().any(|reference| guest.is(reference));
            // From here on it may have the guest.
            guest.throwaway &= !(step == "agree" && guest.is(&details["target"]));
        }
        let Some(details) = details.as_object().filter(|_| step != "throwaway") else { return };
        let at = self.courses.iter().rposition(|course| course.is_open() && course.takes(details));
        let course = match at {
            Some(at) => &mut self.courses[at],
            // The end of what did not begin.
            None if step == "done" => return,
            None => {
                self.courses.push(Course::default());
                let last = self.courses.len() - 1;
                &mut self.courses[last]
            }
        };
        course.take(step, details);
    }
}

impl Guest {
    fn read(vm: &Value) -> Self {
        Self {
            name: text(vm, "name"),
            pid: number(vm, "pid"),
            started: vm["started"].as_u64(),
            qemu: text(vm, "qemu"),
            version: text(vm, "version"),
            machine: text(vm, "machine"),
            monitor: text(vm, "monitor"),
            directory: vm["directory"].as_str().map(str::to_owned),
            kept: vm["kept"] == true,
            launched: vm["launched"] == true,
            throwaway: vm["throwaway"] == true,
        }
    }

    /// Whether it is this process.
    #[must_use]
    pub fn runs_as(&self, pid: u32, started: u64) -> bool {
        self.pid == Some(pid) && self.started == Some(started)
    }

    /// Whether a detail of a step means this QEMU.
    #[must_use]
    pub fn is(&self, reference: &Value) -> bool {
        let own = json!({ "pid": self.pid, "started": self.started, "monitor": self.monitor });
        reference.is_object() && is_same(&own, reference)
    }
}

impl Course {
    /// The last step that was noted.
    #[must_use]
    pub fn step(&self) -> &str {
        self.steps.last().map_or("", String::as_str)
    }

    /// Whether it was not brought to its end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.depth > 0
    }

    /// Whether this step was noted.
    #[must_use]
    pub fn has(&self, step: &str) -> bool {
        self.steps.iter().any(|known| known == step)
    }

    /// In words: ``moving `source` to `target`, at the step `switch` ``.
    #[must_use]
    pub fn doing(&self) -> String {
        let name = |end: &str| self.details.get(end).map(|vm| text(vm, "name"));
        let target = name("target").map(|target| format!(" to `{target}`")).unwrap_or_default();
        format!("moving `{}`{target}, at the step `{}`", name("source").unwrap_or_default(), self.step())
    }

    /// Whether a step with these details belongs to it.
    fn takes(&self, details: &Map<String, Value>) -> bool {
        let same = |end: &str| match (self.details.get(end), details.get(end)) {
            (Some(ours), Some(theirs)) => is_same(ours, theirs),
            _ => true,
        };
        same("source") && same("target")
    }

    fn take(&mut self, step: &str, details: &Map<String, Value>) {
        match step {
            "plan" | "agree" => self.depth += 1,
            "done" => self.depth -= 1,
            // Whoever recovers it ends all of it at once.
            "recover" => self.depth = 1,
            _ if self.steps.is_empty() => self.depth = 1,
            _ => {}
        }
        self.steps.push(step.to_owned());
        for (name, detail) in details {
            // Who the ends are is known best while they live.
            if !["source", "target"].contains(&name.as_str()) || !self.details.contains_key(name) {
                self.details.insert(name.clone(), detail.clone());
            }
        }
    }
}

/// Whether two details mean the same QEMU. Of one that has ended, nobody knows when it started.
fn is_same(one: &Value, other: &Value) -> bool {
    match (number(one, "pid"), number(other, "pid")) {
        (Some(a), Some(b)) => {
            let (since, until) = (one["started"].as_u64(), other["started"].as_u64());
            a == b && (since == until || since.is_none() || until.is_none())
        }
        (None, None) => one["monitor"] == other["monitor"],
        _ => false,
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value, key: &str) -> Option<u32> {
    value[key].as_u64().and_then(|number| number.try_into().ok())
}

#[cfg(test)]
mod tests;
