//! Keys files from and to what other programs read: setkey(8), ip-xfrm(8), OpenBSD's ipsec.conf(5), Wireshark, tcpdump.
//!
//! Import is text to text: what it writes is parsed like any keys file before it is used. Export starts from parsed commands.
#![forbid(unsafe_code)]

mod export;
mod import;
mod ip_xfrm;
mod ipsec_conf;
mod names;
mod setkey;
mod statements;

pub use export::{Skipped, Target, export};
pub use import::{Imported, Note, Source, import};
