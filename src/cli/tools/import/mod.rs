//! `import`: converts the configuration of another program to a keys file.

mod input;
mod policies;

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};

use super::failure::Failure;
use super::genkey::output_option;
use super::load_check::can_be_loaded;
use super::parse_file::parse_text;
use super::private_file;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::convert::{self, ImportFormat, Imported};
use crate::keyfile::SaCommand;
use crate::redact::shown;
use crate::sys::net::interfaces::is_local;

#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Import {
    /// `None` to detect it.
    source: Option<ImportFormat>,
    file: PathBuf,
    output: Option<PathBuf>,
}

const SOURCES: &[(&str, ImportFormat)] =
    &[("setkey", ImportFormat::Setkey), ("ip-xfrm", ImportFormat::IpXfrm), ("ipsec.conf", ImportFormat::IpsecConf)];

pub(super) fn command() -> Command {
    Command::new("import")
        .about("Convert a configuration of setkey, `ip xfrm` or OpenBSD's ipsec.conf to a keys file")
        .after_help(
            "Examples: ipseckey import /etc/ipsec-tools.conf -o ipseckeys\n          \
             ip -d -s xfrm state | ipseckey import ip-xfrm - -o ipseckeys\n\n\
             ip-xfrm is a script or batch of `ip xfrm state add`, or the output of `ip xfrm state`. setkey is a file or script for \
             setkey, or the output of `setkey -D`. ipsec.conf is OpenBSD's; that of FreeBSD and NetBSD is a file for setkey. What \
             cannot be converted, and what Linux would refuse, is reported, and the exit status is 1.",
        )
        // FORMAT may be missing in front of FILE.
        .allow_missing_positional(true)
        .arg(
            Arg::new("format")
                .value_name("FORMAT")
                .value_parser(PossibleValuesParser::new(SOURCES.iter().map(|row| row.0)))
                .help("The program that FILE is for; detected if missing"),
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("A file, a pipe, or - for standard input"),
        )
        .arg(output_option())
}

impl From<&mut ArgMatches> for Import {
    fn from(matches: &mut ArgMatches) -> Self {
        let word: Option<String> = matches.remove_one("format");
        Self {
            source: word.and_then(|word| SOURCES.iter().find(|row| row.0 == word).map(|row| row.1)),
            file: matches.remove_one("file").unwrap_or_default(),
            output: matches.remove_one("output"),
        }
    }
}

impl Import {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<Exit, Failure> {
        let contents = input::read(&self.file, session)?;
        let source = self.source.or_else(|| convert::detect(&contents)).ok_or_else(|| {
            let formats: Vec<&str> = SOURCES.iter().map(|row| row.0).collect();
            Failure::new(format!("{}: unknown format: name it, one of {}", shown(&self.file), formats.join(", ")))
        })?;
        let imported = convert::import(source, &contents, &is_local)?;
        self.print_notes(&imported, session);
        // What another program accepts may still be wrong here, such as a key of another length.
        let Some(mut commands) = parse_text("the new file", &imported.text, session) else {
            return Err(Failure::new("nothing was written: the commands above are not valid"));
        };
        self.print_policies(&imported, &commands, session);
        let can_be_loaded = can_be_loaded(&mut commands, session);
        // The other SAs are written. The exit status keeps a script from using an incomplete file.
        let lost = imported.notes.iter().any(|note| note.is_lost);
        if lost && !has_commands(&imported) {
            return Err(Failure::new("nothing was written: there is no SA to import"));
        }
        private_file::write(self.output.as_deref(), &imported.text)?;
        Ok(if lost || !can_be_loaded { Exit::Failed } else { Exit::Done })
    }

    fn print_notes(&self, imported: &Imported, session: &Session<'_>) {
        for note in &imported.notes {
            let severity = if note.is_lost { "not converted" } else { "note" };
            session.output.print_message(&format!("{}:{}: {severity}: {}", shown(&self.file), note.line, note.text));
        }
    }

    fn print_policies(&self, imported: &Imported, commands: &[SaCommand], session: &Session<'_>) {
        for (line, text) in policies::messages(&imported.policies, commands) {
            session.output.print_message(&format!("{}:{line}: note: {text}", shown(&self.file)));
        }
    }
}

/// Whether the new file has a command, not only comments.
fn has_commands(imported: &Imported) -> bool {
    imported.text.split(|byte| *byte == b'\n').any(|line| !line.is_empty() && !line.starts_with(b"#"))
}
