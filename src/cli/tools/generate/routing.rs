//! `generate ospfv3`: the keys file of all routers of a link, which share one SPI and key (RFC 4552 section 7).

use std::io::Write;
use std::net::{IpAddr, Ipv6Addr};

use super::{auth_row, encr_row, pairs, random_spi};
use crate::cli::tools::failure::Failure;
use crate::cli::tools::genkey::Recipe;
use crate::names::keywords::Field;
use crate::names::{Vocabulary, algorithms};
use crate::secret::{Buffer, Key};
use crate::show;

/// A routing protocol.
#[derive(Debug)]
pub(super) struct Routing {
    /// The word of the command line.
    pub(super) name: &'static str,
    title: &'static str,
    /// The name in the setting `protect` of manual-key.toml.
    protect: &'static str,
    groups: &'static [&'static str],
    /// The keywords of its packets.
    packets: &'static str,
}

/// Groups: RFC 5340 section 2.10, RFC 2080 section 2.5, RFC 7761 section 4.
const PROTOCOLS: &[Routing] = &[
    Routing {
        name: "ospfv3",
        title: "OSPF for IPv6",
        protect: "ospf",
        groups: &["ff02::5", "ff02::6"],
        packets: "proto 89",
    },
    Routing { name: "ripng", title: "RIPng", protect: "ripng", groups: &["ff02::9"], packets: "proto 17 dport 521" },
    Routing { name: "pim", title: "PIM for IPv6", protect: "pim", groups: &["ff02::d"], packets: "proto 103" },
];

/// The protocol called `name`.
pub(super) fn by_name(name: &str) -> Option<&'static Routing> {
    PROTOCOLS.iter().find(|protocol| protocol.name == name)
}

/// Words of the command line that are no protocol of IPsec.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    PROTOCOLS.iter().map(|protocol| protocol.name)
}

/// The SAs of a link.
pub(super) struct LinkSas<'w> {
    routing: &'static Routing,
    is_ah: bool,
    vocabulary: Vocabulary,
    routers: Vec<Ipv6Addr>,
    encr: &'static algorithms::Encr,
    auth: &'static algorithms::Auth,
    words: &'w [String],
}

impl<'w> LinkSas<'w> {
    /// `words`: the addresses of the routers, then `encr_alg` and `auth_alg`.
    pub(super) fn parse(
        routing: &'static Routing,
        is_ah: bool,
        words: &'w [String],
        vocabulary: Vocabulary,
    ) -> Result<Self, Failure> {
        let keywords = words.iter().position(|word| address(word).is_err()).unwrap_or(words.len());
        let (routers, rest) = words.split_at(keywords);
        let routers: Vec<Ipv6Addr> = routers.iter().filter_map(|word| address(word).ok()).collect();
        let is_address = |word: &&String| word.contains([':', '%']) || word.parse::<IpAddr>().is_ok();
        if let Some(Err(problem)) = rest.first().filter(is_address).map(|word| address(word)) {
            return Err(Failure::new(problem));
        }
        if routers.len() < 2 {
            return Err(Failure::new("expected the link-local addresses of all routers of the link, two or more"));
        }
        let given = pairs(rest)?;
        let unknown = given.iter().find(|(row, _)| !matches!(row.field, Field::EncrAlg | Field::AuthAlg));
        if let Some((row, _)) = unknown {
            return Err(Failure::new(format!("{} is not allowed here: expected encr_alg or auth_alg", row.word)));
        }
        let value = |field| given.iter().find(|(row, _)| row.field == field).and_then(|(_, values)| values.first().copied());
        let encr = value(Field::EncrAlg);
        if is_ah && encr.is_some() {
            return Err(Failure::new("AH does not encrypt: omit encr_alg, or --ah"));
        }
        let encr = encr_row(encr.unwrap_or("null"), vocabulary)?;
        if encr.counter_mode {
            let problem = "several routers send through one SA, and a counter-mode cipher must never use a counter twice";
            return Err(Failure::new(format!("{problem}; use encr_alg aes, or null")));
        }
        let auth = auth_row(value(Field::AuthAlg).unwrap_or("sha256"), vocabulary)?;
        Ok(Self { routing, is_ah, vocabulary, routers, encr, auth, words })
    }

    /// The keys file.
    pub(super) fn text(&self, bits: Option<u16>) -> Result<Buffer, Failure> {
        let given_len: usize = self.words.iter().map(|word| word.len() + 1).sum();
        let mut text = Buffer::with_capacity(super::CAPACITY + (given_len + LINE_LEN) * (self.routers.len() + 2));
        let Routing { title, protect, groups, .. } = self.routing;
        writeln!(
            text,
            "# Keys for {title} on one link: the same file serves all its routers, and no other user may read it. A router that\n\
             # joins needs a line for its link-local address in all of the files. In manual-key.toml: protect = [\"{protect}\"].\n"
        )?;
        let spi = random_spi()?;
        let encr = Recipe::of_encr(self.encr);
        let encr_key = encr.has_key().then(|| encr.random_key(bits)).transpose()?;
        let auth_key = Recipe::of_auth(self.auth).random_key(None)?;
        let groups = groups.iter().filter_map(|group| group.parse().ok());
        for dst in groups.chain(self.routers.iter().copied()) {
            self.write(&mut text, spi, dst, [encr_key.as_ref(), Some(&auth_key)])?;
        }
        Ok(text)
    }

    fn write(&self, out: &mut Buffer, spi: u32, dst: Ipv6Addr, [encr, auth]: [Option<&Key>; 2]) -> Result<(), Failure> {
        let sa_type = if self.is_ah { "ah" } else { "esp" };
        write!(out, "add {sa_type} spi {spi:#x} dst6 {dst} {}", self.routing.packets)?;
        if self.vocabulary == Vocabulary::Linux {
            // The next keys have another SPI, and with it another reqid, which their introduction requires: docs/ospfv3.md.
            write!(out, " reqid {spi}")?;
        }
        write!(out, " \\\n   ")?;
        let named = [("encr", self.encr.names[0], encr), ("auth", self.auth.names[0], auth)];
        for (role, name, key) in named.into_iter().filter(|(role, ..)| *role == "auth" || !self.is_ah) {
            write!(out, " {role}_alg {name}")?;
            if let Some(key) = key {
                write!(out, " {role}key ")?;
                show::write_key(out, key)?;
            }
        }
        Ok(writeln!(out, "\n")?)
    }
}

/// More bytes than an SA needs with its keys.
const LINE_LEN: usize = 1024;

/// An address of a router, or what is wrong with it.
fn address(word: &str) -> Result<Ipv6Addr, &'static str> {
    if word.contains('%') {
        return Err("a keys file has addresses without a zone: omit % and the interface");
    }
    match word.parse() {
        Ok(IpAddr::V6(addr)) if !addr.is_multicast() && !addr.is_unspecified() => Ok(addr),
        Ok(IpAddr::V6(_)) => Err("expected addresses of routers: the groups are added"),
        _ => Err("expected IPv6 addresses"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generated(name: &str, words: &str, is_ah: bool) -> Result<String, String> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let sas = LinkSas::parse(by_name(name).unwrap(), is_ah, &words, Vocabulary::Linux);
        let text = sas.and_then(|sas| sas.text(None)).map_err(|failure| failure.to_string())?;
        Ok(String::from_utf8(text.to_vec()).unwrap())
    }

    fn adds(text: &str) -> Vec<&str> {
        text.lines().filter(|line| line.starts_with("add ")).collect()
    }

    #[test]
    fn generate_ospfv3_has_one_key_for_all() {
        let text = generated("ospfv3", "fe80::1 fe80::2 fe80::3", false).unwrap();
        let lines = adds(&text);
        let start = lines[0].split(" dst6").next().unwrap();
        for (line, dst) in lines.iter().zip(["ff02::5", "ff02::6", "fe80::1", "fe80::2", "fe80::3"]) {
            assert!(line.starts_with(&format!("{start} dst6 {dst} proto 89 reqid ")), "{line}");
        }
        assert!(lines.len() == 5 && start.starts_with("add esp spi 0x"), "{text}");
        let keys: Vec<&str> = text.lines().filter(|line| line.contains("authkey")).collect();
        assert!(keys.len() == 5 && keys.iter().all(|line| *line == keys[0] && line.contains("encr_alg null auth_alg")));
    }

    #[test]
    fn generate_ripng_and_pim_have_their_groups() {
        let ripng = generated("ripng", "fe80::1 fe80::2 encr_alg aes", false).unwrap();
        assert!(adds(&ripng).len() == 3 && adds(&ripng)[0].contains(" dst6 ff02::9 proto 17 dport 521 "), "{ripng}");
        assert!(ripng.contains("encr_alg aes-cbc encrkey ") && ripng.contains("protect = [\"ripng\"]"));
        let pim = generated("pim", "fe80::1 fe80::2 auth_alg sha512", true).unwrap();
        assert!(adds(&pim)[0].starts_with("add ah ") && pim.contains("hmac-sha512") && !pim.contains("encr_alg"), "{pim}");
    }

    #[test]
    fn generate_ospfv3_refuses_what_routers_cannot_share() {
        for (words, is_ah, expected) in [
            ("fe80::1", false, "two or more"),
            ("fe80::1 10.0.0.1", false, "expected IPv6 addresses"),
            ("fe80::1 fe80::2 bogus 1", false, "not a keyword"),
            ("fe80::1 fe80::2%eth0", false, "without a zone"),
            ("ff02::5 fe80::1", false, "the groups are added"),
            ("fe80::1 fe80::2 encr_alg aes-gcm", false, "counter-mode"),
            ("fe80::1 fe80::2 encr_alg aes", true, "AH does not encrypt"),
            ("fe80::1 fe80::2 replay 32", false, "replay is not allowed here"),
        ] {
            let refused = generated("ospfv3", words, is_ah).unwrap_err();
            assert!(refused.contains(expected), "{words}: {refused}");
        }
    }
}
