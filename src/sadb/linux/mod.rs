//! The backends for Linux: XFRM, PF_KEY in the dialect of Linux, and the side store for what neither can hold.

pub(crate) mod af_key;
pub(crate) mod check;
pub(crate) mod errors;
pub(crate) mod retry;
pub(crate) mod side_store;
pub(crate) mod xfrm;
