//! Error numbers that an SADB answers with, in the numbering of illumos (`sys/errno.h`).

/// Number and meaning of the errors that illumos' keysock, AH and ESP set.
const TABLE: &[(u8, &str)] = &[
    (1, "Not owner"),
    (2, "No such file or directory"),
    (3, "No such process"),
    (4, "Interrupted system call"),
    (5, "I/O error"),
    (11, "Resource temporarily unavailable"),
    (12, "Not enough space"),
    (13, "Permission denied"),
    (14, "Bad address"),
    (16, "Device busy"),
    (17, "File exists"),
    (22, "Invalid argument"),
    (97, "Message too long"),
    (98, "Protocol wrong type for socket"),
    (122, "Operation not supported on transport endpoint"),
    (123, "Protocol family not supported"),
    (132, "No buffer space available"),
];

/// What an illumos error number means.
#[must_use]
pub fn illumos(number: u8) -> Option<&'static str> {
    TABLE.iter().find(|(row, _)| *row == number).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend_and_are_found() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(illumos(122), Some("Operation not supported on transport endpoint"));
        assert_eq!(illumos(0), None);
    }
}
