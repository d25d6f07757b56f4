//! Key chains of a file: gaps, windows that are too close for clocks that differ, keys that occur twice.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::chain::Chains;
use crate::chain::faults::Fault;
use crate::keyfile::diagnostics::{Code, Diagnostic, Severity};
use crate::keyfile::source::Location;
use crate::names::times;
use crate::sa::Request;
use crate::secret::Key;

/// Seconds by which the clocks of two hosts may differ, unless an option says otherwise.
pub(crate) const DEFAULT_SKEW: u64 = 300;

/// The additions of one text.
pub(super) struct ChainCheck {
    skew: u64,
    chains: Chains,
    additions: usize,
    /// Where the SAs with windows are, by the number of their addition.
    locations: HashMap<usize, Location>,
    /// First lines of the keys of these SAs, by a hash: it has a random key, and tells nothing about them.
    keys: HashMap<u64, u32>,
    hasher: RandomState,
    found: Vec<Diagnostic>,
}

impl ChainCheck {
    pub(super) fn new(skew: u64) -> Self {
        Self {
            skew,
            chains: Chains::default(),
            additions: 0,
            locations: HashMap::new(),
            keys: HashMap::new(),
            hasher: RandomState::new(),
            found: Vec::new(),
        }
    }

    /// The next addition of the file.
    pub(super) fn add(&mut self, request: &Request, location: Location) {
        self.chains.push_for_any_host(request);
        let position = self.additions;
        self.additions += 1;
        if !request.windows.are_limited() {
            return;
        }
        self.locations.insert(position, location);
        let bytes = [&request.auth_key, &request.encr_key].map(|key| key.as_ref().map_or(&[][..], Key::expose));
        let line = *self.keys.entry(self.hasher.hash_one(bytes)).or_insert(location.line);
        if line != location.line {
            let message = format!("The keys are those of line {line}: a chain changes nothing with them");
            let help = "generate a key for each SA: `ipseckey genkey`";
            self.found.push(Diagnostic::new(Severity::Warning, Code::ChainKey, location, message).help(help));
        }
    }

    /// The warnings about the file as a whole, in the order of its lines.
    pub(super) fn finish(&mut self) -> Vec<Diagnostic> {
        let mut found = std::mem::take(&mut self.found);
        found.extend(self.chains.faults(self.skew).into_iter().filter_map(|fault| self.diagnostic(fault)));
        found.sort_by_key(|diagnostic| diagnostic.span.line);
        found
    }

    /// First lines of the SAs with windows that are accepted or sent with at `time`, in seconds since 1970.
    pub(super) fn lines_at(&self, time: u64) -> Vec<u32> {
        let unwanted = self.chains.unwanted(time);
        let wanted = self.locations.iter().filter(|(position, _)| !unwanted.contains(position));
        let mut lines: Vec<u32> = wanted.map(|(_, location)| location.line).collect();
        lines.sort_unstable();
        lines
    }

    /// When the first chain ends, in seconds since 1970.
    pub(super) fn end(&self) -> Option<u64> {
        self.chains.end()
    }

    fn diagnostic(&self, fault: Fault) -> Option<Diagnostic> {
        let skew = self.skew;
        let (position, code, message, help) = match fault {
            Fault::Gap { position, from, until } => {
                let (from, until) = (times::text(from), times::text(until));
                let message = format!("Before this SA its chain has a gap, from {from} until {until}: packets are dropped");
                (position, Code::ChainGap, message, "let each key begin when the one before it ends".to_owned())
            }
            Fault::AcceptedLate { position } => {
                let message =
                    format!("Packets are lost if the clocks of the hosts differ by {skew} s: accept_from is too late");
                let help = format!("let accept_from be {skew} s before send_from, or earlier; for other clocks use --skew");
                (position, Code::ChainOverlap, message, help)
            }
            Fault::AcceptedShort { position } => {
                let message =
                    format!("Packets are lost if the clocks of the hosts differ by {skew} s: accept_until is too early");
                let help = format!("let accept_until be {skew} s after send_until, or later; for other clocks use --skew");
                (position, Code::ChainOverlap, message, help)
            }
            Fault::ShortOverlap { position } => {
                let both = 2 * skew;
                let message =
                    format!("The SA before this one in its chain is accepted for less than {both} s together with it");
                let help =
                    format!("let them overlap by twice the difference of the clocks: {both} s; for other clocks use --skew");
                (position, Code::ChainOverlap, message, help)
            }
        };
        let location = self.locations.get(&position)?;
        Some(Diagnostic::new(Severity::Warning, code, *location, message).help(help))
    }
}
