//! The backends for Linux: XFRM, PF_KEY in the dialect of Linux, and the side store for what neither can hold.

pub(super) mod af_key;
mod check;
mod direction;
pub(super) mod errors;
pub(super) mod neighbours;
pub(super) mod routes;
pub(super) mod side_store;
pub(super) mod xfrm;
