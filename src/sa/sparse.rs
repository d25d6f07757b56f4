//! Storage for values that few SAs have.

use std::ops::{Deref, DerefMut};

/// A type with a default value in static memory.
pub(crate) trait StaticDefault: Sized + 'static {
    /// The default value, which [`Sparse`] refers to.
    const DEFAULT: &'static Self;
}

impl<T: 'static> StaticDefault for Option<T> {
    const DEFAULT: &'static Self = &None;
}

/// A value that is [`StaticDefault::DEFAULT`] in almost every SA. The default takes the memory of a pointer, because a program holds
/// 100,000 SAs at once.
#[derive(Clone, Debug)]
pub(crate) struct Sparse<T: StaticDefault>(Option<Box<T>>);

impl<T: StaticDefault> Default for Sparse<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: StaticDefault + PartialEq> From<T> for Sparse<T> {
    fn from(value: T) -> Self {
        // The default is never boxed, so that a request without extras needs no allocation.
        Self((value != *T::DEFAULT).then(|| Box::new(value)))
    }
}

impl<T: StaticDefault> Deref for Sparse<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::DEFAULT)
    }
}

impl<T: StaticDefault + Clone> DerefMut for Sparse<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_with(|| Box::new(T::DEFAULT.clone()))
    }
}

impl<T: StaticDefault + PartialEq> PartialEq for Sparse<T> {
    fn eq(&self, other: &Self) -> bool {
        // A boxed default equals none: `deref_mut` may have made one.
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::LinuxExtras;

    #[test]
    fn sparse_allocates_nothing_for_the_default() {
        assert!(Sparse::from(LinuxExtras::default()).0.is_none());
        assert_eq!(*Sparse::<LinuxExtras>::default(), LinuxExtras::default());
        let mut extras = Sparse::from(LinuxExtras { reqid: 7, ..LinuxExtras::default() });
        extras.if_id = 3;
        assert_eq!((extras.reqid, extras.if_id), (7, 3));
    }

    #[test]
    fn sparse_equals_the_default_after_a_reset() {
        let mut extras = Sparse::from(LinuxExtras { reqid: 7, ..LinuxExtras::default() });
        extras.reqid = 0;
        assert!(extras == Sparse::default());
    }
}
