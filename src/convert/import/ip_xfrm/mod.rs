//! ip-xfrm(8): commands in a script or for `ip -batch`, and the output of `ip xfrm state` and `ip xfrm policy`.

mod algorithm;
mod command;
mod find;
mod lines;
mod policy;
mod printed;
mod sa;
mod sections;
mod selector;
#[cfg(test)]
mod tests;
mod values;
#[cfg(test)]
mod words_tests;

use find::{Object, Xfrm, find};
use printed::{Printed, continues_state, starts_state};
use sa::{XfrmSa, identity, label};

use super::output::{Output, SaStep};
use super::shell::{Shell, is_citable_name};
use super::statements::Token;
use super::writer::{CommandWriter, Cursor, Untranslatable};
use crate::secret::Full;

/// Translates a text, part by part: a printed state or policy, or the lines between two of them, which are a script.
pub(super) fn import(text: &str, output: &mut Output<'_>) -> Result<(), Full> {
    let mut shell = Shell::new(text, "xfrm", false);
    let mut parts = Vec::new();
    let mut lines = (1..).zip(text.split_inclusive('\n')).peekable();
    let (mut at, mut script, mut is_continued) = (0, None::<(usize, u32)>, false);
    while let Some((number, line)) = lines.next() {
        let start = at;
        at += line.len();
        if is_continued || !starts_state(line) {
            is_continued = line.trim_end().ends_with('\\');
            script.get_or_insert((start, number));
            continue;
        }
        if let Some((from, first)) = script.take() {
            parts.push(read_script(&mut shell, &text[from..start], first)?);
        }
        let mut printed = Printed { lines: split_lines(number, line) };
        while let Some((number, line)) = lines.next_if(|(_, line)| continues_state(line)) {
            at += line.len();
            printed.lines.extend(split_lines(number, line));
        }
        parts.push(Part::Printed(printed));
    }
    if let Some((from, first)) = script {
        parts.push(read_script(&mut shell, &text[from..], first)?);
    }
    if let Some((line, count)) = shell.commented() {
        output.note(line, format!("{count} commands in comments are not imported: remove the # of a command that is meant"));
    }
    let commands: Vec<_> = shell.commands().collect();
    for part in &parts {
        match part {
            Part::Script { from, to } => {
                for command in commands.get(*from..*to).unwrap_or_default() {
                    import_command(command.line, &command.words, output)?;
                }
            }
            Part::Printed(printed) => import_printed(printed, output)?,
        }
    }
    note_missing_limits(&parts, output);
    Ok(())
}

/// A part of the input.
enum Part<'t> {
    /// The numbers of its first command and of the one behind the last.
    Script {
        from: usize,
        to: usize,
    },
    Printed(Printed<'t>),
}

fn read_script<'t>(shell: &mut Shell<'_>, script: &str, line: u32) -> Result<Part<'t>, Full> {
    let from = shell.len();
    shell.read(script, line)?;
    Ok(Part::Script { from, to: shell.len() })
}

/// The lines that `ip -o` joins with backslashes.
fn split_lines(number: u32, line: &str) -> Vec<(u32, &str)> {
    line.split('\\').map(|part| (number, part.trim_end())).filter(|part| !part.1.is_empty()).collect()
}

/// Output without `-s` has no lifetimes, and none of the two flags that `extra_flag` prints.
fn note_missing_limits(parts: &[Part<'_>], output: &mut Output<'_>) {
    let states = parts.iter().filter_map(|part| match part {
        Part::Printed(printed) if !printed.is_policy() => Some(printed),
        _ => None,
    });
    if let Some(printed) = states.into_iter().find(|printed| !printed.has_limits()) {
        let line = printed.lines.first().map_or(1, |line| line.0);
        output.note(
            line,
            "printed without -s: lifetimes and extra flags are not in this output; `ip -s xfrm state` prints them",
        );
    }
}

fn import_printed(printed: &Printed<'_>, output: &mut Output<'_>) -> Result<(), Full> {
    let line = printed.lines.first().map_or(1, |line| line.0);
    if printed.is_policy() {
        match policy::of_output(printed) {
            Ok(policy) => output.policy(policy),
            Err(reason) => output.policy_without_id(line, reason),
        }
        return Ok(());
    }
    let len = printed.lines.iter().map(|line| line.1.len()).sum();
    output.sa(line, len, |writer, is_local| {
        let mut sa = XfrmSa::default();
        let read = printed.read(&mut sa);
        // The kernel waits for a key daemon, and drops the state when none answers.
        let is_ipsec = matches!(sa.proto, Some("esp" | "ah"));
        if sa.algorithms.is_empty() && read.is_ok() && (is_ipsec || sa.spi.unwrap_or(0) == 0) {
            writer.note("a larval state without keys, which is no SA yet, is skipped");
            return Ok(SaStep::Nothing);
        }
        add(&sa, read, writer, is_local)
    })
}

/// Writes an SA; `read` is the outcome of reading it.
fn add(
    sa: &XfrmSa<'_>,
    read: Result<(), Untranslatable>,
    writer: &mut CommandWriter,
    is_local: &dyn Fn(std::net::IpAddr) -> bool,
) -> Result<SaStep, Untranslatable> {
    if let Ok(label) = label(sa) {
        writer.set_label(label);
    }
    read?;
    let name = identity(sa)?;
    for dropped in &sa.dropped {
        writer.lose(dropped.clone());
    }
    let written = sa.write(writer, is_local);
    // All reasons, in one message.
    let reasons: Vec<String> = sa.refused.iter().cloned().chain(written.err()).collect();
    if reasons.is_empty() { Ok(SaStep::Add(name)) } else { Err(reasons.join("; ")) }
}

fn import_command(line: u32, words: &[Token<'_>], output: &mut Output<'_>) -> Result<(), Full> {
    let Some(Xfrm { object, verb, rest }) = find(words) else {
        output.unrelated(line, find::names_xfrm(words));
        return Ok(());
    };
    if object == Object::Policy {
        import_policy(line, verb, rest, output);
        return Ok(());
    }
    let len = words.iter().map(|word| word.text.len()).sum();
    output.sa(line, len, |writer, is_local| {
        let unset = words.iter().find(|word| word.unset);
        let result = match verb {
            "add" | "update" => {
                let mut sa = XfrmSa::default();
                let read = command::read(&mut Cursor::new(rest), &mut sa);
                add(&sa, unset.map_or(read, |word| Err(unset_variable(word.text))), writer, is_local)
            }
            "delete" => delete(rest, writer),
            "flush" => flush(rest, writer),
            "deleteall" | "delall" if rest.is_empty() => flush(rest, writer),
            "deleteall" | "delall" => Err("deleteall of some SAs has no equivalent in a keys file".to_owned()),
            "allocspi" => Err("allocspi makes a state without keys, which has no equivalent in a keys file".to_owned()),
            // The others change nothing.
            _ => Ok(SaStep::Nothing),
        };
        match result {
            Ok(SaStep::Add(name)) if verb == "update" => Ok(SaStep::Update(name)),
            other => other,
        }
    })
}

/// The message about an expansion that cannot be known without running the script.
pub(super) fn unset_variable(word: &str) -> String {
    // A dollar sign may be a character of a key: a name is shown only if it is the whole word.
    let word = word.strip_prefix("0x").unwrap_or(word);
    let name = word.strip_prefix("${").and_then(|name| name.strip_suffix('}')).or_else(|| word.strip_prefix('$'));
    let shown = match name.filter(|name| is_citable_name(name)) {
        Some(name) => format!("the shell variable ${name}"),
        None if word.starts_with("$(") || word.starts_with('`') => "the output of a command".to_owned(),
        None => "a variable of the shell".to_owned(),
    };
    format!("{shown} is used, whose value this file does not set: replace it by the value")
}

fn import_policy(line: u32, verb: &str, rest: &[Token<'_>], output: &mut Output<'_>) {
    match verb {
        "add" | "update" => match policy::of_command(line, rest) {
            Ok(policy) => output.policy(policy),
            Err(reason) => output.policy_without_id(line, reason),
        },
        "delete" | "deleteall" | "delall" | "flush" | "set" | "setdefault" => {
            output.note(line, "changes policies, not SAs, and is not imported: use `ip xfrm policy`");
        }
        _ => {}
    }
}

fn delete(rest: &[Token<'_>], writer: &mut CommandWriter) -> Result<SaStep, Untranslatable> {
    if let Some(word) = rest.iter().find(|word| word.unset) {
        return Err(unset_variable(word.text));
    }
    let mut sa = XfrmSa::default();
    command::read(&mut Cursor::new(rest), &mut sa)?;
    let name = identity(&sa)?;
    writer.begin(&format!("delete {name}"))?;
    writer.end()?;
    Ok(SaStep::Delete(name))
}

fn flush(rest: &[Token<'_>], writer: &mut CommandWriter) -> Result<SaStep, Untranslatable> {
    let mut words = Cursor::new(rest);
    let proto = if words.next().is_some() { words.value("proto")?.text } else { "" };
    match proto {
        "" | "ipsec-any" => writer.begin("flush")?,
        "esp" | "ah" => writer.begin(&format!("flush {proto}"))?,
        _ => return Err("flush of a protocol other than esp and ah has no equivalent in a keys file".to_owned()),
    }
    writer.end()?;
    Ok(SaStep::Flush(proto.to_owned()))
}
