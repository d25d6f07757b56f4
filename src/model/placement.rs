//! The tables for a new SA (illumos `ipsecesp.c`, `esp_add_sa_finish`; `ipsecah.c`, `ah_add_sa_finish`).

use crate::model::address::{Address, AddressClass};
use crate::model::settings::Settings;
use crate::model::table::TableDirection;
use crate::sa::Flags;

/// The tables for a new SA, and the direction flags that the kernel adds.
pub(crate) struct TablePlacement {
    pub(crate) primary: TableDirection,
    pub(crate) both: bool,
    pub(crate) flags: Flags,
}

impl TablePlacement {
    /// Decides by the direction flags or, without them, by the classes of both addresses.
    pub(crate) fn of(flags: Flags, source: &Address, destination: &Address, settings: &Settings) -> Self {
        use TableDirection::{Inbound, Outbound};
        let both_flags = Flags::INBOUND | Flags::OUTBOUND;
        let class = |address: &Address| AddressClass::of(address.ip, settings);
        let (primary, both, flags) = match (flags.has(Flags::INBOUND), flags.has(Flags::OUTBOUND)) {
            (true, both) => (Inbound, both, Flags::default()),
            (false, true) => (Outbound, false, Flags::default()),
            (false, false) => match (class(destination), class(source)) {
                // The node both sends to a group and receives from it.
                (AddressClass::Multicast, _) => (Inbound, true, both_flags),
                (AddressClass::Local, AddressClass::Other) => (Inbound, false, Flags::INBOUND),
                // Source local or unspecified: the SA is in both tables, but its flags show inbound only.
                (AddressClass::Local, _) => (Inbound, true, Flags::INBOUND),
                (_, AddressClass::Local) => (Outbound, false, Flags::OUTBOUND),
                // Neither address is local. Before the network is configured, that is every SA without direction flags.
                _ => (Outbound, true, both_flags),
            },
        };
        Self { primary, both, flags }
    }
}
