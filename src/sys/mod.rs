//! Every unsafe block and every family of system calls. Each block says why it is sound.
