//! What an import collects: commands, remarks, policies.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;

use super::writer::{CommandWriter, Untranslatable};
use super::{ImportNote, Imported, ImportedPolicy};
use crate::secret::{Buffer, Full};

/// What a statement does to the SADB. The text is the identity of an SA.
pub(super) enum SaStep {
    Add(String),
    /// Adds or replaces.
    Update(String),
    Delete(String),
    /// All SAs, or those of a protocol.
    Flush(String),
    Nothing,
    /// Commands whose SAs are not followed.
    Other,
}

pub(super) struct Output<'l> {
    text: Buffer,
    notes: Vec<ImportNote>,
    policies: Vec<ImportedPolicy>,
    /// The SAs that the commands so far add, and the line of each.
    known: HashMap<String, u32>,
    /// Lines that are not about SAs, and the first of them.
    unrelated: (u32, u32),
    is_local: &'l dyn Fn(IpAddr) -> bool,
}

impl<'l> Output<'l> {
    /// For a source of `len` bytes. `is_local`: whether an address belongs to this host.
    ///
    /// # Errors
    /// There is not enough memory.
    pub(super) fn new(len: usize, is_local: &'l dyn Fn(IpAddr) -> bool) -> io::Result<Self> {
        Ok(Self {
            // The buffer cannot grow, since a reallocation would leave keys behind. A key in characters takes twice its length in
            // digits, and some keywords are longer than those they replace.
            text: Buffer::try_with_capacity(16 * len + 4096)?,
            notes: Vec::new(),
            policies: Vec::new(),
            known: HashMap::new(),
            unrelated: (0, 0),
            is_local,
        })
    }

    pub(super) fn note(&mut self, line: u32, text: impl Into<String>) {
        self.notes.push(ImportNote { line, text: text.into(), is_lost: false });
    }

    fn lose(&mut self, line: u32, text: impl Into<String>) {
        self.notes.push(ImportNote { line, text: text.into(), is_lost: true });
    }

    /// Counts a line that is not about SAs. One that `seems` to be gets a message of its own.
    pub(super) fn unrelated(&mut self, line: u32, seems: bool) {
        if seems {
            self.lose(line, "names xfrm, but is not a command of ip-xfrm(8): write it as `ip xfrm state add ...`");
            return;
        }
        if self.unrelated.0 == 0 {
            self.unrelated.1 = line;
        }
        self.unrelated.0 += 1;
    }

    pub(super) fn policy(&mut self, policy: ImportedPolicy) {
        self.policies.push(policy);
    }

    /// Adds a policy that cannot be compared with others.
    pub(super) fn policy_without_id(&mut self, line: u32, reason: String) {
        self.policies.push(ImportedPolicy { line, id: None, ends: Vec::new(), other: Some(reason) });
    }

    /// Writes what `translate` makes of a statement of `len` bytes, if it is an SA that is not there yet.
    ///
    /// # Errors
    /// The commands are too long.
    pub(super) fn sa(
        &mut self,
        line: u32,
        len: usize,
        translate: impl FnOnce(&mut CommandWriter, &dyn Fn(IpAddr) -> bool) -> Result<SaStep, Untranslatable>,
    ) -> Result<(), Full> {
        // A statement that fails half-way must leave nothing in the keys file, so each has a buffer of its own.
        let mut writer = CommandWriter::new(8 * len + 2048);
        let result = translate(&mut writer, self.is_local).and_then(|step| self.follow(line, step));
        match result {
            Ok(true) => self.text.append(writer.text())?,
            Ok(false) => {}
            // The commands of other statements are still useful; the caller reports the loss.
            Err(text) => {
                let text = match writer.label() {
                    Some(label) => {
                        // In place of the SA that is missing.
                        let comment = format!("# line {line} of the source is not imported: {label}\n");
                        self.text.append(comment.as_bytes())?;
                        format!("{label}: {text}")
                    }
                    None => text,
                };
                self.lose(line, text);
            }
        }
        let remarks = writer.into_notes().into_iter();
        self.notes.extend(remarks.map(|remark| ImportNote { line, text: remark.text, is_lost: remark.is_lost }));
        Ok(())
    }

    /// Follows which SAs the commands leave. Returns whether the statement is written.
    fn follow(&mut self, line: u32, step: SaStep) -> Result<bool, Untranslatable> {
        match step {
            SaStep::Add(name) | SaStep::Update(name) if self.known.contains_key(&name) => {
                let first = self.known.get(&name).copied().unwrap_or_default();
                return Err(format!("line {first} adds an SA of this identity: delete one of the two"));
            }
            SaStep::Add(name) | SaStep::Update(name) => {
                self.known.insert(name, line);
            }
            SaStep::Delete(name) => {
                self.known.remove(&name);
            }
            SaStep::Flush(proto) => self.known.retain(|name, _| !name.starts_with(&proto)),
            SaStep::Nothing => return Ok(false),
            SaStep::Other => {}
        }
        Ok(true)
    }

    /// The result of the import.
    pub(super) fn finish(mut self) -> Imported {
        let (count, line) = self.unrelated;
        if count > 0 {
            let lines = if count == 1 { "command is" } else { "commands are" };
            self.note(line, format!("{count} {lines} not about SAs and not imported"));
        }
        self.notes.sort_by_key(|note| note.line);
        Imported { text: self.text, notes: self.notes, policies: self.policies }
    }

    /// Writes what `translate` makes of a statement of a format without identities to follow.
    ///
    /// # Errors
    /// The commands are too long.
    pub(super) fn statement(
        &mut self,
        line: u32,
        len: usize,
        translate: impl FnOnce(&mut CommandWriter) -> Result<(), Untranslatable>,
    ) -> Result<(), Full> {
        self.sa(line, len, |writer, _| translate(writer).map(|()| SaStep::Other))
    }
}
