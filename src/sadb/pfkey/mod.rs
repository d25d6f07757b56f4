//! PF_KEY sockets: the client, batches of requests, and the transports below.

pub(crate) mod batch;
pub(crate) mod client;
pub(crate) mod embedded;
pub(crate) mod transport;
