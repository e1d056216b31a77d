//! What a guest notices of the rehearsal of its move: the longest gap between two beats, of which there are a thousand
//! a second, beside what the machine tears into them anyway.

use serde_json::Value;

use crate::Result;
use crate::lab::{self, Lab};
use crate::live_patch::number;
use crate::report::{Report, Series};

const ROUNDS: usize = 15;
/// In milliseconds.
const GAP: f64 = 20.0;

/// A guest of 512 MiB, half of which it uses, with shared memory and with private.
pub fn measure(lab: &Lab, report: &mut Report) -> Result<()> {
    report.table(&[
        "rehearsal, 512 MiB, 7.2 → 10.0",
        "all of it",
        "stopped",
        "longest gap",
        "as long before",
    ]);
    for memory in ["shared", "private"] {
        let mut command = lab::recipe("rehearsal");
        command.arg("--from").arg(&lab.old).arg("--to").arg(&lab.new);
        command.args(["--rounds".to_owned(), ROUNDS.to_string(), format!("--memory={memory}")]);
        let outcome = lab::outcome(&mut command)?;
        let median = |name: &str| -> Result<f64> {
            let figures = outcome.as_array().map_or(&[][..], Vec::as_slice).iter();
            let mut series = Series::default();
            series.extend(figures.map(|round: &Value| number(&round[name])).collect::<Result<Vec<f64>>>()?);
            Ok(series.median())
        };
        let medians = [median("total_ms")?, median("pause_ms")?, median("gap_ms")?, median("calm_ms")?];
        report.row(
            &[&[format!("{memory} memory")], &medians.map(|figure| format!("{figure:.1} ms"))[..]].concat(),
        );
        report.target(
            &format!("the longest gap in a rehearsal with {memory} memory"),
            medians[2],
            GAP,
            " ms",
        );
    }
    Ok(())
}
