//! Links as a table: one line a link, and lines below it for the networks of a tunnel and for what looks wrong.
//!
//! The widths of the columns follow the texts. If they do not fit, short titles and words come first, then columns are omitted; a
//! terminal that is still too narrow gets a few lines a link instead.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use super::Links;
use super::link::{Flow, Link};
use super::problem;
use super::sa::Moment;
use super::units::{Count, Duration};
use crate::names::sa_types::type_word;
use crate::sa::XfrmMode;

/// The width without a terminal.
pub(crate) const DEFAULT_WIDTH: usize = 80;

/// How the table looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// In characters.
    pub(crate) width: usize,
    pub(crate) has_color: bool,
}

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

/// What the cells of a row are made of.
struct Row<'a> {
    link: &'a Link,
    has_policies: bool,
    /// Whether the texts are to be short.
    is_short: bool,
}

/// Appends the text of a cell.
type Text = fn(&mut String, &Row<'_>) -> fmt::Result;

/// A column: its title in full and short, whether it is a number, its text.
struct Column {
    long: &'static str,
    short: &'static str,
    is_number: bool,
    text: Text,
}

const fn words(long: &'static str, short: &'static str, text: Text) -> Column {
    Column { long, short, is_number: false, text }
}

const fn number(long: &'static str, short: &'static str, text: Text) -> Column {
    Column { is_number: true, ..words(long, short, text) }
}

/// All columns but that of the peer.
const COLUMNS: [Column; 11] = [
    words("PROTOCOL", "PROTO", protocol),
    words("OUT SPI", "OUT SPI", |out, row| spi(out, &row.link.out)),
    number("PACKETS", "PKTS", |out, row| packets(out, &row.link.out)),
    number("BYTES", "DATA", |out, row| bytes(out, &row.link.out)),
    words("IN SPI", "IN SPI", |out, row| spi(out, inbound(row.link))),
    number("PACKETS", "PKTS", |out, row| packets(out, &row.link.inbound)),
    number("BYTES", "DATA", |out, row| bytes(out, &row.link.inbound)),
    number("LAST USE", "LAST", |out, row| last_use(out, row.link, row.is_short)),
    number("KEY AGE", "AGE", |out, row| age(out, row.link)),
    number("EXPIRES", "EXP", |out, row| expires(out, row.link)),
    words("POLICY", "POLICY", policy),
];

const PACKETS: [usize; 2] = [2, 5];
const AGE: usize = 8;
const POLICY: usize = 10;

fn protocol(out: &mut String, row: &Row<'_>) -> fmt::Result {
    let Row { link, is_short, .. } = row;
    out.push_str(&type_word(link.sa_type));
    match link.mode {
        XfrmMode::TRANSPORT if *is_short => Ok(()),
        _ => write!(out, " {:.*}", if *is_short { 3 } else { 16 }, link.mode_word()),
    }
}

/// The flow of the IN columns: the SAs of a group are for both directions.
fn inbound(link: &Link) -> &Flow {
    if link.is_group && link.inbound.sas == 0 { &link.out } else { &link.inbound }
}

fn spi(out: &mut String, flow: &Flow) -> fmt::Result {
    match flow.sas {
        0 => out.write_str("none"),
        1 => write!(out, "{}", flow.spi),
        sas => write!(out, "{}+{}", flow.spi, sas - 1),
    }
}

fn packets(out: &mut String, flow: &Flow) -> fmt::Result {
    match flow.packets.map(|packets| flow.rate.map_or(packets, |rate| rate.0)) {
        None => out.write_str("-"),
        Some(packets) => write!(out, "{}", Count(packets)),
    }
}

fn bytes(out: &mut String, flow: &Flow) -> fmt::Result {
    let bytes = flow.rate.map_or(flow.bytes, |rate| rate.1);
    if flow.sas == 0 { out.write_str("-") } else { write!(out, "{}", Count(bytes)) }
}

fn last_use(out: &mut String, link: &Link, is_short: bool) -> fmt::Result {
    match link.flows().map(|flow| flow.last_used).max().unwrap_or(0) {
        0 if !is_short && !link.flows().any(Flow::is_used) => out.write_str("never"),
        at => since(out, at, link),
    }
}

fn age(out: &mut String, link: &Link) -> fmt::Result {
    since(out, link.flows().map(|flow| flow.added).filter(|added| *added != 0).min().unwrap_or(0), link)
}

/// The time since `at`, which may be unknown.
fn since(out: &mut String, at: Moment, link: &Link) -> fmt::Result {
    if at == 0 { out.write_str("-") } else { write!(out, "{}", Duration(link.now.saturating_sub(u64::from(at)))) }
}

fn expires(out: &mut String, link: &Link) -> fmt::Result {
    match link.expires() {
        None => out.write_str("-"),
        Some(at) => write!(out, "{}", Duration(u64::from(at).saturating_sub(link.now))),
    }
}

fn policy(out: &mut String, row: &Row<'_>) -> fmt::Result {
    out.write_str(match (row.has_policies, row.link.is_covered()) {
        (false, _) => "-",
        (true, true) => "yes",
        (true, false) => "NO",
    })
}

/// Which columns there are, and how wide they are.
struct Layout {
    is_short: bool,
    /// Of the column of the peer. A longer peer gets a line of its own.
    peer: usize,
    /// Column and width.
    columns: Vec<(usize, usize)>,
    has_rates: bool,
}

/// The longest IPv4 address: the least width of a peer's column.
const SHORT_PEER: usize = 15;

impl Layout {
    /// The first layout that fits; `None` if none does.
    fn choose(links: &Links, width: usize) -> Option<Self> {
        // Whether titles and words are short, the columns that are omitted, and whether a long peer may get its own line.
        let stages: [(bool, &[usize], bool); 4] =
            [(false, &[], false), (true, &[], false), (true, &[POLICY], true), (true, &[POLICY, AGE], true)];
        let measured = Widths::measure(links);
        stages.into_iter().find_map(|(is_short, omitted, may_wrap)| {
            let Widths { peer, columns } = &measured[usize::from(is_short)];
            let is_shown = |at: usize| !omitted.contains(&at) && links.can_fill(at);
            let columns: Vec<(usize, usize)> = columns.iter().copied().enumerate().filter(|(at, _)| is_shown(*at)).collect();
            let rest: usize = columns.iter().map(|(_, width)| width + gap(is_short)).sum();
            let least = if may_wrap { SHORT_PEER.min(*peer) } else { *peer };
            let peer = (*peer).min(width.saturating_sub(rest));
            (rest + least <= width).then_some(Self { is_short, peer, columns, has_rates: links.rates.is_some() })
        })
    }
}

impl Layout {
    fn title(&self, column: usize) -> &'static str {
        match (title(&COLUMNS[column], self.is_short), self.has_rates) {
            ("PACKETS", true) => "PKT/S",
            ("BYTES", true) => "B/S",
            // No wider than the titles that were measured.
            ("PKTS", true) => "P/S",
            ("DATA", true) => "B/S",
            (title, _) => title,
        }
    }
}

impl Links {
    /// Whether the SADB has what the column shows.
    fn can_fill(&self, column: usize) -> bool {
        match column {
            POLICY => self.has_policies,
            column if PACKETS.contains(&column) => self.iter().any(|link| link.flows().any(|flow| flow.packets.is_some())),
            _ => true,
        }
    }
}

fn gap(is_short: bool) -> usize {
    if is_short { 1 } else { 2 }
}

/// The widths of the texts.
#[derive(Clone, Copy)]
struct Widths {
    peer: usize,
    columns: [usize; COLUMNS.len()],
}

impl Widths {
    /// Those of long and of short texts.
    fn measure(links: &Links) -> [Self; 2] {
        let of_titles =
            |is_short| Self { peer: "PEER".len(), columns: COLUMNS.each_ref().map(|column| title(column, is_short).len()) };
        let mut both = [of_titles(false), of_titles(true)];
        let mut text = String::new();
        for link in links.iter() {
            for (widths, is_short) in both.iter_mut().zip([false, true]) {
                widths.widen(&Row { link: &link, has_policies: links.has_policies, is_short }, &mut text);
            }
        }
        both
    }

    /// `text` is a buffer: a host may have 50,000 links.
    fn widen(&mut self, row: &Row<'_>, text: &mut String) {
        let mut len = |write: &dyn Fn(&mut String) -> fmt::Result| {
            text.clear();
            // Writing to a string does not fail.
            let _ = write(text);
            text.len()
        };
        self.peer = self.peer.max(len(&|text| write!(text, "{}", row.link.peer)));
        for (column, width) in COLUMNS.iter().zip(&mut self.columns) {
            *width = (*width).max(len(&|text| (column.text)(text, row)));
        }
    }
}

fn title(column: &Column, is_short: bool) -> &'static str {
    if is_short { column.short } else { column.long }
}

/// Writes the table, and a line with counts below it.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(out: &mut dyn Write, links: &Links, style: Style) -> io::Result<()> {
    let layout = Layout::choose(links, style.width);
    if let Some(layout) = layout.as_ref().filter(|_| !links.is_empty()) {
        write_titles(out, layout, style)?;
    }
    let mut totals = Totals::default();
    for link in links.iter() {
        match &layout {
            Some(layout) => {
                let row = Row { link: &link, has_policies: links.has_policies, is_short: layout.is_short };
                write_row(out, &row, layout)?;
            }
            None => write_block(out, &link, style.width)?,
        }
        let problems = write_notes(out, &link, links.has_policies, style)?;
        totals.add(&link, problems);
    }
    totals.write(out, links.has_policies, style)
}

fn write_titles(out: &mut dyn Write, layout: &Layout, style: Style) -> io::Result<()> {
    let mut line = format!("{:<width$}", "PEER", width = layout.peer);
    for (at, width) in &layout.columns {
        push_cell(&mut line, layout.title(*at), *at, *width, layout.is_short);
    }
    write_line(out, line.trim_end(), BOLD, style)
}

fn push_cell(line: &mut String, text: &str, column: usize, width: usize, is_short: bool) {
    let blanks = width.saturating_sub(text.len());
    let is_number = COLUMNS[column].is_number;
    let (before, after) = if is_number { (blanks, 0) } else { (0, blanks) };
    line.extend(std::iter::repeat_n(' ', gap(is_short) + before));
    line.push_str(text);
    line.extend(std::iter::repeat_n(' ', after));
}

fn write_row(out: &mut dyn Write, row: &Row<'_>, layout: &Layout) -> io::Result<()> {
    let peer = row.link.peer.to_string();
    let (mut line, mut text) = (String::new(), String::new());
    if peer.len() > layout.peer {
        writeln!(out, "{peer}")?;
    } else {
        line.push_str(&peer);
    }
    line.extend(std::iter::repeat_n(' ', layout.peer - line.len()));
    for (at, width) in &layout.columns {
        text.clear();
        let _ = (COLUMNS[*at].text)(&mut text, row);
        push_cell(&mut line, &text, *at, *width, row.is_short);
    }
    writeln!(out, "{}", line.trim_end())
}

/// The link in lines of at most 40 characters, if its addresses are IPv4 ones.
fn write_block(out: &mut dyn Write, link: &Link, width: usize) -> io::Result<()> {
    let (peer, protocol) = (link.peer.to_string(), link.protocol());
    let is_long = peer.len() + 2 + protocol.len() > width;
    writeln!(out, "{peer}{}{protocol}", if is_long { "\n  " } else { "  " })?;
    for (word, flow) in [("out", &link.out), ("in ", inbound(link))] {
        let spi = text(|text| spi(text, flow));
        let packets = flow.packets.map(|packets| format!(" {:>4} pkts", Count(packets).to_string())).unwrap_or_default();
        writeln!(out, "  {word} {spi:<10}{packets} {:>4} B", text(|text| bytes(text, flow)))?;
    }
    let (last, age) = (text(|text| last_use(text, link, false)), text(|text| age(text, link)));
    writeln!(out, "  last {last}, age {age}, expires {}", text(|text| expires(text, link)))
}

fn text(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut text);
    text
}

/// Writes the lines below a link; returns the number of its problems.
fn write_notes(out: &mut dyn Write, link: &Link, has_policies: bool, style: Style) -> io::Result<usize> {
    if let Some((local, remote)) = link.nets {
        let (local, remote) = (local.to_string(), remote.to_string());
        let is_long = local.len() + remote.len() + 7 > style.width;
        writeln!(out, "  {local} <->{}{remote}", if is_long { "\n    " } else { " " })?;
    }
    let problems = problem::find(link, has_policies);
    for problem in &problems {
        let color = if problem.is_critical() { RED } else { YELLOW };
        let text = problem.to_string();
        for (at, line) in wrap(&text, style.width.saturating_sub(4)).into_iter().enumerate() {
            write_line(out, &format!("  {} {line}", if at == 0 { '!' } else { ' ' }), color, style)?;
        }
    }
    if !link.is_here {
        writeln!(out, "    as seen from {}", link.local)?;
    }
    Ok(problems.len())
}

/// Breaks `text` at blanks into lines of at most `width` characters, unless a word is longer.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut().filter(|line| line.len() + 1 + word.len() <= width) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn write_line(out: &mut dyn Write, line: &str, color: &str, style: Style) -> io::Result<()> {
    if style.has_color { writeln!(out, "{color}{line}{RESET}") } else { writeln!(out, "{line}") }
}

/// The counts in the last line.
#[derive(Default)]
struct Totals {
    links: usize,
    sas: usize,
    uncovered: usize,
    wrong: usize,
}

impl Totals {
    fn add(&mut self, link: &Link, problems: usize) {
        self.links += 1;
        self.sas += link.sas();
        self.uncovered += usize::from(!link.is_covered());
        self.wrong += usize::from(problems > 0);
    }

    fn write(&self, out: &mut dyn Write, has_policies: bool, style: Style) -> io::Result<()> {
        let Self { links, sas, uncovered, wrong } = *self;
        let mut text = format!("{}, {}", counted(links, "link"), counted(sas, "SA"));
        if links > 0 {
            text.push_str(&match (has_policies, uncovered) {
                (false, _) => ", policies unknown".to_owned(),
                (true, 0) => ", all with policies".to_owned(),
                (true, uncovered) => format!(", {uncovered} without a policy"),
            });
        }
        if wrong > 0 {
            text.push_str(&format!("; {wrong} with a problem: ipseckey doctor"));
        }
        wrap(&text, style.width).iter().try_for_each(|line| writeln!(out, "{line}"))
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
