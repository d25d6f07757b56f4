//! A list that grows without moving its entries: of a vector that grows, the old copy would double the memory for some time.

/// Entries of a chunk.
const CHUNK: usize = 512;

pub(super) struct Store<T> {
    chunks: Vec<Vec<T>>,
}

impl<T> Store<T> {
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new() }
    }

    pub(super) fn push(&mut self, entry: T) {
        match self.chunks.last_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => chunk.push(entry),
            None => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(entry);
                self.chunks.push(chunk);
            }
        }
    }

    /// The entry with that position, in the order in which they were pushed. Panics if there is none.
    pub(super) fn get(&self, at: u32) -> &T {
        let at = at as usize;
        &self.chunks[at / CHUNK][at % CHUNK]
    }

    pub(super) fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn get_finds_each_entry() {
        let mut store = Store::new();
        assert_eq!(store.len(), 0);
        for entry in 0..2 * CHUNK as u32 + 1 {
            store.push(entry);
        }
        assert_eq!(store.len(), 2 * CHUNK + 1);
        assert!((0..2 * CHUNK as u32 + 1).all(|at| *store.get(at) == at));
    }
}
