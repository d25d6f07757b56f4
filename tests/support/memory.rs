//! Searches memory for keys: for eight consecutive bytes of any key, and for eight consecutive digits.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;

use nix::unistd::Pid;

/// Length of the pieces to search for, in bytes and in digits.
const PIECE: usize = 8;

/// Pieces of keys that must not be in memory.
pub struct KeyPieces {
    pieces: HashSet<[u8; PIECE]>,
    /// Whether a piece starts with these two bytes.
    starts: Vec<bool>,
}

impl KeyPieces {
    /// Pieces of `keys`, which are hexadecimal.
    pub fn of(keys: &[String]) -> Self {
        let mut pieces = HashSet::new();
        for key in keys {
            for spelling in [key.to_ascii_lowercase().into_bytes(), key.to_ascii_uppercase().into_bytes(), super::unhex(key)]
            {
                pieces.extend(spelling.windows(PIECE).map(|piece| <[u8; PIECE]>::try_from(piece).unwrap()));
            }
        }
        let mut starts = vec![false; 1 << 16];
        for piece in &pieces {
            starts[usize::from(u16::from_ne_bytes([piece[0], piece[1]]))] = true;
        }
        Self { pieces, starts }
    }

    /// Positions of pieces in `bytes`.
    pub fn places(&self, bytes: &[u8]) -> Vec<usize> {
        let is_piece = |window: &[u8]| {
            self.starts[usize::from(u16::from_ne_bytes([window[0], window[1]]))] && self.pieces.contains(window)
        };
        bytes.windows(PIECE).enumerate().filter_map(|(at, window)| is_piece(window).then_some(at)).collect()
    }
}

/// The result of a search.
#[derive(Default)]
pub struct Searched {
    pub bytes: usize,
    pub found: Vec<String>,
}

/// Searches every writable page of a process; `None` without permission to read its memory.
pub fn search(pid: Pid, pieces: &KeyPieces) -> Option<Searched> {
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut searched = Searched::default();
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|rights| rights.starts_with("rw"))) {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let (from, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        memory.read_exact_at(&mut bytes, from).unwrap();
        let part = search_bytes(line.split_whitespace().nth(5).unwrap_or("anonymous"), &bytes, pieces);
        searched.bytes += part.bytes;
        searched.found.extend(part.found);
    }
    Some(searched)
}

pub fn search_bytes(name: &str, bytes: &[u8], pieces: &KeyPieces) -> Searched {
    let found = pieces.places(bytes).iter().map(|at| format!("{name}+{at:#x}")).collect();
    Searched { bytes: bytes.len(), found }
}

/// Fails if something was found; prints a notice without permission to read the memory.
#[track_caller]
pub fn expect_nothing(what: &str, searched: Option<Searched>) {
    let Some(searched) = searched else {
        assert!(!nix::unistd::geteuid().is_root(), "{what}: root may look into every memory");
        return;
    };
    assert!(searched.bytes > 100_000, "{what}: only {} bytes were searched", searched.bytes);
    let found = &searched.found;
    assert!(
        found.is_empty(),
        "{what}: {} pieces in {} bytes: {:?}",
        found.len(),
        searched.bytes,
        &found[..found.len().min(9)]
    );
    let _ = writeln!(std::io::stderr(), "{what}: {} bytes of memory searched", searched.bytes);
}
