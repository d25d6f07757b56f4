//! `generate --extend FILE` and `generate --prune FILE`: keys are appended to the chains of a keys file, and keys that are over are
//! removed. The text is edited, so that comments and all other commands stay as they are.

use std::collections::HashSet;
use std::path::Path;

use super::random_spi;
use super::schedule::{self, Schedule};
use crate::chain::Chains;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::cli::tools::failure::Failure;
use crate::cli::tools::genkey::Recipe;
use crate::cli::tools::parse_file::{parse_text, read_whole};
use crate::keyfile::{self, Command, Location, Setting, Verb, keyword_values};
use crate::names::algorithms::{auth_by_number, encr_by_number};
use crate::names::keywords::Field;
use crate::names::times;
use crate::redact::shown;
use crate::sa::direction::Directions;
use crate::sa::{Request, Spi, Windows};
use crate::secret::{Buffer, Key};
use crate::show;
use crate::sys::fs::atomic_write;
use crate::sys::time::unix_now;

/// More bytes than the windows of one `add`, with their keywords.
const WINDOWS_LEN: usize = 160;

/// An `add` of the file.
struct Addition {
    location: Location,
    request: Box<Request>,
}

/// A keys file without errors.
struct KeysFile<'p> {
    path: &'p Path,
    text: Buffer,
    additions: Vec<Addition>,
}

impl<'p> KeysFile<'p> {
    /// `None` if the file has errors, which are printed.
    fn read(path: &'p Path, session: &Session<'_>) -> Result<Option<Self>, Failure> {
        let text = read_whole(path, session).map_err(|error| Failure::new(error.to_string()))?;
        if parse_text(&shown(path), &text, session).is_none() {
            return Ok(None);
        }
        let resolver = session.resolver();
        let options = session.options(Setting::File, &*resolver);
        let mut additions = Vec::new();
        for item in keyfile::commands(&text, &options) {
            match item.outcome {
                Ok(Command::Sa(command)) if command.verb == Verb::Add => {
                    additions.push(Addition { location: item.location, request: command.request });
                }
                // What is appended behind it would have no effect.
                Ok(Command::Quit) => {
                    let line = item.location.line;
                    return Err(Failure::new(format!("{}: line {line}: remove quit, and what is behind it", shown(path))));
                }
                _ => {}
            }
        }
        Ok(Some(Self { path, text, additions }))
    }

    /// Replaces the file by one with `text` and mode 0600: the old text or the new one is in it at any time.
    fn replace(&self, text: &[u8]) -> Result<(), Failure> {
        let written = atomic_write::replace_with_mode(self.path, 0o600, |out| out.write_all(text));
        written.map_err(|error| Failure::new(format!("{}: {error}", shown(self.path))))
    }

    fn fail(&self, line: u32, text: &str) -> Failure {
        Failure::new(format!("{}: line {line}: {text}", shown(self.path)))
    }
}

/// Appends as many keys as `schedule` says to each chain of the file.
pub(super) fn extend(path: &Path, schedule: Schedule, session: &Session<'_>) -> Result<Exit, Failure> {
    let Some(file) = KeysFile::read(path, session)? else { return Ok(Exit::Failed) };
    let mut chains = Chains::default();
    file.additions.iter().for_each(|addition| chains.push_for_any_host(&addition.request));
    let last: Vec<&Addition> = chains.last_of_each().into_iter().filter_map(|at| file.additions.get(at)).collect();
    if last.is_empty() {
        return Err(Failure::new(format!("{} has no key chain: generate one with --every", shown(path))));
    }
    let mut spis: HashSet<Spi> = file.additions.iter().map(|addition| addition.request.spi).collect();
    let per_key: usize = last.iter().map(|last| last.location.end - last.location.start + 2 + WINDOWS_LEN).sum();
    let count = usize::try_from(schedule.count).unwrap_or(usize::MAX);
    // Keys may become longer by their `0x` and quotes, but never longer than twice their text.
    let mut text = Buffer::with_capacity(file.text.len() + 1 + count.saturating_mul(2 * per_key));
    let mut append = |part: &[u8]| text.append(part).map_err(Failure::of);
    append(&file.text)?;
    if !file.text.ends_with(b"\n") {
        append(b"\n")?;
    }
    let chains: Vec<(&Addition, Vec<Windows>)> = last
        .iter()
        .map(|last| {
            let end = last.request.windows.send.until;
            let why = "the last key of this chain has no send_until: give it one, and an accept_until";
            let end = end.ok_or_else(|| file.fail(last.location.line, why))?;
            Ok((*last, schedule.windows_from(end)?))
        })
        .collect::<Result<_, Failure>>()?;
    for key in 0..count {
        for (last, windows) in &chains {
            let Some(windows) = windows.get(key) else { continue };
            let spi = new_spi(&mut spis)?;
            append_key(&file, last, spi, windows, &mut text)?;
        }
    }
    // The check of any new file, before it replaces the old one.
    if parse_text("the extended file", &text, session).is_none() {
        return Ok(Exit::Failed);
    }
    file.replace(&text)?;
    let end = chains.iter().filter_map(|(_, windows)| windows.last()?.send.until).min();
    let end = end.map(times::text).unwrap_or_default();
    session.output.print_message(&format!("{}: {} keys appended, until {end}", shown(path), count * chains.len()));
    Ok(Exit::Done)
}

fn new_spi(spis: &mut HashSet<Spi>) -> Result<Spi, Failure> {
    loop {
        let spi = Spi(random_spi()?);
        if spis.insert(spi) {
            return Ok(spi);
        }
    }
}

/// Appends the text of `last` with other windows, another SPI and new keys of the same lengths.
fn append_key(file: &KeysFile<'_>, last: &Addition, spi: Spi, windows: &Windows, out: &mut Buffer) -> Result<(), Failure> {
    let [auth_key, encr_key] = new_keys(&last.request)?;
    let mut at = last.location.start;
    let mut left = *windows;
    let mut append = |part: &[u8]| out.append(part).map_err(Failure::of);
    append(b"\n")?;
    for (row, value) in keyword_values(&file.text, last.location) {
        let time = match row.field {
            Field::AcceptFrom => left.accept.from.take(),
            Field::AcceptUntil => left.accept.until.take(),
            Field::SendFrom => left.send.from.take(),
            Field::SendUntil => left.send.until.take(),
            _ => None,
        };
        let replacement = match (row.field, time, &auth_key, &encr_key) {
            (_, Some(time), ..) => Buffer::from_slice(times::text(time).as_bytes()),
            (Field::Spi, ..) => Buffer::from_slice(format!("{:#x}", spi.0).as_bytes()),
            (Field::AuthKey, _, Some(key), _) | (Field::EncrKey, _, _, Some(key)) => digits(key)?,
            _ => continue,
        };
        let range = value.start..value.end;
        if file.text.get(range.clone()).is_some_and(|word| word.contains(&b'"') || word.contains(&b'\'')) {
            return Err(file.fail(last.location.line, "remove the quotes around its numbers and keys"));
        }
        append(file.text.get(at..range.start).unwrap_or_default())?;
        append(&replacement)?;
        at = range.end;
    }
    append(file.text.get(at..last.location.end).unwrap_or_default())?;
    append(schedule::words(&left).as_bytes())?;
    append(b"\n")
}

/// New keys of the lengths that those of `request` have: authentication, encryption.
fn new_keys(request: &Request) -> Result<[Option<Key>; 2], Failure> {
    let auth = request.auth_key.as_ref().zip(auth_by_number(request.auth_alg));
    let auth = auth.map(|(key, row)| Recipe::of_auth(row).random_key(Some(key.bits())));
    let encr = request.encr_key.as_ref().zip(encr_by_number(request.encr_alg));
    let encr = encr.map(|(key, row)| {
        let bits = key.bits().saturating_add(key.reserved()).saturating_sub(row.salt_bits);
        Recipe::of_encr(row).random_key(Some(bits))
    });
    Ok([auth.transpose()?, encr.transpose()?])
}

fn digits(key: &Key) -> Result<Buffer, Failure> {
    let mut text = Buffer::with_capacity(key.byte_len() * 2);
    show::write_key(&mut text, key)?;
    Ok(text)
}

/// Removes the keys whose windows are over.
pub(super) fn prune(path: &Path, session: &Session<'_>) -> Result<Exit, Failure> {
    let Some(file) = KeysFile::read(path, session)? else { return Ok(Exit::Failed) };
    let now = unix_now();
    let (over, left): (Vec<&Addition>, Vec<&Addition>) =
        file.additions.iter().partition(|addition| is_over(&addition.request, now));
    if left.is_empty() {
        return Err(Failure::new(format!("{}: every key is over, and a file without an add is refused", shown(path))));
    }
    if over.is_empty() {
        session.output.print_message(&format!("{}: no key is over", shown(path)));
        return Ok(Exit::Done);
    }
    let mut text = Buffer::with_capacity(file.text.len());
    let mut at = 0;
    for Addition { location, .. } in &over {
        text.append(file.text.get(at..location.start).unwrap_or_default()).map_err(Failure::of)?;
        // With its newline, and an empty line behind it.
        let rest = file.text.get(location.end..).unwrap_or_default();
        at = location.end + rest.iter().take(2).take_while(|byte| **byte == b'\n').count();
    }
    text.append(file.text.get(at..).unwrap_or_default()).map_err(Failure::of)?;
    file.replace(&text)?;
    session.output.print_message(&format!("{}: {} keys removed, {} left", shown(path), over.len(), left.len()));
    Ok(Exit::Done)
}

/// Whether no host accepts or sends with the SA any more.
fn is_over(request: &Request, now: u64) -> bool {
    let Directions { inbound, outbound } = match Directions::declared(request.flags) {
        declared if declared == Directions::default() => Directions::BOTH,
        declared => declared,
    };
    let has_ended = |until: Option<u64>| until.is_some_and(|until| until <= now);
    let Windows { accept, send } = *request.windows;
    (!inbound || has_ended(accept.until)) && (!outbound || has_ended(send.until))
}
