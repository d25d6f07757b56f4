//! The anti-replay window of an SA (illumos `sadb.c`, `sadb_replay_check`).

/// Sequence numbers that an SA has received (RFC 4303 section 3.4.3).
#[derive(Clone, Copy, Default)]
pub(crate) struct ReplayWindow {
    /// Width in packets, 0 for none.
    pub(crate) window: u8,
    /// The highest sequence number received or sent.
    pub(crate) last: u32,
    /// Bit n: sequence number `last - n` has been received.
    seen: [u64; 4],
}

impl ReplayWindow {
    pub(crate) fn starting_at(window: u8, last: u32) -> Self {
        Self { window, last, seen: [0; 4] }
    }

    /// Marks `seq` as received; `false` if it was before or is left of the window.
    pub(crate) fn accept(&mut self, seq: u32) -> bool {
        // The first packet has number 1, so the kernel counts from there.
        self.last = self.last.max(1);
        let Some(back) = self.last.checked_sub(seq) else {
            self.shift(seq - self.last);
            self.set_bit(0);
            self.last = seq;
            return true;
        };
        // Left of the window it is not known which packets were received, so they count as replayed.
        let is_new = back < u32::from(self.window) && !self.bit(back);
        if is_new {
            self.set_bit(back);
        }
        is_new
    }

    fn bit(&self, back: u32) -> bool {
        self.seen.get(back as usize / 64).is_some_and(|word| word >> (back % 64) & 1 == 1)
    }

    fn set_bit(&mut self, back: u32) {
        if let Some(word) = self.seen.get_mut(back as usize / 64) {
            *word |= 1 << (back % 64);
        }
    }

    fn shift(&mut self, by: u32) {
        let before = *self;
        self.seen = [0; 4];
        // Numbers left of the window are forgotten.
        for back in 0..u32::from(self.window).saturating_sub(by) {
            if before.bit(back) {
                self.set_bit(back + by);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_takes_each_number_once() {
        let mut replay = ReplayWindow::starting_at(32, 100);
        assert!(replay.accept(101));
        assert!(!replay.accept(101));
        assert!(replay.accept(90));
        assert!(!replay.accept(90));
        assert!(replay.accept(500));
        assert!(!replay.accept(468));
        assert!(replay.accept(469));
        assert!(!replay.accept(0));
        assert_eq!(replay.last, 500);
    }

    #[test]
    fn accept_starts_at_1() {
        let mut replay = ReplayWindow::starting_at(32, 0);
        assert!(replay.accept(0));
        assert!(!replay.accept(0));
        assert_eq!(replay.last, 1);
        assert!(replay.accept(1));
    }

    #[test]
    fn accept_with_a_window_of_255() {
        let mut replay = ReplayWindow::starting_at(255, 0);
        assert!((1..=255).all(|seq| replay.accept(seq)));
        assert!((1..=255).all(|seq| !replay.accept(seq)));
        assert!(replay.accept(300));
        assert!(!replay.accept(45));
        assert!(!replay.accept(255));
        assert!(replay.accept(u32::MAX));
        assert!(!replay.accept(u32::MAX));
    }
}
