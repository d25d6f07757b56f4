//! PF_KEYv2.
