//! Short extensions: cookie, pair, replay value, Linux extensions, unknown extensions.

use std::io::{self, Write};

use super::Style;
use crate::names::linux;
use crate::redact::{mask, printable};
use crate::sa::{LinuxInfo, Masked, Side, Spi, XfrmFlags};

/// Key management protocols, and the titles of their cookies.
const COOKIE_TITLES: &[(u32, &str)] = &[(0, "Manual SA with cookie:"), (2, "KINK:"), (3, "IKEV2:")];

/// The protocol whose daemon has labels for its cookies.
const IKE: u32 = 1;

/// Prints the key management protocol and its cookie.
pub(super) fn print_cookie(out: &mut dyn Write, proto: u32, cookie: u64, style: &Style<'_>) -> io::Result<()> {
    write!(out, "KMC:  Protocol {proto}, cookie=")?;
    // The numbers of IKE cookies mean nothing to a user without the labels of the daemon.
    if proto == IKE {
        let label = style.names.cookie(cookie).unwrap_or_else(|| "<Label not found.>".to_owned());
        return writeln!(out, "\"{label}\" ({cookie})");
    }
    // An unknown protocol is not an error: its number is printed before.
    let title = COOKIE_TITLES.iter().find(|row| row.0 == proto).map_or("<unknown>:", |row| row.1);
    writeln!(out, "\"{title}\" ({cookie:#x}/{cookie})")
}

/// Prints the SPI of the paired SA.
pub(super) fn print_pair(out: &mut dyn Write, spi: Spi) -> io::Result<()> {
    writeln!(out, "OTH: Paired with spi={spi}")
}

/// Prints the sequence number: the 32-bit value, or the 64-bit value if that one is 0.
pub(super) fn print_replay(out: &mut dyn Write, value32: u32, value64: u64) -> io::Result<()> {
    match (value32, value64) {
        (0, 0) => writeln!(out, "RPL: Replay Value <Value not found.>0"),
        (0, value) => writeln!(out, "RPL: Replay Value {value}"),
        (value, _) => writeln!(out, "RPL: Replay Value {value}"),
    }
}

/// Prints an unknown extension as 64-bit words; `all` includes its header. With `paranoid` (`-p`) the words are masked: they may be a key.
pub(super) fn print_unknown(out: &mut dyn Write, kind: u16, all: &[u8], paranoid: bool) -> io::Result<()> {
    writeln!(out, "UNK: Unknown ext. {kind}, len {}.", all.len())?;
    for word in all.as_chunks().0 {
        if paranoid {
            writeln!(out, "UNK: 0x{}", mask(2 * word.len()))?;
        } else {
            writeln!(out, "UNK: {:#x}", u64::from_ne_bytes(*word))?;
        }
    }
    Ok(())
}

/// Prints SADB_X_EXT_SA2 of Linux.
pub(super) fn print_second(out: &mut dyn Write, mode: u8, reqid: u32) -> io::Result<()> {
    let name = match mode {
        0 => "any",
        1 => "transport",
        2 => "tunnel",
        3 => "beet",
        _ => "<unknown>",
    };
    writeln!(out, "LNX: mode={name}, reqid={reqid}")
}

/// Prints SADB_X_EXT_NAT_T_TYPE of Linux.
pub(super) fn print_natt_type(out: &mut dyn Write, kind: u8) -> io::Result<()> {
    writeln!(out, "LNX: NAT-T encapsulation type {kind}")
}

/// Prints SADB_X_EXT_NAT_T_SPORT or SADB_X_EXT_NAT_T_DPORT of Linux.
pub(super) fn print_natt_port(out: &mut dyn Write, side: Side, port: u16) -> io::Result<()> {
    let side = if side == Side::Source { "source" } else { "destination" };
    writeln!(out, "LNX: NAT-T {side} port {port}")
}

/// Prints the properties of XFRM that PF_KEY does not have, if they are set.
pub(super) fn print_linux(out: &mut dyn Write, info: &LinuxInfo) -> io::Result<()> {
    let extras = &info.extras;
    write!(out, "LNX: reqid={}, replay window={}", extras.reqid, info.replay_window)?;
    // Linux may have modes that this table lacks, such as route optimization.
    match extras.mode.map(|mode| (linux::mode_word(mode), mode.0)) {
        None => writeln!(out)?,
        Some((Some(word), _)) => writeln!(out, ", mode={word}")?,
        Some((None, number)) => writeln!(out, ", mode=<unknown {number}>")?,
    }
    if extras.flags != XfrmFlags::default() {
        write!(out, "LNX: flags={:#x} < ", extras.flags.0)?;
        linux::flag_words(extras.flags).try_for_each(|name| write!(out, "{name} "))?;
        writeln!(out, ">")?;
    }
    print_mark(out, "mark", extras.mark)?;
    print_mark(out, "output mark", extras.output_mark)?;
    if extras.if_id != 0 {
        writeln!(out, "LNX: interface id={:#x}", extras.if_id)?;
    }
    if let Some(offload) = &extras.offload {
        let (direction, what) =
            (if offload.inbound { "in" } else { "out" }, if offload.whole_packet { "packet" } else { "crypto" });
        writeln!(out, "LNX: offload={what}, device {}, direction {direction}", printable(offload.device.as_bytes()))?;
    }
    if extras.tfcpad != 0 {
        writeln!(out, "LNX: padding to {} bytes", extras.tfcpad)?;
    }
    if let Some(bits) = extras.icv_bits {
        writeln!(out, "LNX: integrity check value of {bits} bits")?;
    }
    print_foreign(out, info)?;
    for word in info.inexpressible.iter().chain(&info.lost) {
        writeln!(out, "LNX: no keyword for: {word}")?;
    }
    print_counters(out, info)
}

fn print_mark(out: &mut dyn Write, name: &str, mark: Option<Masked>) -> io::Result<()> {
    mark.map_or(Ok(()), |mark| writeln!(out, "LNX: {name}={:#x}/{:#x}", mark.value, mark.mask))
}

fn print_foreign(out: &mut dyn Write, info: &LinuxInfo) -> io::Result<()> {
    for (kind, name) in [("Authentication", &info.foreign_auth), ("Encryption", &info.foreign_encr)] {
        if let Some(name) = name {
            writeln!(out, "LNX: {kind} algorithm = {name}")?;
        }
    }
    Ok(())
}

fn print_counters(out: &mut dyn Write, info: &LinuxInfo) -> io::Result<()> {
    let [window, replay, integrity] = info.drops;
    writeln!(
        out,
        "LNX: {} packets, sent sequence={}, received sequence={}",
        info.packets, info.sent_seq, info.received_seq
    )?;
    // Zero on a healthy SA, so the line is worth attention when it appears.
    if info.drops != [0; 3] {
        writeln!(out, "LNX: dropped: {window} behind the window, {replay} replayed, {integrity} failed integrity")?;
    }
    let extras = &info.extras;
    if extras.soft_packets != 0 || extras.hard_packets != 0 {
        writeln!(out, "LNX: packets soft limit={}, hard limit={}", extras.soft_packets, extras.hard_packets)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::{LinuxExtras, XfrmMode};

    fn text(print: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        print(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn print_replay_prefers_32_bits() {
        assert_eq!(text(|out| print_replay(out, 5, 7)), "RPL: Replay Value 5\n");
        assert_eq!(text(|out| print_replay(out, 0, 7)), "RPL: Replay Value 7\n");
        assert_eq!(text(|out| print_replay(out, 0, 0)), "RPL: Replay Value <Value not found.>0\n");
    }

    #[test]
    fn print_unknown_has_words() {
        let mut bytes = 0x0302_0100_0063_0001u64.to_ne_bytes().to_vec();
        bytes.extend([0; 8]);
        assert_eq!(
            text(|out| print_unknown(out, 99, &bytes, false)),
            "UNK: Unknown ext. 99, len 16.\nUNK: 0x302010000630001\nUNK: 0x0\n"
        );
        let masked = format!("UNK: 0x{}\n", "X".repeat(16));
        assert_eq!(
            text(|out| print_unknown(out, 99, &bytes, true)),
            format!("UNK: Unknown ext. 99, len 16.\n{masked}{masked}")
        );
    }

    #[test]
    fn linux() {
        let extras = LinuxExtras {
            mode: Some(XfrmMode::TUNNEL),
            reqid: 7,
            mark: Some(Masked { value: 1, mask: 0xff }),
            flags: XfrmFlags::ESN,
            ..LinuxExtras::default()
        };
        let info = LinuxInfo { extras, replay_window: 128, drops: [0, 2, 0], ..LinuxInfo::default() };
        assert_eq!(
            text(|out| print_linux(out, &info)),
            "LNX: reqid=7, replay window=128, mode=tunnel\nLNX: flags=0x80 < esn >\nLNX: mark=0x1/0xff\n\
             LNX: 0 packets, sent sequence=0, received sequence=0\n\
             LNX: dropped: 0 behind the window, 2 replayed, 0 failed integrity\n"
        );
    }
}
