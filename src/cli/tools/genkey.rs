//! `genkey`: a random key for an algorithm, with its salt.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::failure::Failure;
use super::private_file;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::names::Vocabulary;
use crate::names::algorithms::{self, Auth, Encr, KeyBits};
use crate::names::weak_keys;
use crate::redact::{self, Expected, cited};
use crate::secret::{Buffer, Key};
use crate::show;

#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Genkey {
    algorithm: String,
    bits: Option<u16>,
    output: Option<PathBuf>,
}

pub(super) fn command() -> Command {
    Command::new("genkey")
        .about("Print a random key for an algorithm")
        .after_help(
            "Example: ipseckey genkey aes 128\n\nWithout BITS the key has the greatest length that the algorithm supports.",
        )
        .arg(
            Arg::new("algorithm").value_name("ALGORITHM").required(true).help("One of the names that `ipseckey algs` lists"),
        )
        .arg(Arg::new("bits").value_name("BITS").value_parser(value_parser!(u16)).help("Length of the key without its salt"))
        .arg(output_option())
}

/// `-o FILE`, of each tool that writes keys.
pub(super) fn output_option() -> Arg {
    Arg::new("output")
        .short('o')
        .long("output")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Write to FILE, which must not exist and gets mode 0600, or with - to standard output")
}

impl From<&mut ArgMatches> for Genkey {
    fn from(matches: &mut ArgMatches) -> Self {
        Self {
            algorithm: matches.remove_one("algorithm").unwrap_or_default(),
            bits: matches.remove_one("bits"),
            output: matches.remove_one("output"),
        }
    }
}

impl Genkey {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<Exit, Failure> {
        let recipe = Recipe::of(&self.algorithm, session.vocabulary())?;
        let key = recipe.random_key(self.bits)?;
        let mut text = Buffer::with_capacity(key.byte_len() * 2 + 1);
        show::write_key(&mut text, &key)?;
        // The capacity includes the newline.
        text.append(b"\n").map_err(|full| Failure::new(full.to_string()))?;
        private_file::write(self.output.as_deref(), &text)?;
        Ok(Exit::Done)
    }
}

/// The properties of a key for an algorithm.
#[derive(Clone, Copy)]
pub(super) struct Recipe {
    name: &'static str,
    bits: KeyBits,
    salt_bits: u16,
    is_des: bool,
}

fn unknown(name: &str) -> Failure {
    let advice = redact::advice(name, algorithms::names(), "`ipseckey algs` lists the names");
    Failure::new(format!("unknown algorithm {}: {advice}", cited(name, Expected::Nothing)))
}

impl Recipe {
    pub(super) fn of(name: &str, vocabulary: Vocabulary) -> Result<Self, Failure> {
        let auth = vocabulary.auth_algs().find(|row| row.names.contains(&name)).map(Self::of_auth);
        let encr = || vocabulary.encr_algs().find(|row| row.names.contains(&name)).map(Self::of_encr);
        auth.or_else(encr).ok_or_else(|| unknown(name))
    }

    pub(super) fn of_auth(row: &'static Auth) -> Self {
        Self { name: row.names[0], bits: row.key_bits, salt_bits: 0, is_des: false }
    }

    pub(super) fn of_encr(row: &'static Encr) -> Self {
        // DES and Triple DES; Blowfish has blocks of 8 bytes as well.
        let is_des = row.block_len == 8 && row.names[0].contains("des");
        Self { name: row.names[0], bits: row.key_bits, salt_bits: row.salt_bits, is_des }
    }

    pub(super) fn has_key(self) -> bool {
        self.bits != KeyBits::None
    }

    /// A random key of `bits`, or of the greatest length, followed by its salt.
    pub(super) fn random_key(self, bits: Option<u16>) -> Result<Key, Failure> {
        let key_bits = bits.unwrap_or_else(|| self.bits.longest());
        if !self.has_key() || !self.bits.allows(key_bits.into()) {
            let sizes: Vec<String> = self.bits.lengths().map(|bits| bits.to_string()).collect();
            let takes = if sizes.is_empty() { "no key".to_owned() } else { format!("{} bits", sizes.join(" or ")) };
            return Err(Failure::new(format!("{} takes {takes}", self.name)));
        }
        let bits = key_bits + self.salt_bits;
        loop {
            let mut bytes = vec![0; usize::from(bits).div_ceil(8)].into_boxed_slice();
            getrandom::fill(&mut bytes).map_err(|error| Failure::new(format!("no random bytes: {error}")))?;
            let key = Key::new(bytes, bits, 0);
            // One in 2^52 DES keys is weak, and illumos refuses it.
            if !self.is_des || weak_keys::of_des(key.expose()).is_none() {
                return Ok(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(name: &str, bits: Option<u16>) -> Result<u16, String> {
        let recipe = Recipe::of(name, Vocabulary::Linux).map_err(|failure| failure.to_string())?;
        recipe.random_key(bits).map(|key| key.bits()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn random_key_has_a_length_of_the_algorithm_and_a_salt() {
        assert_eq!(bits("aes", None), Ok(256));
        assert_eq!(bits("aes", Some(128)), Ok(128));
        assert_eq!(bits("aes-gcm", None), Ok(288));
        assert_eq!(bits("sha256", None), Ok(256));
        assert_eq!(bits("des", None), Ok(64));
        assert_eq!(bits("aes", Some(100)), Err("aes-cbc takes 128 or 192 or 256 bits".into()));
        assert_eq!(bits("null", None), Err("null takes no key".into()));
        assert!(bits("rot13", None).is_err_and(|text| text.contains("ipseckey algs")));
    }

    #[test]
    fn random_key_differs_each_time() {
        let recipe = Recipe::of("sha512", Vocabulary::Illumos).unwrap();
        assert!(!recipe.random_key(None).unwrap().ct_eq(&recipe.random_key(None).unwrap()));
    }
}
