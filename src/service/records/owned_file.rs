//! The form of owned.json: identities with times of addition, and the network namespace.

use serde::{Deserialize, Serialize};

use super::added::Added;
use crate::sa::SaId;

/// What was read.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Record {
    Current {
        /// The network namespace of the SAs: several may share /run.
        namespace: Option<u64>,
        sas: Vec<(SaId, Added)>,
    },
    /// As earlier versions have written it.
    WithoutNamespace(Vec<(SaId, Added)>),
}

impl Default for Record {
    fn default() -> Self {
        Self::WithoutNamespace(Vec::new())
    }
}

impl Record {
    #[cfg(feature = "internals")]
    pub(super) fn namespace(&self) -> Option<u64> {
        match self {
            Self::Current { namespace, .. } => *namespace,
            Self::WithoutNamespace(_) => None,
        }
    }

    /// Whether its SAs may be in this network namespace.
    pub(super) fn is_of(&self, here: Option<u64>) -> bool {
        match self {
            Self::Current { namespace, .. } => namespace.is_none() || here.is_none() || *namespace == here,
            Self::WithoutNamespace(_) => true,
        }
    }

    pub(super) fn sas(self) -> Vec<(SaId, Added)> {
        match self {
            Self::Current { sas, .. } | Self::WithoutNamespace(sas) => sas,
        }
    }
}

/// [`Record::Current`], as it is written.
#[derive(Serialize)]
pub(super) struct NewRecord<T> {
    pub(super) namespace: Option<u64>,
    pub(super) sas: T,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_has_a_namespace_or_is_an_older_list() {
        let sas = r#"[[{"sa_type":3,"spi":4096,"dst":"192.0.2.1"},{"at":7}]]"#;
        let current: Record = serde_json::from_str(&format!(r#"{{"namespace":5,"sas":{sas}}}"#)).unwrap();
        assert!(current.is_of(Some(5)) && current.is_of(None) && !current.is_of(Some(6)));
        assert_eq!(current.sas().len(), 1);
        let older: Record = serde_json::from_str(sas).unwrap();
        assert!(older.is_of(Some(6)));
        assert_eq!(older.sas(), serde_json::from_str::<Record>(sas).unwrap().sas());
        assert!(serde_json::from_str::<Record>("[[").is_err());
    }
}
