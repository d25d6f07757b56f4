//! Standard output for keys: refused if it is a file that other users can read or change.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use super::output::secret_stdout;
use crate::secret::SecretWriter;
use crate::sys::fs::checks::{self, PrivacyFinding};

/// Standard output. A terminal or a pipe is the user's decision; a file must be as private as one that `-o FILE` creates.
///
/// # Errors
/// `PermissionDenied` for a file that other users can read or change. Nothing was written then, and nothing may be: the shell has
/// created the file of a redirection already.
pub(super) fn private_stdout() -> io::Result<SecretWriter<File>> {
    require_private(&io::stdout())?;
    secret_stdout()
}

fn require_private(out: &impl AsFd) -> io::Result<()> {
    let file = File::from(out.as_fd().try_clone_to_owned()?);
    if !file.metadata()?.is_file() {
        return Ok(());
    }
    // The path of an open file is unknown.
    match checks::check_open_file(Path::new(""), &file)?.first() {
        None => Ok(()),
        Some(finding) => Err(io::Error::new(io::ErrorKind::PermissionDenied, refusal(finding))),
    }
}

fn refusal(finding: &PrivacyFinding) -> String {
    let found = match finding {
        PrivacyFinding::Mode { mode, .. } => format!("a file of mode {mode:04o}, which other users can read or change"),
        PrivacyFinding::Owner { uid, .. } => format!("a file of user {uid}, who can read and change it"),
        _ => "a file with an access list for other users".to_owned(),
    };
    format!(
        "standard output is {found}: name a file instead, which is created for you alone, or remove this file and run `umask 077` \
         before the redirection"
    )
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, fchown};

    use super::*;

    #[test]
    fn require_private_refuses_a_file_that_others_can_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        require_private(file.as_file()).unwrap();
        file.as_file().set_permissions(Permissions::from_mode(0o640)).unwrap();
        assert!(require_private(file.as_file()).unwrap_err().to_string().contains("0640"));
    }

    #[test]
    fn require_private_refuses_a_file_of_another_user() {
        if !nix::unistd::geteuid().is_root() {
            let _ = writeln!(io::stderr(), "skipped: only root can change the owner of a file");
            return;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        fchown(file.as_file(), Some(65534), None).unwrap();
        assert!(require_private(file.as_file()).unwrap_err().to_string().contains("user 65534"));
    }

    #[test]
    fn require_private_accepts_what_is_no_file() {
        require_private(&File::options().write(true).open("/dev/null").unwrap()).unwrap();
    }
}
