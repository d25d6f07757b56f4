//! What few SAs have.

use std::ops::{Deref, DerefMut};

/// A value that says nothing at all.
pub trait Silent: Sized + 'static {
    /// That value.
    const NOTHING: &'static Self;
}

impl<T: 'static> Silent for Option<T> {
    const NOTHING: &'static Self = &None;
}

/// A value that is [`Silent::NOTHING`] in almost every SA, and takes the room of a pointer there: tens of thousands of SAs
/// are held at once.
#[derive(Clone, Debug)]
pub struct Seldom<T: Silent>(Option<Box<T>>);

impl<T: Silent> Default for Seldom<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Silent + PartialEq> From<T> for Seldom<T> {
    fn from(value: T) -> Self {
        Self((value != *T::NOTHING).then(|| Box::new(value)))
    }
}

impl<T: Silent> Deref for Seldom<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::NOTHING)
    }
}

impl<T: Silent + Clone> DerefMut for Seldom<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_with(|| Box::new(T::NOTHING.clone()))
    }
}

impl<T: Silent + PartialEq> PartialEq for Seldom<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::LinuxExtras;

    #[test]
    fn nothing_takes_no_room_and_something_is_kept() {
        assert!(Seldom::from(LinuxExtras::default()).0.is_none());
        assert_eq!(*Seldom::<LinuxExtras>::default(), LinuxExtras::default());
        let mut extras = Seldom::from(LinuxExtras { reqid: 7, ..LinuxExtras::default() });
        extras.if_id = 3;
        assert_eq!((extras.reqid, extras.if_id), (7, 3));
    }

    #[test]
    fn what_was_set_to_nothing_is_nothing() {
        let mut extras = Seldom::from(LinuxExtras { reqid: 7, ..LinuxExtras::default() });
        extras.reqid = 0;
        assert!(extras == Seldom::default());
    }
}
