//! Bytes of the kernel interfaces: messages and requests to bytes and back. No sockets here.
//!
//! [`reader`] and [`writer`] do all the counting; the files of [`pfkey`] and [`xfrm`] say which field comes where.
#![forbid(unsafe_code)]

pub mod pfkey;
pub mod reader;
pub mod writer;
pub mod xfrm;
