//! Messages in the layout of ipseckey(1M), which scripts parse. Each line of an extension starts with three letters for it.

use std::io::{self, Write};

use super::offers::{AuthName, EncrName, TypeName};
use super::{Style, address, extras, identity, key, lifetime, offers};
use crate::names::{diagnostics, messages};
use crate::sa::{Association, AuthAlg, EncrAlg, Extension, Flags, Message, SaState, SaType};

/// The printed words of states.
const STATES: &[(SaState, &str)] = &[
    (SaState::LARVAL, "LARVAL"),
    (SaState::MATURE, "MATURE"),
    (SaState::DYING, "DYING"),
    (SaState::DEAD, "DEAD"),
    (SaState::ACTIVE_ELSEWHERE, "ACTIVE_ELSEWHERE"),
    (SaState::IDLE, "IDLE"),
];

/// The printed words of flags, in the order of output.
const FLAGS: &[(Flags, &str)] = &[
    (Flags::PFS, "PFS"),
    (Flags::NOREPLAY, "NOREPLAY"),
    (Flags::USED, "X_USED"),
    (Flags::PAIRED, "X_PAIRED"),
    (Flags::OUTBOUND, "X_OUTBOUND"),
    (Flags::INBOUND, "X_INBOUND"),
    (Flags::UNIQUE, "X_UNIQUE"),
    (Flags::AALG1, "X_AALG1"),
    (Flags::AALG2, "X_AALG2"),
    (Flags::EALG1, "X_EALG1"),
    (Flags::EALG2, "X_EALG2"),
    (Flags::NATT_LOC, "X_NATT_LOC"),
    (Flags::NATT_REM, "X_NATT_REM"),
    (Flags::TUNNEL, "X_TUNNEL"),
    (Flags::NATTED, "X_NATTED"),
];

const RULE: &str = "==========================================";

/// Prints a message: header, extensions in their order, lifetimes last.
///
/// # Errors
/// Those of `out`.
pub(crate) fn print(out: &mut dyn Write, message: &Message, style: &Style<'_>) -> io::Result<()> {
    if style.timestamp {
        writeln!(out, "Timestamp: {}", (style.date)(style.now))?;
    }
    // The order of extensions is the SADB's; lifetimes come last, since their remaining amounts need the current one.
    print_header(out, message, style)?;
    message.extensions.iter().try_for_each(|extension| print_extension(out, extension, style))?;
    lifetime::print(out, message, style)
}

/// Prints a message in the form of `dump`: with an empty line after it.
///
/// # Errors
/// Those of `out`.
pub(crate) fn print_entry(out: &mut dyn Write, message: &Message, style: &Style<'_>) -> io::Result<()> {
    print(out, message, style)?;
    writeln!(out)
}

/// Prints a message in the form of `monitor`: its length, the message, an empty line.
///
/// # Errors
/// Those of `out`.
pub(crate) fn print_heard(out: &mut dyn Write, message: &Message, style: &Style<'_>) -> io::Result<()> {
    writeln!(out, "Read {} bytes.", message.byte_len)?;
    print_entry(out, message, style)
}

/// Prints the first line of `monitor` or `passive_monitor`.
///
/// # Errors
/// Those of `out`.
pub(crate) fn print_monitor_start(out: &mut dyn Write, passive: bool) -> io::Result<()> {
    writeln!(out, "{} monitoring the PF_KEY socket.", if passive { "Passively" } else { "Actively" })
}

/// Prints a request before it is sent to the SADB (`-v`).
///
/// # Errors
/// Those of `out`.
pub(crate) fn print_sent(out: &mut dyn Write, message: &Message, style: &Style<'_>) -> io::Result<()> {
    writeln!(out, "VERBOSE ON:  Message to kernel looks like:\n{RULE}")?;
    print(out, message, style)?;
    writeln!(out, "{RULE}")
}

/// Prints the last line of `dump`.
///
/// # Errors
/// Those of `out`.
pub(crate) fn print_dump_end(out: &mut dyn Write, sa_type: SaType) -> io::Result<()> {
    writeln!(out, "Dump succeeded for SA type {}.", sa_type.0)
}

fn print_header(out: &mut dyn Write, message: &Message, style: &Style<'_>) -> io::Result<()> {
    write!(out, "Base message (version {}) type ", message.version)?;
    match messages::name(message.kind) {
        Some(name) => write!(out, "{name}")?,
        None => write!(out, "Unknown ({})", message.kind.0)?,
    }
    writeln!(out, ", SA type {}.", TypeName(message.sa_type))?;
    // The numbering depends on the SADB, so its texts come with the style.
    if message.errno != 0 {
        match (style.errno)(message.errno) {
            Some(text) => writeln!(out, "Error {text} from PF_KEY.")?,
            None => writeln!(out, "Error Unknown error {} from PF_KEY.", message.errno)?,
        }
        print_diagnostic(out, message)?;
    }
    writeln!(out, "Message length {} bytes, seq={}, pid={}.", message.byte_len, message.seq, message.pid)
}

/// Prints the diagnostic code of a reply with an error.
///
/// # Errors
/// Those of `out`.
pub(crate) fn print_diagnostic(out: &mut dyn Write, message: &Message) -> io::Result<()> {
    writeln!(out, "  Diagnostic code {}:  {}.", message.diagnostic.0, diagnostics::text(message.diagnostic))
}

fn print_extension(out: &mut dyn Write, extension: &Extension, style: &Style<'_>) -> io::Result<()> {
    match extension {
        Extension::Association(sa) => print_association(out, sa),
        // Printed at the end, all together.
        Extension::Lifetime(..) => Ok(()),
        Extension::Address(role, info) => address::print(out, *role, info, style),
        Extension::Key(role, key) => key::print(out, *role, key, style),
        Extension::Identity(side, identity) => identity::print(out, *side, identity, style.paranoid),
        Extension::Proposal { replay, combinations } => offers::print_proposal(out, *replay, combinations),
        Extension::Supported(role, algorithms) => offers::print_supported(out, *role, algorithms),
        Extension::SpiRange { min, max } => offers::print_spi_range(out, *min, *max),
        Extension::ExtendedRegister(types) => offers::print_register(out, types),
        Extension::ExtendedProposal { replay, combinations } => offers::print_extended(out, *replay, combinations),
        Extension::KmCookie { proto, cookie } => extras::print_cookie(out, *proto, *cookie, style),
        Extension::Pair(spi) => extras::print_pair(out, *spi),
        Extension::ReplayValue { value32, value64 } => extras::print_replay(out, *value32, *value64),
        Extension::ExtendedDump { timeout } => writeln!(out, "DMP: SAs idle for {timeout} seconds"),
        Extension::SecondAssociation { mode, reqid, .. } => extras::print_second(out, *mode, *reqid),
        Extension::NattType(kind) => extras::print_natt_type(out, *kind),
        Extension::NattPort(side, port) => extras::print_natt_port(out, *side, *port),
        Extension::Linux(info) => extras::print_linux(out, info),
        Extension::Unknown { kind, bytes } => extras::print_unknown(out, *kind, bytes, style.paranoid),
    }
}

fn print_association(out: &mut dyn Write, sa: &Association) -> io::Result<()> {
    write!(out, "SA: SADB_ASSOC spi={}, replay window size={}, state=", sa.spi, sa.replay)?;
    match STATES.iter().find(|row| row.0 == sa.state) {
        Some((_, name)) => writeln!(out, "{name}")?,
        None => writeln!(out, "<unknown {}>", sa.state.0)?,
    }
    if sa.auth != AuthAlg::NONE {
        writeln!(out, "SA: Authentication algorithm = {}", AuthName(sa.auth))?;
    }
    if sa.encr != EncrAlg::NONE {
        writeln!(out, "SA: Encryption algorithm = {}", EncrName(sa.encr))?;
    }
    // The brackets are printed without flags too: scripts look for them.
    write!(out, "SA: flags={:#x} < ", sa.flags.0)?;
    let set = FLAGS.iter().filter(|(flag, _)| sa.flags.has(*flag));
    set.map(|(_, name)| name).try_for_each(|name| write!(out, "{name} "))?;
    writeln!(out, ">")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::sa::{DiagnosticCode, MessageType, Spi};
    use crate::show::{NoNames, utc};

    /// Numbers only, at time 1700000000; error 22 is the only one with a text.
    pub(in crate::show) fn style() -> Style<'static> {
        Style {
            numeric: true,
            paranoid: false,
            verbose: false,
            timestamp: false,
            now: 1_700_000_000,
            date: utc,
            errno: |number| (number == 22).then_some("Invalid argument"),
            names: &NoNames,
        }
    }

    fn printed(message: &Message, style: &Style<'_>) -> String {
        let mut out = Vec::new();
        print_heard(&mut out, message, style).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn message(kind: MessageType, errno: u8, diagnostic: u16, extensions: Vec<Extension>) -> Message {
        let (sa_type, diagnostic) = (SaType::ESP, DiagnosticCode(diagnostic));
        Message { version: 2, kind, errno, sa_type, byte_len: 16, diagnostic, seq: 5, pid: 77, extensions }
    }

    #[test]
    fn errors() {
        let refused = message(MessageType::ADD, 22, 41, Vec::new());
        assert_eq!(
            printed(&refused, &Style { timestamp: true, ..style() }),
            "Read 16 bytes.\nTimestamp: Tue Nov 14 22:13:20 2023\nBase message (version 2) type ADD, SA type ESP.\n\
             Error Invalid argument from PF_KEY.\n  Diagnostic code 41:  encryption algorithm not supported.\n\
             Message length 16 bytes, seq=5, pid=77.\n\n"
        );
        let odd = printed(&message(MessageType(200), 255, 999, Vec::new()), &style());
        assert!(odd.contains("type Unknown (200)") && odd.contains("Error Unknown error 255 from PF_KEY."), "{odd}");
    }

    #[test]
    fn flags_in_their_order() {
        let flags = Flags::TUNNEL | Flags::PAIRED | Flags::INBOUND;
        let sa = Association { spi: Spi(0x99), flags, state: SaState(9), ..Association::default() };
        let text = printed(&message(MessageType::GET, 0, 0, vec![Extension::Association(sa)]), &style());
        assert!(text.contains("SA: SADB_ASSOC spi=0x99, replay window size=0, state=<unknown 9>\n"), "{text}");
        assert!(text.contains("SA: flags=0x34000 < X_PAIRED X_INBOUND X_TUNNEL >\n"), "{text}");
    }
}
