//! Tests of the library as a whole, compiled into it: the language, the printed and saved texts, reconciliation, on the model SADB.

mod completions;
mod illumos;
mod illumos_rules;
mod import;
mod key_forms;
mod lang_properties;
mod leaks;
mod reconcile;
mod round_trip;
mod save_loop;
mod show_vectors;
mod spy;
