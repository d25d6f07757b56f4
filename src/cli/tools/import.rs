//! `import`: converts the configuration of another program to a keys file.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};

use super::failure::Failure;
use super::genkey::output_option;
use super::parse_file::{parse_text, read_whole};
use super::private_file;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::convert::{self, ImportFormat};
use crate::redact::shown;

#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Import {
    source: ImportFormat,
    file: PathBuf,
    output: Option<PathBuf>,
}

const SOURCES: &[(&str, ImportFormat)] =
    &[("setkey", ImportFormat::Setkey), ("ip-xfrm", ImportFormat::IpXfrm), ("ipsec.conf", ImportFormat::IpsecConf)];

pub(super) fn command() -> Command {
    Command::new("import")
        .about("Convert a configuration of setkey, `ip xfrm` or OpenBSD's ipsec.conf to a keys file")
        .after_help(
            "Example: ipseckey import setkey /etc/ipsec-tools.conf -o ipseckeys\n\n\
             ip-xfrm is a script or batch of `ip xfrm state add`, or the output of `ip xfrm state`. ipsec.conf is OpenBSD's; that of \
             FreeBSD and NetBSD is a file for setkey. Lines that cannot be converted are reported, and the exit status is 1.",
        )
        .arg(
            Arg::new("format")
                .value_name("FORMAT")
                .required(true)
                .value_parser(PossibleValuesParser::new(SOURCES.iter().map(|row| row.0)))
                .help("The program that FILE is for"),
        )
        .arg(Arg::new("file").value_name("FILE").required(true).value_parser(value_parser!(PathBuf)))
        .arg(output_option())
}

impl From<&mut ArgMatches> for Import {
    fn from(matches: &mut ArgMatches) -> Self {
        let word: String = matches.remove_one("format").unwrap_or_default();
        Self {
            source: SOURCES.iter().find(|row| row.0 == word).map_or(ImportFormat::Setkey, |row| row.1),
            file: matches.remove_one("file").unwrap_or_default(),
            output: matches.remove_one("output"),
        }
    }
}

impl Import {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<Exit, Failure> {
        let text = read_whole(&self.file, session).map_err(|error| Failure::new(error.to_string()))?;
        let imported = convert::import(self.source, &text)?;
        for note in &imported.notes {
            let severity = if note.is_lost { "not converted" } else { "note" };
            session.output.print_message(&format!("{}:{}: {severity}: {}", shown(&self.file), note.line, note.text));
        }
        // What another program accepts may still be wrong here, such as a key of another length.
        if parse_text("the new file", &imported.text, session).is_none() {
            return Err(Failure::new("nothing was written: the commands above are not valid"));
        }
        private_file::write(self.output.as_deref(), &imported.text)?;
        // The other lines have been written. The exit status keeps a script from using an incomplete file.
        let lost = imported.notes.iter().any(|note| note.is_lost);
        Ok(if lost { Exit::Failed } else { Exit::Done })
    }
}
