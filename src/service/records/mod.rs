//! What the service records in its directories: which SAs and policies are its own, and a digest of its keys file. No key.

pub(crate) mod added;
pub(crate) mod file_digest;
mod owned_file;
pub(crate) mod owned_policies;
pub(crate) mod owned_sas;
pub(crate) mod runtime_file;
pub(crate) mod service_sas;
