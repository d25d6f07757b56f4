//! Combines the templates of several SAs into policies. A policy has at most one template of each SA type, so two SAs whose
//! templates differ conflict.

use std::collections::HashMap;

use super::{PolicyId, Template};
use crate::sa::SaType;

/// Policies in the order of their first template.
#[derive(Default)]
pub(super) struct Bundles {
    list: Vec<Bundle>,
    positions: HashMap<PolicyId, usize>,
}

struct Bundle {
    id: PolicyId,
    /// With the position of the SA that needs the template first.
    templates: Vec<(usize, Template)>,
}

impl Bundles {
    /// Adds a template of the SA at `position` to the policy `id`.
    ///
    /// # Errors
    /// The position of the SA that has added a different template of the same SA type.
    pub(super) fn add(&mut self, position: usize, id: PolicyId, template: Template) -> Result<(), usize> {
        let index = *self.positions.entry(id).or_insert_with(|| {
            self.list.push(Bundle { id, templates: Vec::new() });
            self.list.len() - 1
        });
        let templates = &mut self.list[index].templates;
        match templates.iter().find(|(_, other)| other.sa_type == template.sa_type) {
            Some((_, other)) if *other == template => Ok(()),
            Some((first, _)) => Err(*first),
            None => {
                templates.push((position, template));
                Ok(())
            }
        }
    }

    pub(super) fn into_templates(self) -> impl Iterator<Item = (PolicyId, Vec<Template>)> {
        self.list.into_iter().map(|bundle| {
            let mut templates: Vec<Template> = bundle.templates.into_iter().map(|(_, template)| template).collect();
            // RFC 4301 appendix E, "transport adjacency": AH protects the ESP header as well, so it is applied last.
            templates.sort_by_key(|template| template.sa_type == SaType::AH);
            (bundle.id, templates)
        })
    }
}
