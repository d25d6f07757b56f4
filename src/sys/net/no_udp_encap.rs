//! UDP ports for ESP where the kernel's way to have one is another: the same name as `udp_port`, and none is held.

use std::convert::Infallible;
use std::io;

/// A port that is held, of which there is none on this system.
pub struct UdpPort {
    _never: Infallible,
}

impl UdpPort {
    /// Holds none.
    ///
    /// # Errors
    /// Always `Unsupported`.
    pub fn hold(_port: u16, _is_ipv6: bool) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Says yes: nothing is known against it.
///
/// # Errors
/// None.
pub fn is_held(_port: u16, _is_ipv6: bool) -> io::Result<bool> {
    Ok(true)
}
