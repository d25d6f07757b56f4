//! The allocator of these programs: freed memory is wiped, and want of memory is an error.
//!
//! [`crate::secret`] wipes keys itself. This is the second line of defence, for copies in buffers of other code: the line editor,
//! a formatter, a vector that grew.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::io::{Cursor, Write};

use crate::secret::handles_failure;

/// The exit status of a program that cannot get memory.
const FAILED: i32 = 1;

/// Ends the process with a message if `block` is null. Without this the standard library would abort it: a signal, and a core file
/// where there is no limit.
fn require(block: *mut u8, len: usize) -> *mut u8 {
    if block.is_null() && !handles_failure() {
        end_without_memory(len);
    }
    block
}

fn end_without_memory(len: usize) -> ! {
    // In a buffer of its own: there is no memory for a text.
    let mut message = Cursor::new([0; 80]);
    let _ = writeln!(message, "out of memory: {len} bytes more are needed; use a smaller file");
    let written = usize::try_from(message.position()).unwrap_or_default();
    let _ = nix::unistd::write(std::io::stderr(), message.get_ref().get(..written).unwrap_or_default());
    // SAFETY: _exit(2) takes a number, and does not return. exit(3) would run handlers, which may allocate.
    unsafe { nix::libc::_exit(FAILED) }
}

/// The system's allocator, with a wipe before each free. A program installs it as its global allocator.
pub struct WipingAllocator;

// SAFETY: every block comes from `System` and is returned to it with the same layout. `dealloc` alone writes to a block, after
// the caller has freed it and only within its layout. `realloc` is the trait's default: it allocates, copies and calls `dealloc`,
// so the old block is wiped as well.
unsafe impl GlobalAlloc for WipingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligations are those of `System`.
        require(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        require(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block has `layout.size()` bytes, and the caller does not use them after this call.
        unsafe { block.write_bytes(0, layout.size()) };
        // Keeps the compiler from removing the write to memory that is freed next.
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

    /// A type with the alignment of a page.
    #[repr(align(4096))]
    #[derive(Clone, Copy)]
    struct Page([u8; 4096]);

    #[test]
    fn realloc_keeps_the_contents() {
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
    fn alloc_zeroed_returns_zeros() {
        drop(vec![0xff_u8; 10_000]);
        assert!(vec![0_u64; 1250].iter().all(|word| *word == 0));
    }
}
