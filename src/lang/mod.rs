//! Text to commands: the command language of ipseckey(1M).
#![forbid(unsafe_code)]

mod command;

pub use command::{Command, SaCommand, Target, Verb};
