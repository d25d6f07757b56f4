//! For the fuzz targets, the benchmarks and the tests of this repository (feature `internals`). No stable interface.
#![forbid(unsafe_code)]

pub(crate) mod faulty_sadb;
pub mod floor;
pub mod fuzz;
pub(crate) mod goal;
pub mod kernel;
pub mod language;
mod leak;
pub mod parts;
pub mod pf_key;
pub(crate) mod saved_text;
pub mod test_model;
