//! Files with a key in one of the forms, in one of the places.

use super::damage::Random;
use super::forms::FORMS;
use super::places::{LANGUAGES, Language, file};

/// A file and its key.
pub(crate) struct Sample {
    form: &'static str,
    language: Language,
    pub(crate) key: Vec<u8>,
    /// The key in the form.
    pub(crate) written: String,
    pub(crate) text: Vec<u8>,
}

impl Sample {
    /// The file of that number; each form has its turn.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(1 << 42 | seed);
        let len = random.pick(&[16, 16, 20, 24, 32]);
        let key: Vec<u8> = (0..len).map(|_| u8::try_from(random.next() >> 56).unwrap()).collect();
        let (form, write) = FORMS[usize::try_from(seed).unwrap() % FORMS.len()];
        let written = write(&mut random, &key);
        let language = random.pick(LANGUAGES);
        let text = file(&mut random, language, &written);
        Self { form, language, key, written, text }
    }

    /// Its form and its language.
    pub(crate) fn name(&self) -> String {
        format!("{}, {:?}", self.form, self.language)
    }
}
