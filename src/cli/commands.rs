//! The first words of commands, for completion.

/// Every first word of a command.
pub(super) const COMMAND_WORDS: &[&str] = &[
    "add",
    "update",
    "update-pair",
    "delete",
    "delete-pair",
    "get",
    "flush",
    "dump",
    "save",
    "monitor",
    "passive_monitor",
    "pmonitor",
    "help",
    "quit",
    "exit",
];
