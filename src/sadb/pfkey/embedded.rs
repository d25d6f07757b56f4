//! A model SADB in this process: `--sadb model:illumos`.

use std::io;
use std::thread::sleep;
use std::time::Duration;

use crate::model::{Model, Settings, SocketId};
use crate::sadb::Transport;
use crate::secret::Buffer;
use crate::sys::process::interrupt;
use crate::sys::time::{Deadline, unix_now};

/// Interval of [`Model::tick`] while the client waits for a message.
const TICK: Duration = Duration::from_millis(200);

/// A model with one socket and the system's clock.
pub(crate) struct Embedded {
    model: Model,
    socket: SocketId,
}

impl Embedded {
    /// Starts with an empty SADB.
    #[must_use]
    pub(crate) fn new(settings: Settings) -> Self {
        let mut model = Model::new(settings);
        let socket = model.open();
        Self { model, socket }
    }
}

impl Transport for Embedded {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let now = unix_now();
        self.model.tick(now);
        self.model.write(self.socket, message, now);
        Ok(())
    }

    fn receive(&mut self, deadline: &mut Deadline) -> io::Result<Option<Buffer>> {
        loop {
            if let Some(message) = self.model.read(self.socket) {
                return Ok(Some(message));
            }
            if interrupt::is_requested() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let left = deadline.remaining().unwrap_or(TICK);
            if left.is_zero() {
                return Ok(None);
            }
            sleep(left.min(TICK));
            self.model.tick(unix_now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::sa::{Endpoint, KeyRole, MessageType, Request, SaState, SaType, Spi};
    use crate::sadb::{PairScope, PfKey, Sadb};
    use crate::secret::Key;
    use crate::wire::pfkey::Dialect;

    fn request(spi: u32) -> Request {
        let endpoint = |ip: &str| Some(Endpoint { addr: ip.parse().unwrap(), port: 0, proto: 0 });
        Request {
            sa_type: SaType::ESP,
            spi: Spi(spi),
            state: SaState::MATURE,
            src: endpoint("10.0.0.1"),
            dst: endpoint("10.0.0.2"),
            encr_alg: crate::sa::EncrAlg(12),
            encr_key: Some(Key::from_slice(&[7; 16], 128, 0)),
            ..Request::default()
        }
    }

    #[test]
    fn embedded_model_serves_every_request() {
        let mut sadb = PfKey::new(Embedded::new(Settings::default()), &Dialect::ILLUMOS);
        sadb.add(&request(1)).unwrap();
        sadb.add(&request(2)).unwrap();
        assert!(sadb.add(&request(2)).is_err());
        let found = sadb.get(&request(1)).unwrap();
        assert_eq!(found.kind, MessageType::GET);
        assert_eq!(found.key(KeyRole::Encr).unwrap().expose(), [7; 16]);
        sadb.delete(&request(1), PairScope::One).unwrap();
        let mut count = 0;
        let mut each = |_: &crate::sa::Message| {
            count += 1;
            ControlFlow::Continue(())
        };
        sadb.dump(SaType::UNSPEC, &mut each).unwrap();
        assert_eq!(count, 1);
        sadb.flush(SaType::UNSPEC).unwrap();
        assert!(sadb.get(&request(2)).is_err());
    }
}
