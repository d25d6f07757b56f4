//! Allocations that may fail, for buffers as long as a file. The allocator of the programs ends the process for all others.

use std::cell::Cell;
use std::collections::TryReserveError;

thread_local! {
    /// Whether this thread handles a failed allocation itself. Without a destructor, so that it is there for every allocation.
    static HANDLES_FAILURE: Cell<bool> = const { Cell::new(false) };
}

/// Whether the allocation that this thread makes now may fail.
pub(crate) fn handles_failure() -> bool {
    HANDLES_FAILURE.get()
}

/// A vector for `len` bytes.
///
/// # Errors
/// There is no memory for it.
pub(super) fn try_with_capacity(len: usize) -> Result<Vec<u8>, TryReserveError> {
    let mut bytes = Vec::new();
    HANDLES_FAILURE.set(true);
    let reserved = bytes.try_reserve_exact(len);
    HANDLES_FAILURE.set(false);
    reserved.map(|()| bytes)
}
