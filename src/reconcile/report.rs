//! A plan told: for people one line for each step, for programs one object. No key is in it, only fingerprints.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

use crate::names::sa_types;
use crate::reconcile::plan::{Deed, Plan, Step, Subject};
use crate::sa::{SaId, SaType};

/// An SA's name in words: `esp spi 0x1001 dst 192.0.2.1`.
#[derive(Clone, Copy)]
pub(crate) struct Named(pub SaId);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SaId { sa_type, spi, dst, mark } = self.0;
        write!(f, "{} spi {spi} dst {dst}", type_word(sa_type))?;
        mark.map_or(Ok(()), |mark| write!(f, " mark {:#x}/{:#x}", mark.value, mark.mask))
    }
}

fn type_word(sa_type: SaType) -> String {
    sa_types::by_number(sa_type).map_or_else(|| sa_type.0.to_string(), |row| row.word.to_owned())
}

impl Deed {
    /// Its word.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Remove => "remove",
        }
    }
}

/// How many steps of each kind there are, and how many SAs need none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    /// SAs to add.
    pub(crate) add: usize,
    /// SAs to change in place.
    pub(crate) update: usize,
    /// SAs to add anew.
    pub(crate) replace: usize,
    /// SAs to remove.
    pub(crate) remove: usize,
    /// SAs that are as they should be.
    pub(crate) kept: usize,
    /// SAs of others.
    pub(crate) foreign: usize,
}

impl Summary {
    /// What `plan` comes to.
    #[must_use]
    pub(crate) fn of(plan: &Plan) -> Self {
        let count = |deed| plan.steps.iter().filter(|step| step.deed == deed).count();
        Self {
            add: count(Deed::Add),
            update: count(Deed::Update),
            replace: count(Deed::Replace),
            remove: count(Deed::Remove),
            kept: plan.kept,
            foreign: plan.foreign,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { add, update, replace, remove, kept, foreign } = self;
        write!(f, "{add} added, {update} updated, {replace} replaced, {remove} removed, {kept} kept")?;
        if *foreign == 0 { Ok(()) } else { write!(f, ", {foreign} of others left alone") }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Subject::Sa(change) = &self.subject;
        write!(f, "{:8}{}", self.deed.word(), Named(change.id))?;
        self.line.map_or(Ok(()), |line| write!(f, " (line {line})"))?;
        let separators = std::iter::once(": ").chain(std::iter::repeat(", "));
        separators.zip(&change.differences).try_for_each(|(separator, difference)| {
            write!(f, "{separator}{} {} -> {}", difference.field, difference.from, difference.to)
        })
    }
}

/// What an SA that was read back has otherwise than it should, without its values.
pub(crate) struct Brief<'a>(pub &'a Step);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Subject::Sa(change) = &self.0.subject;
        self.0.line.map_or(Ok(()), |line| write!(f, "line {line}: "))?;
        if self.0.deed == Deed::Add {
            return write!(f, "{} is not there", Named(change.id));
        }
        let fields: Vec<&str> = change.differences.iter().map(|difference| difference.field).collect();
        write!(f, "{} has otherwise: {}", Named(change.id), fields.join(", "))
    }
}

/// Writes a line for each step, and one with the numbers.
///
/// # Errors
/// The writer's.
pub(crate) fn write_text(out: &mut dyn Write, plan: &Plan) -> io::Result<()> {
    plan.steps.iter().try_for_each(|step| writeln!(out, "{step}"))?;
    writeln!(out, "{}", Summary::of(plan))
}

/// A step as an object.
#[derive(Serialize)]
struct Object<'a> {
    step: &'static str,
    sa_type: String,
    spi: String,
    dst: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Changed<'a>>,
}

#[derive(Serialize)]
struct Changed<'a> {
    field: &'static str,
    from: &'a str,
    to: &'a str,
}

/// The last line.
#[derive(Serialize)]
struct Sum {
    summary: Summary,
}

impl<'a> From<&'a Step> for Object<'a> {
    fn from(step: &'a Step) -> Self {
        let Subject::Sa(change) = &step.subject;
        let changed = |difference: &'a crate::reconcile::Difference| Changed {
            field: difference.field,
            from: &difference.from,
            to: &difference.to,
        };
        Self {
            step: step.deed.word(),
            sa_type: type_word(change.id.sa_type),
            spi: change.id.spi.to_string(),
            dst: change.id.dst.to_string(),
            mark: change.id.mark.map(|mark| format!("{:#x}/{:#x}", mark.value, mark.mask)),
            line: step.line,
            changes: change.differences.iter().map(changed).collect(),
        }
    }
}

/// Writes the same as objects, one a line.
///
/// # Errors
/// The writer's.
pub(crate) fn write_json(out: &mut dyn Write, plan: &Plan) -> io::Result<()> {
    for step in &plan.steps {
        serde_json::to_writer(&mut *out, &Object::from(step))?;
        writeln!(out)?;
    }
    write_summary(out, Summary::of(plan))
}

/// Writes the numbers as an object.
///
/// # Errors
/// The writer's.
pub(crate) fn write_summary(out: &mut dyn Write, summary: Summary) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Sum { summary })?;
    writeln!(out)
}
