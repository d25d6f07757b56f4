//! PF_KEY: the client, batches of requests, and the transports that carry them.

pub(crate) mod batch;
pub(crate) mod client;
pub(crate) mod embedded;
pub(crate) mod transport;
