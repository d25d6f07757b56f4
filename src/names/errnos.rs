//! Errnos in replies of an SADB, in the numbering of illumos (`sys/errno.h`). Up to 34 they are the same on Linux.

pub(crate) const ENOENT: u8 = 2;
pub(crate) const ESRCH: u8 = 3;
pub(crate) const ENOMEM: u8 = 12;
pub(crate) const EBUSY: u8 = 16;
pub(crate) const EEXIST: u8 = 17;
pub(crate) const EINVAL: u8 = 22;
pub(crate) const EMSGSIZE: u8 = 97;
pub(crate) const EPROTOTYPE: u8 = 98;
pub(crate) const EOPNOTSUPP: u8 = 122;

/// Errno and text of the errors that illumos' keysock, AH and ESP report.
const TABLE: &[(u8, &str)] = &[
    (1, "Not owner"),
    (ENOENT, "No such file or directory"),
    (ESRCH, "No such process"),
    (4, "Interrupted system call"),
    (5, "I/O error"),
    (11, "Resource temporarily unavailable"),
    (ENOMEM, "Not enough space"),
    (13, "Permission denied"),
    (14, "Bad address"),
    (EBUSY, "Device busy"),
    (EEXIST, "File exists"),
    (EINVAL, "Invalid argument"),
    (EMSGSIZE, "Message too long"),
    (EPROTOTYPE, "Protocol wrong type for socket"),
    (EOPNOTSUPP, "Operation not supported on transport endpoint"),
    (123, "Protocol family not supported"),
    (132, "No buffer space available"),
];

/// The text of an illumos errno.
#[must_use]
pub(crate) fn illumos(number: u8) -> Option<&'static str> {
    TABLE.iter().find(|(row, _)| *row == number).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn illumos_errnos_ascend() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(illumos(EOPNOTSUPP), Some("Operation not supported on transport endpoint"));
        assert_eq!(illumos(0), None);
    }
}
