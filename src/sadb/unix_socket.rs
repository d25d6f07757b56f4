//! `unix:PATH`: an SADB behind a Unix socket. Its server receives keys, so it must belong to root or the caller.

use std::io;
use std::path::Path;

use super::SadbError;
use crate::redact::shown;
use crate::sys::fs::checks::directories;
use crate::sys::net::packet_socket::PacketSocket;
use crate::sys::net::peer;

/// Connects to the server at `path`.
///
/// # Errors
/// [`SadbError::Unavailable`] if no process listens there, if it runs as another user than root or the caller, or if other users can
/// replace the socket.
pub(super) fn connect(path: &Path) -> Result<PacketSocket, SadbError> {
    let me = nix::unistd::geteuid().as_raw();
    if let Some(finding) = directories::check(path, me).first() {
        return Err(refused(path, format!("other users can replace the socket: {finding}")));
    }
    let socket = PacketSocket::connect_unix(path).map_err(|source| SadbError::Unavailable {
        what: format!("no SADB listens at {} (start one with sadb-model --listen PATH)", shown(path)),
        source,
    })?;
    // Before the first message: a server without any rights here would get all keys.
    match socket.peer_user() {
        Ok(user) if peer::is_root_or_self(user) => Ok(socket),
        Ok(user) => {
            let expected = if me == 0 { "root".to_owned() } else { format!("root or user {me}") };
            Err(refused(path, format!("its server runs as user {user}, expected {expected}: start the server as that user")))
        }
        Err(error) => Err(refused(path, format!("the user of its server is unknown: {error}"))),
    }
}

fn refused(path: &Path, why: String) -> SadbError {
    SadbError::Unavailable {
        what: format!("unix:{} is refused, nothing was sent", shown(path)),
        source: io::Error::new(io::ErrorKind::PermissionDenied, why),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::sys::net::listener::Listener;

    #[test]
    fn connect_refuses_a_socket_that_others_can_replace() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sadb");
        let _listener = Listener::bind(&path).unwrap();
        connect(&path).unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
        let refused = connect(&path).err().unwrap().to_string();
        assert!(refused.contains("other users can replace the socket") && refused.contains("chmod go-w"), "{refused}");
    }
}
