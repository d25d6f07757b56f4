//! Prints a plan, as text with one line for each step, or as JSON with one object for each. Keys are shown as fingerprints only.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

use crate::names::sa_types::type_word;
use crate::reconcile::step::{Difference, Plan, Step, StepKind};

/// The number of steps of each kind, and of SAs without a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    pub(crate) add: usize,
    pub(crate) update: usize,
    pub(crate) replace: usize,
    pub(crate) remove: usize,
    pub(crate) kept: usize,
    /// SAs that the file does not define and that are left unchanged.
    pub(crate) foreign: usize,
}

impl Summary {
    #[must_use]
    pub(crate) fn of(plan: &Plan) -> Self {
        let count = |kind| plan.steps.iter().filter(|step| step.kind == kind).count();
        Self {
            add: count(StepKind::Add),
            update: count(StepKind::Update),
            replace: count(StepKind::Replace),
            remove: count(StepKind::Remove),
            kept: plan.kept,
            foreign: plan.foreign,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { add, update, replace, remove, kept, foreign } = self;
        write!(f, "{add} added, {update} updated, {replace} replaced, {remove} removed, {kept} kept")?;
        if *foreign == 0 { Ok(()) } else { write!(f, ", {foreign} foreign") }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The words are aligned: `replace` has seven letters.
        write!(f, "{:8}{}", self.kind.word(), self.id())?;
        self.line.map_or(Ok(()), |line| write!(f, " (line {line})"))?;
        let separators = std::iter::once(": ").chain(std::iter::repeat(", "));
        separators.zip(&self.change.differences).try_for_each(|(separator, difference)| {
            write!(f, "{separator}{} {} -> {}", difference.field, difference.from, difference.to)
        })
    }
}

/// A step of [`verify`](super::verify) as a message: the names of the fields that differ, without their values.
pub(crate) struct Mismatch<'a>(pub &'a Step);

impl fmt::Display for Mismatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.line.map_or(Ok(()), |line| write!(f, "line {line}: "))?;
        if self.0.kind == StepKind::Add {
            return write!(f, "{} is missing", self.0.id());
        }
        // No values: this goes to the log of a service, where a fingerprint is of no use.
        let fields: Vec<&str> = self.0.change.differences.iter().map(|difference| difference.field).collect();
        write!(f, "{} differs in: {}", self.0.id(), fields.join(", "))
    }
}

/// Writes a line for each step, and a summary.
///
/// # Errors
/// Those of the writer.
pub(crate) fn write_text(out: &mut dyn Write, plan: &Plan) -> io::Result<()> {
    plan.steps.iter().try_for_each(|step| writeln!(out, "{step}"))?;
    writeln!(out, "{}", Summary::of(plan))
}

/// A step in JSON.
#[derive(Serialize)]
struct JsonSaStep<'a> {
    step: &'static str,
    sa_type: String,
    spi: String,
    dst: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<JsonDifference<'a>>,
}

#[derive(Serialize)]
struct JsonDifference<'a> {
    field: &'static str,
    from: &'a str,
    to: &'a str,
}

/// The last line in JSON.
#[derive(Serialize)]
struct JsonSummary {
    summary: Summary,
}

impl<'a> From<&'a Step> for JsonSaStep<'a> {
    fn from(step: &'a Step) -> Self {
        let change = &step.change;
        let changed = |difference: &'a Difference| JsonDifference {
            field: difference.field,
            from: &difference.from,
            to: &difference.to,
        };
        Self {
            step: step.kind.word(),
            sa_type: type_word(change.id.sa_type),
            spi: change.id.spi.to_string(),
            dst: change.id.dst.to_string(),
            mark: change.id.mark.map(|mark| format!("{:#x}/{:#x}", mark.value, mark.mask)),
            line: step.line,
            changes: change.differences.iter().map(changed).collect(),
        }
    }
}

/// Writes an object for each step, and one with the summary, each on a line.
///
/// # Errors
/// Those of the writer.
pub(crate) fn write_json(out: &mut dyn Write, plan: &Plan) -> io::Result<()> {
    for step in &plan.steps {
        serde_json::to_writer(&mut *out, &JsonSaStep::from(step))?;
        writeln!(out)?;
    }
    write_summary(out, Summary::of(plan))
}

/// Writes the object with the summary.
///
/// # Errors
/// Those of the writer.
pub(crate) fn write_summary(out: &mut dyn Write, summary: Summary) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &JsonSummary { summary })?;
    writeln!(out)
}
