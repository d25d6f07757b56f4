//! `add [-46n] SRC DST PROTOCOL SPI [OPTION ...] ALGORITHM ... ;` and `delete`.

use std::net::IpAddr;

use super::label;
use crate::convert::import::key;
use crate::convert::import::writer::{CommandWriter, Cursor, Untranslatable};
use crate::convert::names::{SETKEY_AUTH, SETKEY_ENCR, ours};
use crate::names::algorithms::{AUTH, ENCR};
use crate::redact::{Expected, cited};

/// The SA type of a protocol word.
fn protocol(word: &str, writer: &mut CommandWriter) -> Result<&'static str, Untranslatable> {
    match word {
        "esp" | "esp-udp" => Ok("esp"),
        "ah" => Ok("ah"),
        "esp-old" | "ah-old" => {
            writer.note("the protocol of 1995 (RFC 1826, 1827) is imported as the current one");
            Ok(if word == "esp-old" { "esp" } else { "ah" })
        }
        "ipcomp" => Err("ipcomp (compression) has no equivalent in a keys file".to_owned()),
        "tcp" => Err(TCP_MD5.to_owned()),
        _ => Err("the protocol is not ah or esp".to_owned()),
    }
}

/// The advice for TCP-MD5 (RFC 2385).
pub(in crate::convert::import) const TCP_MD5: &str = "TCP-MD5 is not IPsec and has no equivalent in a keys file: set the password in the BGP daemon, or on illumos with tcpkey(8)";

/// The identity of an SA, after the command and its options.
struct SetkeySa<'t> {
    src: (&'t str, Option<&'t str>),
    dst: (&'t str, Option<&'t str>),
    proto: &'t str,
    spi: &'t str,
}

fn identity<'t>(words: &mut Cursor<'_, 't>) -> Result<SetkeySa<'t>, Untranslatable> {
    // -4, -6 and -n do not matter: addresses are written as they are.
    while words.peek().is_some_and(|word| matches!(word, "-4" | "-6" | "-n" | "-46" | "-64" | "-46n" | "-4n" | "-6n")) {
        words.skip(1);
    }
    let src = with_port(words.value("the source")?.text)?;
    let dst = with_port(words.value("the destination")?.text)?;
    Ok(SetkeySa { src, dst, proto: words.value("the protocol")?.text, spi: words.value("the SPI")?.text })
}

/// Splits `ADDRESS[PORT]` into address and port.
pub(super) fn with_port(word: &str) -> Result<(&str, Option<&str>), Untranslatable> {
    let (address, port) = match word.strip_suffix(']').and_then(|word| word.rsplit_once('[')) {
        Some((address, port)) => (address, Some(port)),
        None => (word, None),
    };
    match address.split_once('%') {
        Some((address, _)) => Err(format!(
            "a zone (%...) cannot be part of an SA: write the address {} without it",
            cited(address, Expected::Address)
        )),
        None => Ok((address, port)),
    }
}

pub(super) fn delete(words: &mut Cursor<'_, '_>, writer: &mut CommandWriter) -> Result<(), Untranslatable> {
    let sa = identity(words)?;
    let sa_type = protocol(sa.proto, writer)?;
    writer.begin(&format!("delete {sa_type}"))?;
    writer.word("spi", sa.spi)?;
    writer.word("dst", sa.dst.0)?;
    writer.end()
}

pub(super) fn add(
    words: &mut Cursor<'_, '_>,
    writer: &mut CommandWriter,
    is_local: &dyn Fn(IpAddr) -> bool,
) -> Result<(), Untranslatable> {
    let sa = identity(words)?;
    let sa_type = protocol(sa.proto, writer)?;
    writer.set_label(label(sa_type, sa.spi, sa.dst.0));
    writer.begin(&format!("add {sa_type}"))?;
    writer.word("spi", sa.spi)?;
    writer.word("src", sa.src.0)?;
    writer.word("dst", sa.dst.0)?;
    if sa.proto == "esp-udp" {
        encapsulation(sa.src.1, sa.dst, writer, is_local)?;
    }
    // After the identity, options may be in any order.
    while let Some(word) = words.next() {
        option(word.text, words, writer)?;
    }
    writer.require_key()?;
    writer.end()
}

/// UDP encapsulation. The ports may be missing; RFC 3948 defines 4500.
pub(super) fn encapsulation(
    src_port: Option<&str>,
    dst: (&str, Option<&str>),
    writer: &mut CommandWriter,
    is_local: &dyn Fn(IpAddr) -> bool,
) -> Result<(), Untranslatable> {
    let ports = (src_port.unwrap_or("4500"), dst.1.unwrap_or("4500"));
    // The local port is the destination of an inbound SA.
    let is_inbound = dst.0.parse().is_ok_and(is_local);
    let (local, remote) = if is_inbound { (ports.1, ports.0) } else { ports };
    writer.word("encap", "udp")?;
    writer.word("nat_lport", local)?;
    writer.word("nat_rport", remote)
}

/// Options with a number, and the keywords for it.
const NUMBERS: &[(&str, &str)] =
    &[("-lh", "hard_addtime"), ("-ls", "soft_addtime"), ("-bh", "hard_bytes"), ("-bs", "soft_bytes"), ("-r", "replay")];

/// Options of setkey(8) on Linux, FreeBSD and NetBSD; only they are shown.
const OPTIONS: &[&str] =
    &["-natt", "-natt_mtu", "-N", "-T", "-t", "-auth", "auth", "enc", "-hwif", "-esn", "-i", "-d", "-V", "-P"];

fn option(word: &str, words: &mut Cursor<'_, '_>, writer: &mut CommandWriter) -> Result<(), Untranslatable> {
    if let Some((_, keyword)) = NUMBERS.iter().find(|row| row.0 == word) {
        let value = words.value(keyword)?.text;
        // To setkey, 0 is no limit, which in a keys file is no keyword.
        return if value == "0" { Ok(()) } else { writer.word(keyword, value) };
    }
    match word {
        "-m" => match words.value("-m")?.text {
            mode @ ("transport" | "tunnel") => writer.word("mode", mode),
            "any" => Ok(()),
            _ => Err("-m is not followed by transport, tunnel or any".to_owned()),
        },
        "-u" => {
            let id = words.value("-u")?.text;
            writer.word("reqid", id)
        }
        "-E" => algorithm("encr", SETKEY_ENCR, words, writer),
        "-A" => algorithm("auth", SETKEY_AUTH, words, writer),
        // FreeBSD.
        "-esn" => writer.flag("esn"),
        "-hwif" => {
            let device = words.value("-hwif")?.text;
            writer.lose(format!(
                "-hwif {} (offload) is not carried over: write `offload DEVICE` with a device of this host",
                cited(device, Expected::Device)
            ));
            Ok(())
        }
        "-f" => {
            let option = words.value("-f")?.text;
            let option =
                cited(option, Expected::OneOf(&["zero-pad", "random-pad", "seq-pad", "cyclic-seq", "nocyclic-seq"]));
            writer.lose(format!("-f {option} (padding, cyclic sequence numbers) has no equivalent and is ignored"));
            Ok(())
        }
        "-ctx" => Err("-ctx (security context) has no equivalent: the SA would serve every label".to_owned()),
        "-C" => Err("-C (compression) has no equivalent in a keys file".to_owned()),
        _ => Err(format!("unknown word {} for setkey(8)", cited(word, Expected::OneOf(OPTIONS)))),
    }
}

/// Algorithms of setkey(8) without a name here, which are shown.
const OTHER: &[&str] = &[
    "keyed-md5",
    "keyed-sha1",
    "hmac-ripemd160",
    "tcp-md5",
    "des-deriv",
    "3des-deriv",
    "cast128-cbc",
    "twofish-cbc",
    "des-32iv",
    "rc5-cbc",
    "skipjack",
    "aes-gmac",
    "simple",
    "none",
];

fn algorithm(
    role: &str,
    table: &[(&'static str, &'static str)],
    words: &mut Cursor<'_, '_>,
    writer: &mut CommandWriter,
) -> Result<(), Untranslatable> {
    let theirs = words.value("an algorithm")?.text;
    // A keys file has no null authentication: it omits the keyword.
    if theirs == "null" && role == "auth" {
        return Ok(());
    }
    let name = name(table, theirs)?;
    write_name(role, name, writer)?;
    if name == "null" {
        // The null cipher may come without a key.
        if words.peek().is_some_and(|next| !next.starts_with('-')) {
            words.skip(1);
        }
        return Ok(());
    }
    key::write(writer, &format!("{role}key"), Some(words.value("a key")?), &|bits| allows(name, bits))
}

/// Our name of an algorithm.
pub(super) fn name(table: &[(&'static str, &'static str)], theirs: &str) -> Result<&'static str, Untranslatable> {
    // FreeBSD's setkey has it, that of Linux has not.
    let freebsd = (theirs == "chacha20-poly1305").then_some("chacha20-poly1305");
    ours(table, theirs).or(freebsd).ok_or_else(|| {
        format!("unknown algorithm {}: `ipseckey algs` lists the supported ones", cited(theirs, Expected::OneOf(OTHER)))
    })
}

pub(super) fn write_name(role: &str, name: &str, writer: &mut CommandWriter) -> Result<(), Untranslatable> {
    writer.word(&format!("{role}_alg"), name)?;
    if name == "hmac-sha256" {
        writer.note(
            "setkey on Linux truncates the ICV of HMAC-SHA-256 to 96 bits instead of 128 (RFC 4868): add `icv 96` if the peer keeps \
             using setkey",
        );
    }
    Ok(())
}

/// Whether the algorithm has keys of so many bits.
pub(in crate::convert::import) fn allows(name: &str, bits: u32) -> bool {
    let auth = AUTH.iter().find(|row| row.names[0] == name).is_some_and(|row| row.key_bits.allows(bits));
    let encr = ENCR.iter().find(|row| row.names[0] == name);
    auth || encr.is_some_and(|row| bits.checked_sub(row.salt_bits.into()).is_some_and(|bits| row.key_bits.allows(bits)))
}
