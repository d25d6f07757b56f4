//! Metrics as text: OpenMetrics 1.0, and the older text format of Prometheus, which the textfile collector of node_exporter reads.

use std::fmt::{self, Display};
use std::io::{self, Write};

/// The syntax of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// <https://prometheus.io/docs/specs/om/open_metrics_spec/>
    OpenMetrics,
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/>: metadata has the name of the samples, without a unit.
    Prometheus,
}

/// What the values of a family are. The older format knows no other kinds that would be of use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It only grows; its samples end in `_total`.
    Counter,
    Gauge,
}

/// Metrics of one name.
pub(crate) struct Family {
    /// Without `_total`, with the unit.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// `bytes` or `seconds`; empty without a unit.
    pub(crate) unit: &'static str,
    pub(crate) help: &'static str,
}

impl Family {
    pub(crate) const fn counter(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Counter, unit, help }
    }

    pub(crate) const fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        Self { kind: Kind::Gauge, ..Self::counter(name, unit, help) }
    }

    fn total(&self) -> &'static str {
        if self.kind == Kind::Counter { "_total" } else { "" }
    }
}

/// Names and values of labels.
pub(crate) type Labels<'a> = &'a [(&'a str, &'a dyn Display)];

/// Writes samples. Those of one family must follow each other.
pub(crate) struct Exposition<'a> {
    out: &'a mut dyn Write,
    syntax: Syntax,
    /// The family of the last sample.
    current: &'static str,
}

impl<'a> Exposition<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, syntax: Syntax) -> Self {
        Self { out, syntax, current: "" }
    }

    /// Writes a sample, before the first one of its family the metadata.
    ///
    /// # Errors
    /// Those of the writer, as for every function here.
    pub(crate) fn sample(&mut self, family: &Family, labels: Labels<'_>, value: u64) -> io::Result<()> {
        if self.current != family.name {
            self.current = family.name;
            self.metadata(family)?;
        }
        write!(self.out, "{}{}", family.name, family.total())?;
        for (at, (name, value)) in labels.iter().enumerate() {
            write!(self.out, "{}{name}=\"{}\"", if at == 0 { '{' } else { ',' }, Escaped(*value))?;
        }
        writeln!(self.out, "{} {value}", if labels.is_empty() { "" } else { "}" })
    }

    fn metadata(&mut self, family: &Family) -> io::Result<()> {
        let Family { name, kind, unit, help } = family;
        let name = match self.syntax {
            Syntax::OpenMetrics => (*name).to_owned(),
            Syntax::Prometheus => format!("{name}{}", family.total()),
        };
        let kind = if *kind == Kind::Counter { "counter" } else { "gauge" };
        writeln!(self.out, "# TYPE {name} {kind}")?;
        if self.syntax == Syntax::OpenMetrics && !unit.is_empty() {
            writeln!(self.out, "# UNIT {name} {unit}")?;
        }
        writeln!(self.out, "# HELP {name} {help}.")
    }

    /// Ends the text: a reader of OpenMetrics rejects one without an end, as of a program that was killed.
    pub(crate) fn end(self) -> io::Result<()> {
        if self.syntax == Syntax::OpenMetrics { writeln!(self.out, "# EOF") } else { Ok(()) }
    }
}

/// The value of a label with its backslashes, quotes and line feeds escaped.
struct Escaped<'a>(&'a dyn Display);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        text.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            c => write!(f, "{c}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: Family = Family::counter("x_bytes", "bytes", "Bytes that have passed");
    const STATE: Family = Family::gauge("x_state", "", "Whether it is on");

    fn written(syntax: Syntax) -> String {
        let mut out = Vec::new();
        let mut exposition = Exposition::new(&mut out, syntax);
        exposition.sample(&BYTES, &[("peer", &"a\"b\\c\n"), ("spi", &7)], 3).unwrap();
        exposition.sample(&BYTES, &[], 4).unwrap();
        exposition.sample(&STATE, &[], 1).unwrap();
        exposition.end().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn open_metrics_has_units_and_an_end() {
        let expected = "# TYPE x_bytes counter\n# UNIT x_bytes bytes\n# HELP x_bytes Bytes that have passed.\n\
                        x_bytes_total{peer=\"a\\\"b\\\\c\\n\",spi=\"7\"} 3\nx_bytes_total 4\n\
                        # TYPE x_state gauge\n# HELP x_state Whether it is on.\nx_state 1\n# EOF\n";
        assert_eq!(written(Syntax::OpenMetrics), expected);
    }

    #[test]
    fn prometheus_names_counters_as_their_samples() {
        let text = written(Syntax::Prometheus);
        assert!(text.starts_with("# TYPE x_bytes_total counter\n# HELP x_bytes_total Bytes "), "{text}");
        assert!(!text.contains("UNIT") && !text.contains("EOF"), "{text}");
    }
}
