//! The heap of these programs: what is given back is wiped first.
//!
//! Keys live in [`crate::secret`], which wipes them itself. This is the net below it, for what passes through buffers of
//! others: the line editor, a formatter, a vector that grew.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;

/// The system's allocator, which wipes each block before the system gets it back. A program installs it as its global allocator.
pub struct WipingAllocator;

// SAFETY: every block comes from `System` and goes back to it with the layout it came with. A block is written to only
// here in `dealloc`, when the caller has given it up, and only as far as its layout reaches. `realloc` is the trait's own:
// a new block, a copy, and a wiped old one, so that nothing is moved without leaving its old place clean.
unsafe impl GlobalAlloc for WipingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block has `layout.size()` bytes, and the caller will not touch them again.
        unsafe { block.write_bytes(0, layout.size()) };
        // The optimiser must not know that nobody reads the zeros.
        black_box(block);
        // SAFETY: as for `alloc`.
        unsafe { System.dealloc(block, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the programs install it.
    #[global_allocator]
    static HEAP: WipingAllocator = WipingAllocator;

    /// A page, to be aligned.
    #[repr(align(4096))]
    #[derive(Clone, Copy)]
    struct Page([u8; 4096]);

    #[test]
    fn what_moves_stays_what_it_was() {
        for size in [1, 8, 100, 5_000, 1 << 20] {
            let mut bytes = vec![0x5a_u8; size];
            bytes.extend_from_slice(&vec![0xa5; size]);
            assert!(bytes[..size].iter().all(|byte| *byte == 0x5a) && bytes[size..].iter().all(|byte| *byte == 0xa5));
        }
        let mut pages = vec![Page([7; 4096])];
        pages.extend([Page([8; 4096]); 9]);
        assert!(pages[0].0.iter().all(|byte| *byte == 7));
        assert_eq!(std::ptr::from_ref(&pages[0]).addr() % 4096, 0);
    }

    #[test]
    fn fresh_zeros_are_zeros() {
        drop(vec![0xff_u8; 10_000]);
        assert!(vec![0_u64; 1250].iter().all(|word| *word == 0));
    }
}
