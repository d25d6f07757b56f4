//! `export`: converts the SAs of a keys file, or of the SADB, to the format of another program.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};

use super::failure::Failure;
use super::genkey::output_option;
use super::load_check::can_be_loaded;
use super::parse_file::{parse_text, read_whole};
use super::private_file;
use crate::apply::aim_at;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::convert::{self, ExportFormat};
use crate::keyfile::{SaCommand, Verb};
use crate::redact::shown;
use crate::sa::SaType;
use crate::secret::Buffer;
use crate::sys::net::interfaces::is_local;

#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Export {
    target: ExportFormat,
    file: Option<PathBuf>,
    output: Option<PathBuf>,
}

/// Bytes of an SA in any of these formats, without unusually long keys.
const SA_LEN: usize = 2048;

pub(super) fn command() -> Command {
    Command::new("export")
        .about("Write SAs for setkey, `ip -batch`, ipsec.conf, Wireshark or tcpdump")
        .after_help(
            "Example: ipseckey export wireshark ipseckeys -o ~/.config/wireshark/esp_sa\n\n\
             Without FILE the SAs of the SADB are exported. The output holds the keys. SAs that the format cannot express are not \
             written; those, what is lost of others, and what Linux would refuse is reported, and the exit status is 1.",
        )
        .arg(
            Arg::new("format")
                .value_name("FORMAT")
                .required(true)
                .value_parser(PossibleValuesParser::new(ExportFormat::ALL.iter().map(|row| row.0)))
                .help("The program to write for"),
        )
        .arg(Arg::new("file").value_name("FILE").value_parser(value_parser!(PathBuf)).help("A keys file"))
        .arg(output_option())
}

impl From<&mut ArgMatches> for Export {
    fn from(matches: &mut ArgMatches) -> Self {
        let word: String = matches.remove_one("format").unwrap_or_default();
        Self {
            target: ExportFormat::ALL.iter().find(|row| row.0 == word).map_or(ExportFormat::Setkey, |row| row.1),
            file: matches.remove_one("file"),
            output: matches.remove_one("output"),
        }
    }
}

impl Export {
    pub(super) fn run(&self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        if session.json() {
            return Err(Failure::new("export has formats of its own: omit --json"));
        }
        let (name, text, mut all) = self.text(session)?;
        let Some(mut commands) = parse_text(&name, &text, session) else { return Ok(Exit::Failed) };
        if self.file.is_some() && self.is_for_linux() {
            all &= can_be_loaded(&mut commands, session);
        }
        let capacity: usize = commands.iter().map(|command| command.targets.len() * SA_LEN).sum();
        // A buffer never grows, so its size is estimated generously from the text.
        let mut out = Buffer::try_with_capacity(capacity + 4 * text.len())?;
        for command in commands {
            all &= self.command(command, &mut out, session)?;
        }
        private_file::write(self.output.as_deref(), &out)?;
        Ok(if all { Exit::Done } else { Exit::Failed })
    }

    /// Whether the other program adds the SAs on this system: Wireshark and tcpdump only need keys, and ipsec.conf is for OpenBSD.
    fn is_for_linux(&self) -> bool {
        matches!(self.target, ExportFormat::Setkey | ExportFormat::IpXfrm)
    }

    /// The name and the text of the keys file, or of what `save` writes, and whether that is complete.
    fn text(&self, session: &mut Session<'_>) -> Result<(String, Buffer, bool), Failure> {
        let Some(path) = &self.file else {
            let mut text = Vec::new();
            let all = session.save_to(SaType::UNSPEC, &mut text)?;
            // The allocator wipes the memory of the vector when it is freed.
            return Ok(("the SADB".to_owned(), Buffer::from_slice(&text), all));
        };
        let text = read_whole(path, session).map_err(|error| Failure::new(error.to_string()))?;
        Ok((shown(path), text, true))
    }

    /// Writes the SAs that a command adds. Returns whether all could be converted, and nothing of them is lost.
    fn command(&self, mut command: SaCommand, out: &mut Buffer, session: &Session<'_>) -> Result<bool, Failure> {
        if command.verb != Verb::Add {
            session.output.print_message(&format!("not exported: {} is not an add command", command.verb.word()));
            return Ok(false);
        }
        let mut all = true;
        for target in std::mem::take(&mut command.targets) {
            aim_at(&mut command.request, target);
            let written = convert::export(self.target, &command.request, is_local, out)?;
            let (prefix, messages) = match written {
                Ok(lost) => ("lost", lost),
                Err(skipped) => ("not exported", vec![skipped.0]),
            };
            for message in &messages {
                session.output.print_message(&format!("{prefix}: the SA with spi {}: {message}", command.request.spi));
            }
            all &= messages.is_empty();
        }
        Ok(all)
    }
}
