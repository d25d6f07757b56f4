//! The program that has a socket open, found in /proc.

use std::fs;
use std::path::Path;

/// The program with the socket `inode`, such as `charon-systemd (pid 779)`; `None` if this process may not see it.
pub(crate) fn owner(inode: u64) -> Option<String> {
    let link = format!("socket:[{inode}]");
    let mut processes = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| {
        let pid = entry.file_name().into_string().ok()?;
        pid.bytes().all(|byte| byte.is_ascii_digit()).then(|| (entry.path(), pid))
    });
    let (directory, pid) = processes.find(|(directory, _)| has_open(directory, &link))?;
    let name = fs::read_to_string(directory.join("comm")).ok()?;
    Some(format!("{} (pid {pid})", crate::redact::printable(name.trim_end().as_bytes())))
}

/// Whether the process of a directory in /proc has a descriptor with that link text.
fn has_open(process: &Path, link: &str) -> bool {
    let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    descriptors.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|target| target.as_os_str() == link)
}
