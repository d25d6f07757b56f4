//! Combines the templates of several SAs into policies. A policy has at most one template of each SA type, so two SAs whose
//! templates differ conflict, unless they differ in the request ID only.

use std::collections::HashMap;

use super::{PolicyDirection, PolicyId, Template};
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

/// Whether a policy uses the SA whose template was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Used,
    /// It sends through an earlier SA, which has another request ID.
    Unused,
}

impl Bundles {
    /// Adds a template of the SA at `position` to the policy `id`. Of SAs with several request IDs the first one decides which are
    /// used for sending, and all of them are accepted: keys that many hosts share are changed in this way, see docs/ospfv3.md.
    ///
    /// # Errors
    /// The position of the SA that has added a different template of the same SA type.
    pub(super) fn add(&mut self, position: usize, id: PolicyId, template: Template) -> Result<Use, usize> {
        let index = *self.positions.entry(id).or_insert_with(|| {
            self.list.push(Bundle { id, templates: Vec::new() });
            self.list.len() - 1
        });
        let templates = &mut self.list[index].templates;
        let Some((first, other)) = templates.iter_mut().find(|(_, other)| other.sa_type == template.sa_type) else {
            templates.push((position, template));
            return Ok(Use::Used);
        };
        if *other == template {
            return Ok(Use::Used);
        }
        if (Template { reqid: template.reqid, ..*other }) != template {
            return Err(*first);
        }
        if id.direction == PolicyDirection::Out {
            return Ok(Use::Unused);
        }
        // Any.
        other.reqid = 0;
        Ok(Use::Used)
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
