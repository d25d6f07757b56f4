//! Bytes of the kernel interfaces. No sockets here.
