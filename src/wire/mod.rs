//! Codecs of the kernel interfaces, without sockets.
//!
//! [`reader`] and [`writer`] check all bounds and lengths; [`pfkey`], [`xfrm`], [`neighbour`] and [`route`] define the order of the fields.
#![forbid(unsafe_code)]

pub(crate) mod neighbour;
pub(crate) mod pfkey;
pub(crate) mod reader;
pub(crate) mod route;
mod rtnetlink;
pub(crate) mod writer;
pub(crate) mod xfrm;
