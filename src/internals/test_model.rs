//! The model SADB as bytes in and bytes out, for a test that puts faults between it and its clients.

use crate::model::{Model, Settings, SocketId};

/// An empty model SADB.
pub struct TestModel {
    model: Model,
}

/// One client's socket.
#[derive(Clone, Copy, Debug)]
pub struct TestSocket(SocketId);

impl Default for TestModel {
    fn default() -> Self {
        Self { model: Model::new(Settings::default()) }
    }
}

impl TestModel {
    /// Opens a socket, as a new client does.
    pub fn open(&mut self) -> TestSocket {
        TestSocket(self.model.open())
    }

    /// Closes a socket.
    pub fn close(&mut self, socket: TestSocket) {
        self.model.close(socket.0);
    }

    /// Carries out a PF_KEY message in the illumos dialect at `now`, in seconds since 1970.
    pub fn write(&mut self, socket: TestSocket, message: &[u8], now: u64) {
        self.model.write(socket.0, message, now);
    }

    /// The next message for a socket.
    pub fn read(&mut self, socket: TestSocket) -> Option<Vec<u8>> {
        self.model.read(socket.0).map(|message| message.to_vec())
    }
}
