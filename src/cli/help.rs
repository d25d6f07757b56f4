//! `help`: what the prompt and the shell say about the commands.

use std::io::{self, Write};

use crate::names::Vocabulary;
use crate::names::keywords;

/// What `help TOPIC` knows about one command.
struct Topic {
    words: &'static [&'static str],
    form: &'static str,
    about: &'static str,
    example: &'static str,
}

const TOPICS: &[Topic] = &[
    Topic {
        words: &["add"],
        form: "add SA_TYPE EXTENSION VALUE ...",
        about: "Add an SA. In a file or at the prompt only, so that no key shows up in ps(1).",
        example: "add esp spi 0x2112 src 192.0.2.1 dst 198.51.100.7 encr_alg aes encrkey KEY auth_alg sha256 authkey KEY",
    },
    Topic {
        words: &["update"],
        form: "update SA_TYPE spi SPI dst ADDRESS EXTENSION VALUE ...",
        about: "Change the lifetimes or the pair of an SA. In a file or at the prompt only.",
        example: "update esp spi 0x2112 dst 198.51.100.7 hard_bytes 16000000",
    },
    Topic {
        words: &["update-pair"],
        form: "update-pair SA_TYPE spi SPI dst ADDRESS EXTENSION VALUE ...",
        about: "Update an SA and the SA it is paired with. In a file or at the prompt only.",
        example: "update-pair esp spi 0x2112 dst 198.51.100.7 hard_addtime 28800",
    },
    Topic {
        words: &["delete"],
        form: "delete SA_TYPE spi SPI dst ADDRESS",
        about: "Remove an SA. The SA it is paired with stays, unpaired.",
        example: "delete esp spi 0x2112 dst 198.51.100.7",
    },
    Topic {
        words: &["delete-pair"],
        form: "delete-pair SA_TYPE spi SPI dst ADDRESS",
        about: "Remove an SA and the SA it is paired with.",
        example: "delete-pair esp spi 0x2112 dst 198.51.100.7",
    },
    Topic {
        words: &["get"],
        form: "get SA_TYPE spi SPI dst ADDRESS",
        about: "Show an SA, keys included unless -p is given.",
        example: "get ah spi 0x5150 dst 198.51.100.7",
    },
    Topic { words: &["flush"], form: "flush [SA_TYPE]", about: "Remove all SAs, or all of one type.", example: "flush ah" },
    Topic { words: &["dump"], form: "dump [SA_TYPE]", about: "Show all SAs, or all of one type.", example: "dump esp" },
    Topic {
        words: &["save"],
        form: "save SA_TYPE [FILE]",
        about: "Write all SAs of a type (or `all`) as commands that -f reads. Without FILE, or with '-', to standard output.",
        example: "save esp /root/snapshot",
    },
    Topic {
        words: &["monitor"],
        form: "monitor",
        about: "Show every PF_KEY message, answers to other programs included, until interrupted.",
        example: "monitor",
    },
    Topic {
        words: &["passive_monitor", "pmonitor"],
        form: "passive_monitor",
        about: "Show the PF_KEY messages that every socket hears, until interrupted.",
        example: "pmonitor",
    },
    Topic {
        words: &["help", "?"],
        form: "help [COMMAND | attr]",
        about: "Show this list, one command, or the extensions (attributes) of an SA.",
        example: "help attr",
    },
    Topic {
        words: &["quit", "exit"],
        form: "quit",
        about: "Leave the prompt. In a file: ignore the rest of it.",
        example: "quit",
    },
];

/// Prints the list of commands, or what there is about `topic`. Whether the topic is known.
///
/// # Errors
/// The writer's.
pub(super) fn print(out: &mut dyn Write, topic: Option<&str>, vocabulary: Vocabulary) -> io::Result<bool> {
    match topic {
        None => list(out).map(|()| true),
        Some("attr") => attributes(out, vocabulary).map(|()| true),
        Some(word) => match TOPICS.iter().find(|topic| topic.words.contains(&word)) {
            Some(topic) => one(out, topic).map(|()| true),
            None => Ok(false),
        },
    }
}

fn list(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Commands")?;
    for topic in TOPICS {
        writeln!(out, "  {:<28} {}", topic.words.join(", "), first_sentence(topic.about))?;
    }
    writeln!(out, "\nSA types: ah, esp; all for flush, dump and save.")?;
    writeln!(out, "`help COMMAND` shows the form of a command, `help attr` the extensions of an SA.")
}

fn first_sentence(text: &str) -> &str {
    text.split_inclusive(". ").next().unwrap_or(text).trim_end()
}

fn one(out: &mut dyn Write, topic: &Topic) -> io::Result<()> {
    writeln!(out, "{}\n  {}\n  Example: {}", topic.form, topic.about, topic.example)
}

fn attributes(out: &mut dyn Write, vocabulary: Vocabulary) -> io::Result<()> {
    writeln!(out, "SA extensions (attributes), each with its value:")?;
    let words: Vec<&str> = keywords::words(vocabulary).collect();
    for row in words.chunks(4) {
        let line: String = row.iter().map(|word| format!("  {word:<17}")).collect();
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(topic: Option<&str>) -> (bool, String) {
        let mut out = Vec::new();
        let known = print(&mut out, topic, Vocabulary::Illumos).unwrap();
        (known, String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_list_names_every_command() {
        let (_, text) = help(None);
        for word in TOPICS.iter().flat_map(|topic| topic.words) {
            assert!(text.contains(word), "{word} missing");
        }
    }

    #[test]
    fn a_topic_shows_its_form_and_an_unknown_one_is_not_known() {
        assert!(help(Some("delete-pair")).1.starts_with("delete-pair SA_TYPE"));
        assert!(help(Some("attr")).1.contains("encrkey"));
        assert_eq!(help(Some("ADD")), (false, String::new()));
    }
}
