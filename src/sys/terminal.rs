//! The size of a terminal, and whether it gets colours.

use std::io::IsTerminal;
use std::os::fd::{AsFd, AsRawFd};

use nix::libc::{self, winsize};

/// Columns and rows of the terminal `stream`; `None` if it is not a terminal or does not know its size.
#[must_use]
pub(crate) fn size(stream: &impl AsFd) -> Option<(usize, usize)> {
    let mut size = winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the descriptor is open while `stream` is borrowed; TIOCGWINSZ (ioctl_tty(2)) writes one `winsize`, which `size` is.
    let done = unsafe { libc::ioctl(stream.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (done == 0 && size.ws_col > 0 && size.ws_row > 0).then(|| (usize::from(size.ws_col), usize::from(size.ws_row)))
}

/// The width of text for `stream`: that of the terminal, else `$COLUMNS`; `None` if neither is known.
#[must_use]
pub(crate) fn width(stream: &impl AsFd) -> Option<usize> {
    let of_environment = || std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns > 0);
    size(stream).map(|(columns, _)| columns).or_else(of_environment)
}

/// Whether text for `stream` is coloured: on a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
#[must_use]
pub(crate) fn wants_color(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
