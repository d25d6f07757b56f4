//! Numbers of system errors, which the standard library adds to their texts.

use std::borrow::Cow;

/// `text` without "(os error 2)" and the like: the words before it say the same.
pub(crate) fn without_error_numbers(text: &str) -> Cow<'_, str> {
    let mut parts = text.split(" (os error ");
    let first = parts.next().unwrap_or_default();
    parts.fold(Cow::Borrowed(first), |shown, part| {
        let rest = part.split_once(')').filter(|(number, _)| number.parse::<i32>().is_ok()).map(|(_, rest)| rest);
        match rest {
            Some(rest) => shown + rest,
            None => shown + " (os error " + part,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn without_error_numbers_keeps_the_rest() {
        let error = io::Error::from_raw_os_error(2);
        let text = format!("keys: {error}; run `x`: {error}");
        assert_eq!(without_error_numbers(&text), "keys: No such file or directory; run `x`: No such file or directory");
        for unchanged in ["", "a (os error", "a (os error x) b", "a (os error 1"] {
            assert_eq!(without_error_numbers(unchanged), unchanged);
        }
    }
}
