//! What a run found: tables in Markdown, and whether each target was met.

use std::fmt;

/// Figures of the same thing, taken one after the other.
#[derive(Debug, Default)]
pub struct Series(Vec<f64>);

impl Series {
    /// Add a figure.
    pub fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// Add several.
    pub fn extend(&mut self, figures: impl IntoIterator<Item = f64>) {
        self.0.extend(figures);
    }

    /// The figure in the middle: outliers of a busy machine do not move it.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match (sorted.len(), sorted.len() / 2) {
            (0, _) => f64::NAN,
            (length, middle) if length % 2 == 0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            (_, middle) => sorted[middle],
        }
    }
}

/// The whole of it.
pub struct Report {
    description: String,
    tables: Vec<Vec<String>>,
    verdicts: Vec<String>,
}

impl Report {
    /// An empty one; `description` says when and where.
    pub fn new(description: String) -> Self {
        Self { description, tables: Vec::new(), verdicts: Vec::new() }
    }

    /// Begin a table with these columns.
    pub fn table(&mut self, columns: &[&str]) {
        self.tables.push(vec![line(columns), line(&vec!["---"; columns.len()])]);
    }

    /// Add a row to the last table.
    pub fn row(&mut self, cells: &[String]) {
        self.tables.last_mut().expect("a row follows a table's columns").push(line(cells));
    }

    /// Judge a figure.
    pub fn target(&mut self, what: &str, figure: f64, limit: f64, unit: &str) {
        let verdict = if figure <= limit { "met" } else { "MISSED" };
        self.verdicts
            .push(format!("- {verdict}: {what} is {figure:.2}{unit}, at most {limit}{unit} was wanted"));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.description)?;
        for table in &self.tables {
            writeln!(f, "\n{}", table.join("\n"))?;
        }
        writeln!(f, "\n{}", self.verdicts.join("\n"))
    }
}

fn line<T: AsRef<str>>(cells: &[T]) -> String {
    cells.iter().fold("|".to_owned(), |line, cell| format!("{line} {} |", cell.as_ref()))
}
