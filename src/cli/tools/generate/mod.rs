//! `generate`: a complete keys file for two hosts, an SA for each direction, with random SPIs and keys.
//!
//! The file is parsed and checked like any keys file before it is written. For illumos, SAs have a direction, which differs from
//! host to host: there are two files, with the same keys. For routing protocols [`routing`] makes one file for all routers of a link.

mod chain_file;
mod directions;
mod routing;
mod schedule;

use std::collections::HashSet;
use std::io::Write;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::cli::tools::failure::Failure;
use crate::cli::tools::genkey::{Recipe, output_option};
use crate::cli::tools::parse_file::parse_text;
use crate::cli::tools::{policy_lines, private_file};
use crate::names::keywords::{self, Field, Keyword, Usage, Value};
use crate::names::{Vocabulary, algorithms};
use crate::redact::{self, Expected, cited};
use crate::sa::{NATT_PORT, Windows};
use crate::secret::Buffer;
use crate::show;
use routing::{LinkSas, Routing};
use schedule::Schedule;

#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Generate {
    sa_type: String,
    words: Vec<String>,
    bits: Option<u16>,
    output: Option<PathBuf>,
    peer: Option<PathBuf>,
    is_ah: bool,
    /// `--extend`: append keys to the chains of this file.
    extend: Option<PathBuf>,
    /// `--prune`: remove the keys of this file that are over.
    prune: Option<PathBuf>,
    /// Of a key chain.
    schedule: Option<Schedule>,
}

pub(in crate::cli::tools) fn command() -> Command {
    Command::new("generate")
        .about("Write a keys file for two hosts, with random SPIs and keys")
        .after_help(
            "Example: ipseckey generate esp src 192.0.2.1 dst 198.51.100.7 -o ipseckeys\n\n\
             The file holds an SA for each direction, and both hosts use the same file. The default of encr_alg is AES-CBC with a \
             key of 256 bits, that of auth_alg HMAC-SHA-256. SPIs and keys are random. All other keywords of `add` may be given, \
             for the direction from src to dst.\n\n\
             With an SADB of illumos (elsewhere: --sadb model:illumos), which may start the service before it has its addresses, each SA is \
             `inbound` or `outbound`. The file is then for the host with the address src, and --peer writes that for the other host.\n\n\
             Example: ipseckey generate esp src 192.0.2.1 dst 198.51.100.7 --every 30d --count 12 -o ipseckeys\n\n\
             With --every the file is a key chain: manual-key run changes the keys on both hosts at set times, without packet loss \
             (docs/key-chains.md).\n\n\
             Example: ipseckey generate ospfv3 fe80::1 fe80::2 fe80::3 -o ipseckeys\n\n\
             For a routing protocol all routers of a link use one file, with one SPI and key: an SA for each group of the protocol and \
             for each of the given link-local addresses. The default is ESP without encryption (encr_alg null).",
        )
        .arg(
            Arg::new("type")
                .value_name("SA_TYPE")
                .required_unless_present_any(["extend", "prune"])
                .value_parser(PossibleValuesParser::new(["esp", "ah"].into_iter().chain(routing::names())))
                .help("The protocol of the SAs, or a routing protocol"),
        )
        .arg(
            Arg::new("words")
                .value_name("KEYWORD VALUE")
                .required_unless_present_any(["extend", "prune"])
                .num_args(1..)
                .help("src ADDRESS dst ADDRESS, and other keywords of `add`; for a routing protocol ADDRESS..."),
        )
        .arg(
            Arg::new("bits")
                .long("bits")
                .value_name("BITS")
                .value_parser(value_parser!(u16))
                .help("Length of the encryption keys [default: the longest that the cipher supports]"),
        )
        .arg(Arg::new("ah").long("ah").action(ArgAction::SetTrue).help("For a routing protocol: AH instead of ESP"))
        .arg(output_option())
        .arg(
            Arg::new("peer")
                .long("peer")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("For illumos: write the keys file of the host with the address dst to a new FILE of mode 0600"),
        )
        .args(schedule::options())
        .arg(
            Arg::new("extend")
                .long("extend")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .requires("every")
                .conflicts_with_all(["type", "bits", "ah", "output", "peer", "from"])
                .help("Append keys to the chains of FILE, after their last ones, with the algorithms that these have"),
        )
        .arg(
            Arg::new("prune")
                .long("prune")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .conflicts_with_all(["type", "bits", "ah", "output", "peer", "every", "extend"])
                .help("Remove the keys from FILE that no host accepts or sends with any more"),
        )
}

impl From<&mut ArgMatches> for Generate {
    fn from(matches: &mut ArgMatches) -> Self {
        Self {
            sa_type: matches.remove_one("type").unwrap_or_default(),
            words: matches.remove_many("words").map(Iterator::collect).unwrap_or_default(),
            bits: matches.remove_one("bits"),
            output: matches.remove_one("output"),
            peer: matches.remove_one("peer"),
            is_ah: matches.get_flag("ah"),
            extend: matches.remove_one("extend"),
            prune: matches.remove_one("prune"),
            schedule: Schedule::from(matches),
        }
    }
}

impl Generate {
    pub(in crate::cli::tools) fn run(&self, session: &Session<'_>) -> Result<Exit, Failure> {
        if let (Some(file), Some(schedule)) = (&self.extend, self.schedule) {
            return chain_file::extend(file, schedule, session);
        }
        if let Some(file) = &self.prune {
            return chain_file::prune(file, session);
        }
        if let Some(routing) = routing::by_name(&self.sa_type) {
            return self.run_routing(routing, session);
        }
        if self.is_ah {
            return Err(Failure::new("--ah is for routing protocols: give ah instead of esp"));
        }
        let pair = SaPair::parse(&self.sa_type, &self.words, session.vocabulary())?;
        if self.peer.is_some() && !pair.has_directions {
            return Err(Failure::new(
                "--peer is for illumos only (--sadb model:illumos): on Linux both hosts use the same file",
            ));
        }
        // Without a schedule, one key without windows.
        let windows = self.schedule.map_or_else(|| Ok(vec![Windows::default()]), Schedule::windows)?;
        let text = pair.text(self.bits, &windows)?;
        // A mistake in the given words shows up here, with its place, before anything is written.
        let Some(commands) = parse_text("the new file", &text, session) else { return Ok(Exit::Failed) };
        let policies = match session.vocabulary() {
            // Those of the first key are those of all.
            Vocabulary::Linux => policy_lines::comment(commands.get(..2).unwrap_or(&commands)),
            Vocabulary::Illumos => String::new(),
        };
        let own = with_comment(&text, &policies)?;
        match &self.peer {
            Some(peer) => private_file::write_both(self.output.as_deref(), &own, peer, &pair.for_peer(&text)?)?,
            None => private_file::write(self.output.as_deref(), &own)?,
        }
        Ok(Exit::Done)
    }

    fn run_routing(&self, routing: &'static Routing, session: &Session<'_>) -> Result<Exit, Failure> {
        if self.schedule.is_some() {
            return Err(Failure::new(
                "--every is for two hosts: docs/ospfv3.md describes a change of the keys of all routers",
            ));
        }
        if self.peer.is_some() {
            return Err(Failure::new("--peer is for two hosts: all routers of a link use the same file"));
        }
        let text = LinkSas::parse(routing, self.is_ah, &self.words, session.vocabulary())?.text(self.bits)?;
        if parse_text("the new file", &text, session).is_none() {
            return Ok(Exit::Failed);
        }
        private_file::write(self.output.as_deref(), &text)?;
        Ok(Exit::Done)
    }
}

/// `text` with `comment` at its end. A buffer never grows, so that no copy of a key stays behind: the whole gets a new one.
fn with_comment(text: &[u8], comment: &str) -> Result<Buffer, Failure> {
    let mut whole = Buffer::with_capacity(text.len() + comment.len());
    whole.append(text).and_then(|()| whole.append(comment.as_bytes())).map_err(Failure::of)?;
    Ok(whole)
}

/// More bytes than the keys, the comment and the keywords of two SAs need, besides the words of the command line.
const CAPACITY: usize = 4096;

/// Two SAs, one for each direction. The words are those of the direction from `src` to `dst`.
struct SaPair<'w> {
    sa_type: &'w str,
    words: Vec<(&'static Keyword, Vec<&'w str>)>,
    /// Bytes of the words of the command line, to size the buffer by.
    given_len: usize,
    /// Whether each SA has a direction, that on the host with the address `src`.
    has_directions: bool,
    /// False for ICMP, which has a type and a code instead of ports: they are the same on the way back.
    swaps_ports: bool,
    encr: Option<(&'static str, Recipe)>,
    auth: Option<(&'static str, Recipe)>,
}

impl<'w> SaPair<'w> {
    fn parse(sa_type: &'w str, words: &'w [String], vocabulary: Vocabulary) -> Result<Self, Failure> {
        let given_len = words.iter().map(|word| word.len() + 1).sum();
        let words = pairs(words)?;
        for (needed, word) in [(Field::Src, "src"), (Field::Dst, "dst")] {
            if !words.iter().any(|(row, _)| row.field == needed) {
                return Err(Failure::new(format!("both addresses are required: `{word} ADDRESS` is missing")));
            }
        }
        let given = |field| words.iter().find(|(row, _)| row.field == field).and_then(|(_, values)| values.first().copied());
        // ESP without encryption is possible, but must be asked for: encr_alg null.
        let cipher = given(Field::EncrAlg).or((sa_type == "esp").then_some("aes"));
        let encr = cipher.map(|name| encr_row(name, vocabulary)).transpose()?;
        let is_combined = encr.is_some_and(algorithms::Encr::is_combined);
        // A combined cipher authenticates by itself; a second algorithm would cost time and add nothing.
        let hash = given(Field::AuthAlg).or((!is_combined).then_some("sha256"));
        let auth = hash.map(|name| auth_row(name, vocabulary)).transpose()?;
        Ok(Self {
            sa_type,
            given_len,
            has_directions: vocabulary == Vocabulary::Illumos,
            swaps_ports: !given(Field::Proto).or(given(Field::InnerProto)).is_some_and(|number| ICMP.contains(&number)),
            encr: encr.map(|row| (row.names[0], Recipe::of_encr(row))),
            auth: auth.map(|row| (row.names[0], Recipe::of_auth(row))),
            words,
        })
    }

    /// The keys file, without the comment about policies: a key for each of `windows`.
    fn text(&self, bits: Option<u16>, windows: &[Windows]) -> Result<Buffer, Failure> {
        let mut text = Buffer::with_capacity((CAPACITY + 4 * self.given_len) * windows.len().max(1));
        if self.has_directions {
            let [src, dst] = self.hosts();
            writeln!(text, "{}\n", directions::comment(src, dst))?;
        } else {
            writeln!(text, "# Keys for two hosts: the same file serves both, and no other user may read it.\n")?;
        }
        let mut spis = random_spis(2 * windows.len())?.into_iter();
        for windows in windows {
            for (back, spi) in [false, true].into_iter().zip(spis.by_ref()) {
                self.write(&mut text, spi, back, bits, windows)?;
            }
        }
        Ok(text)
    }

    /// The values of `src` and `dst`.
    fn hosts(&self) -> [&'w str; 2] {
        [Field::Src, Field::Dst].map(|field| {
            let found = self.words.iter().find(|(row, _)| row.field == field);
            found.and_then(|(_, values)| values.first().copied()).unwrap_or_default()
        })
    }

    /// The keys file of the host with the address `dst`, made from `text`, that of the other host.
    fn for_peer(&self, text: &[u8]) -> Result<Buffer, Failure> {
        let [src, dst] = self.hosts();
        directions::exchanged(text, &directions::comment(dst, src))
    }

    /// Writes the SA of one direction. `back` is the one from `dst` to `src`.
    fn write(&self, out: &mut Buffer, spi: u32, back: bool, bits: Option<u16>, windows: &Windows) -> Result<(), Failure> {
        write!(out, "add {} spi {spi:#x}", self.sa_type)?;
        if self.has_directions {
            write!(out, " {}", directions::word(back))?;
        }
        let mut words: Vec<(&str, &[&str])> =
            self.words.iter().map(|(row, values)| (self.word(row, back), values.as_slice())).collect();
        // They are written with their keys below.
        words.retain(|(word, _)| !matches!(*word, "encr_alg" | "auth_alg"));
        // The source comes first, whatever the order on the command line.
        words.sort_by_key(|(word, _)| {
            ORDER.iter().position(|first| word.trim_end_matches('6') == *first).unwrap_or(ORDER.len())
        });
        for (word, values) in words {
            write!(out, " {word}")?;
            values.iter().try_for_each(|value| write!(out, " {value}"))?;
            if word == "encap" {
                // The language demands an address or a port with it. Without a NAT between the hosts both ports are these.
                write!(out, " nat_lport {NATT_PORT}")?;
                // illumos takes this port if none is given, and no port without an address (D-56).
                if !self.has_directions {
                    write!(out, " nat_rport {NATT_PORT}")?;
                }
            }
        }
        if windows.are_limited() {
            write!(out, " \\\n   {}", schedule::words(windows))?;
        }
        for (role, algorithm, bits) in [("encr", self.encr, bits), ("auth", self.auth, None)] {
            let Some((name, recipe)) = algorithm else { continue };
            write!(out, " \\\n    {role}_alg {name}")?;
            if recipe.has_key() {
                write!(out, " {role}key ")?;
                show::write_key(out, &recipe.random_key(bits)?)?;
            }
        }
        Ok(writeln!(out, "\n")?)
    }

    fn word(&self, row: &Keyword, back: bool) -> &'static str {
        let is_port = matches!(row.field, Field::Sport | Field::Dport | Field::InnerSport | Field::InnerDport);
        word(row, back && (self.swaps_ports || !is_port))
    }
}

/// The protocol numbers of ICMP and ICMPv6.
const ICMP: &[&str] = &["1", "58"];

/// Keywords at the start of a command, in this order.
const ORDER: &[&str] = &["src", "sport", "dst", "dport"];

/// The words of the command line, keyword by keyword.
fn pairs(words: &[String]) -> Result<Vec<(&'static Keyword, Vec<&str>)>, Failure> {
    let mut found = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let row = keywords::by_word(word.as_bytes())
            .filter(|row| row.usage != Usage::Reserved)
            .ok_or_else(|| not_a_keyword(word))?;
        if let Some(reason) = reason_against(row.field) {
            return Err(Failure::new(format!("{word} is not allowed here: {reason}")));
        }
        let count = match row.value {
            Value::Nothing => 0,
            Value::Identity => 2,
            _ => 1,
        };
        let values: Vec<&str> = words.by_ref().take(count).map(String::as_str).collect();
        if values.len() < count {
            return Err(Failure::new(format!("{word} needs a value")));
        }
        // A newline would begin another command in the file.
        if values.iter().any(|value| value.contains(char::is_control)) {
            return Err(Failure::new(format!("the value of {word} contains a control character")));
        }
        found.push((row, values));
    }
    Ok(found)
}

/// Why a keyword is not allowed in a file for both hosts.
fn reason_against(field: Field) -> Option<&'static str> {
    use Field as F;
    match field {
        F::Spi | F::PairSpi => Some("it makes random SPIs"),
        F::AuthKey | F::EncrKey => Some("it makes random keys"),
        F::Inbound | F::Outbound => {
            Some("an SA that is inbound on one host is outbound on the other; for illumos the file of each host has its own")
        }
        F::NatLoc | F::NatRem | F::NatLport | F::NatRport => {
            Some("a NAT shows each host other addresses: write a file for each, as in examples/nat-t.keys")
        }
        F::State | F::ReplayValue | F::ReservedBits => Some("a new SA cannot have it"),
        _ => None,
    }
}

/// The keyword for `row`, or on the way back the keyword for the other end.
fn word(row: &Keyword, back: bool) -> &'static str {
    use Field as F;
    let six = matches!(row.value, Value::Address6 | Value::Prefix6);
    let pair = match row.field {
        F::Src | F::Dst => (["src", "src6"], ["dst", "dst6"]),
        F::InnerSrc | F::InnerDst => (["isrc", "isrc6"], ["idst", "idst6"]),
        F::Sport | F::Dport => (["sport"; 2], ["dport"; 2]),
        F::InnerSport | F::InnerDport => (["isport"; 2], ["idport"; 2]),
        F::SrcIdType | F::DstIdType => (["srcidtype"; 2], ["dstidtype"; 2]),
        F::EncrAlg => return "encr_alg",
        F::AuthAlg => return "auth_alg",
        _ => return row.word,
    };
    let is_source = matches!(row.field, F::Src | F::InnerSrc | F::Sport | F::InnerSport | F::SrcIdType);
    let words = if is_source == back { pair.1 } else { pair.0 };
    words[usize::from(six)]
}

fn encr_row(name: &str, vocabulary: Vocabulary) -> Result<&'static algorithms::Encr, Failure> {
    vocabulary.encr_algs().find(|row| row.names.contains(&name)).ok_or_else(|| unknown(name))
}

fn auth_row(name: &str, vocabulary: Vocabulary) -> Result<&'static algorithms::Auth, Failure> {
    vocabulary.auth_algs().find(|row| row.names.contains(&name)).ok_or_else(|| unknown(name))
}

fn not_a_keyword(word: &str) -> Failure {
    let known = keywords::TABLE.iter().map(|row| row.word);
    let advice = redact::advice(word, known, "`ipseckey help attr` lists them");
    Failure::new(format!("{} is not a keyword: {advice}", cited(word, Expected::Nothing)))
}

fn unknown(name: &str) -> Failure {
    let advice = redact::advice(name, algorithms::names(), "`ipseckey algs` lists them");
    Failure::new(format!("no such algorithm: {}: {advice}", cited(name, Expected::Nothing)))
}

/// `count` different SPIs.
fn random_spis(count: usize) -> Result<HashSet<u32>, Failure> {
    let mut spis = HashSet::new();
    while spis.len() < count {
        spis.insert(random_spi()?);
    }
    Ok(spis)
}

/// A random SPI above the range that IANA has reserved (RFC 4303 section 2.1): files made at different times can be loaded side by
/// side while keys are exchanged.
fn random_spi() -> Result<u32, Failure> {
    const FIRST: u32 = 0x1000_0000;
    loop {
        let spi = getrandom::u32().map_err(|error| Failure::new(format!("no random bytes: {error}")))?;
        if spi >= FIRST {
            return Ok(spi);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The SA of the way back.
    fn way_back(words: &str) -> Result<String, String> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let mut text = Buffer::with_capacity(CAPACITY);
        let pair = SaPair::parse("esp", &words, Vocabulary::Linux).map_err(|failure| failure.to_string())?;
        pair.write(&mut text, 5, true, Some(128), &Windows::default()).map_err(|failure| failure.to_string())?;
        Ok(String::from_utf8(text.to_vec()).unwrap())
    }

    #[test]
    fn generate_exchanges_the_ends_for_the_way_back() {
        let text = way_back("dst6 2001:db8::2 src6 2001:db8::1 dport 80 isrc 10.1.0.0/16 idst 10.2.0.0/16 reqid 7").unwrap();
        let expected = "add esp spi 0x5 src6 2001:db8::2 sport 80 dst6 2001:db8::1 idst 10.1.0.0/16 isrc 10.2.0.0/16 reqid 7 \\\n    \
                        encr_alg aes-cbc encrkey ";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains(" \\\n    auth_alg hmac-sha256 authkey "), "{text}");
    }

    #[test]
    fn generate_writes_directions_for_illumos() {
        let words = ["src", "192.0.2.1", "dst", "192.0.2.2", "srcidtype", "fqdn", "outbound", "encap", "udp"];
        let words = words.map(str::to_owned);
        let pair = SaPair::parse("esp", &words, Vocabulary::Illumos).unwrap();
        let own = pair.text(None, &[Windows::default()]).unwrap();
        let peer = pair.for_peer(&own).unwrap();
        let [own, peer] = [own, peer].map(|text| String::from_utf8(text.to_vec()).unwrap());
        let adds = |text: &str| -> Vec<String> {
            text.lines().filter(|line| line.starts_with("add ")).map(str::to_owned).collect()
        };
        for (text, [first, second]) in [(&own, ["outbound", "inbound"]), (&peer, ["inbound", "outbound"])] {
            let lines = adds(text);
            assert!(lines[0].contains(&format!(" {first} src 192.0.2.1 dst 192.0.2.2 srcidtype fqdn outbound ")), "{text}");
            assert!(lines[1].contains(&format!(" {second} src 192.0.2.2 dst 192.0.2.1 dstidtype fqdn outbound ")), "{text}");
            assert!(text.contains("nat_lport 4500") && !text.contains("nat_rport"), "{text}");
        }
        assert!(own.starts_with("# No other user may read this file. It is for the host 192.0.2.1. On 192.0.2.2 "), "{own}");
        assert!(
            peer.starts_with("# No other user may read this file. It is for the host 192.0.2.2. On 192.0.2.1 "),
            "{peer}"
        );
        let keys = |text: &str| -> Vec<String> {
            text.split_whitespace().filter(|word| word.len() == 64).map(str::to_owned).collect()
        };
        assert_eq!((keys(&own).len(), keys(&own)), (4, keys(&peer)));
    }

    #[test]
    fn generate_keeps_type_and_code_of_icmp_on_the_way_back() {
        let text = way_back("src 192.0.2.1 dst 192.0.2.2 proto 1 sport 8").unwrap();
        assert!(text.contains("src 192.0.2.2 sport 8 dst 192.0.2.1 proto 1"), "{text}");
    }

    #[test]
    fn generate_adds_the_ports_of_encap_udp() {
        let text = way_back("src 192.0.2.1 dst 192.0.2.2 encap udp").unwrap();
        assert!(text.contains(" encap udp nat_lport 4500 nat_rport 4500 "), "{text}");
    }

    #[test]
    fn generate_adds_no_auth_alg_to_a_combined_cipher() {
        let text = way_back("src 192.0.2.1 dst 192.0.2.2 encr_alg aes-gcm").unwrap();
        assert!(text.contains("encr_alg aes-gcm encrkey ") && !text.contains("auth"), "{text}");
    }

    #[test]
    fn generate_refuses_keywords_that_cannot_serve_both_hosts() {
        for (words, expected) in [
            ("src 192.0.2.1", "`dst ADDRESS` is missing"),
            ("spi 5 src 192.0.2.1 dst 192.0.2.2", "random SPIs"),
            ("outbound src 192.0.2.1 dst 192.0.2.2", "outbound on the other"),
            ("nat_loc 10.0.0.7 src 192.0.2.1 dst 192.0.2.2", "other addresses"),
            ("encrkey 00 src 192.0.2.1 dst 192.0.2.2", "random keys"),
            ("src 192.0.2.1 dst", "dst needs a value"),
            ("bogus", "not a keyword"),
            ("src 192.0.2.1 dst 192.0.2.2 encr_alg rot13", "no such algorithm"),
        ] {
            let refused = way_back(words).unwrap_err();
            assert!(refused.contains(expected), "{words}: {refused}");
        }
    }

    #[test]
    fn generate_makes_different_spis() {
        let spis = random_spis(2).unwrap();
        assert!(spis.len() == 2 && spis.iter().all(|spi| *spi >= 0x1000_0000));
    }
}
