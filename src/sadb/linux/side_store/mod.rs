//! The side store: files with what Linux cannot hold of an SA. It holds no keys.
//!
//! That is the pair, identities, idle lifetimes, the NAT's external address and, on kernels without `XFRMA_SA_DIR` (before
//! 6.10), the direction. There is one file for each network namespace in `/run/ipseckey`: a line of JSON for each change,
//! appended under a lock and rewritten from time to time. An entry is valid only while the kernel has an SA with this identity
//! that was added in the same second.

mod entry;
mod store;

pub(super) use entry::SideEntry;
#[cfg(feature = "internals")]
pub(crate) use store::rewrite_side_store;
pub(super) use store::{DIRECTORY, SideStore};
