//! Import and export of keys files: setkey(8), ip-xfrm(8), OpenBSD's ipsec.conf(5), Wireshark, tcpdump.
//!
//! Import translates text to text; its output is parsed like any keys file before it is used. Export takes parsed commands.
#![forbid(unsafe_code)]

mod export;
mod import;
mod names;

pub(crate) use export::{ExportFormat, export};
pub(crate) use import::{ImportFormat, Imported, ImportedPolicy, detect, import};
