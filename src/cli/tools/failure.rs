//! The error of a tool: a sentence for the user.

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(in crate::cli) struct Failure(String);

impl Failure {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    #[allow(clippy::needless_pass_by_value, reason = "for map_err")]
    pub(super) fn of(error: impl ToString) -> Self {
        Self(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}
