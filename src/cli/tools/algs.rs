//! `algs`: the algorithms that the SADB supports, with their key lengths.

use std::io::{self, Write};

use clap::Command;
use serde::Serialize;

use super::failure::Failure;
use crate::cli::exit::Exit;
use crate::cli::report::json;
use crate::cli::session::Session;
use crate::names::algorithms::KeyBits;
use crate::sadb::Supported;

pub(super) fn command() -> Command {
    Command::new("algs")
        .about("List the algorithms that the SADB supports, with their key lengths")
        .after_help("Example: ipseckey --sadb model algs")
}

/// An algorithm. The field names are those of `--json`.
#[derive(Serialize)]
struct Row {
    role: &'static str,
    name: &'static str,
    other_names: &'static [&'static str],
    key_bits: Vec<u16>,
    salt_bits: u16,
    icv_bits: u16,
    counter_mode: bool,
    supported: bool,
}

pub(super) fn run(session: &mut Session<'_>) -> Result<Exit, Failure> {
    let supported = session.open().and_then(|mut sadb| sadb.supported()).map_err(Failure::of)?;
    let rows = rows(session, &supported);
    let mut out = io::stdout().lock();
    let written = match session.json() {
        true => rows.iter().try_for_each(|row| json::write_object(&mut out, row)),
        false => print(&mut out, &rows),
    };
    let _ = session.output.note_write_error(written);
    Ok(Exit::Done)
}

fn rows(session: &Session<'_>, supported: &Supported) -> Vec<Row> {
    let vocabulary = session.vocabulary();
    let auth = vocabulary.auth_algs().map(|row| Row {
        supported: supported.auth.contains(&row.number),
        icv_bits: row.icv_bits,
        ..base("auth", row.names, row.key_bits)
    });
    let encr = vocabulary.encr_algs().map(|row| Row {
        supported: supported.encr.contains(&row.number),
        salt_bits: row.salt_bits,
        icv_bits: row.icv_bits,
        counter_mode: row.counter_mode,
        ..base("encr", row.names, row.key_bits)
    });
    auth.chain(encr).collect()
}

fn base(role: &'static str, names: &'static [&'static str], key_bits: KeyBits) -> Row {
    let (name, other_names) = names.split_first().map_or(("", &[][..]), |(first, rest)| (*first, rest));
    let key_bits = key_bits.lengths().collect();
    Row { role, name, other_names, key_bits, salt_bits: 0, icv_bits: 0, counter_mode: false, supported: false }
}

fn print(out: &mut dyn Write, rows: &[Row]) -> io::Result<()> {
    for (role, title) in [("auth", "auth_alg"), ("encr", "encr_alg")] {
        writeln!(out, "{title:<20}{:<26}other names", "key bits")?;
        for row in rows.iter().filter(|row| row.role == role && row.supported) {
            let bits: Vec<String> = row.key_bits.iter().map(ToString::to_string).collect();
            let salt = if row.salt_bits == 0 { String::new() } else { format!(" + {} salt", row.salt_bits) };
            let bits = if bits.is_empty() { "no key".to_owned() } else { format!("{}{salt}", bits.join(", ")) };
            let line = format!("{:<20}{bits:<26}{}", row.name, row.other_names.join(", "));
            writeln!(out, "{}", line.trim_end())?;
        }
        writeln!(out)?;
    }
    let missing: Vec<&str> = rows.iter().filter(|row| !row.supported).map(|row| row.name).collect();
    if missing.is_empty() { Ok(()) } else { writeln!(out, "Not in this SADB: {}.", missing.join(", ")) }
}
