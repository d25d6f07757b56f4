use std::collections::HashSet;
use std::io;
use std::path::Path;

use super::daemon::{Expiry, Repaired};
use super::foreign::ForeignSas;
use super::load::{AfterStop, SadbState};
use super::*;
use crate::names::Vocabulary;
use crate::policy::coverage::{Coverage, NotLocalSas, UnprotectedSas};
use crate::policy::derive::NoPolicy;
use crate::policy::{Net, PolicyAction, PolicyDirection, PolicyId, PolicySa, Selector};
use crate::reconcile::{self, ExecuteError, FingerprintKey, GoalError, Step, Summary};
use crate::sa::{Endpoint, LifetimeKind, Request, SaId, SaType, Spi};
use crate::sadb::{SadbError, SadbTarget};
use crate::service::config::ConfigError;
use crate::service::config::properties::CarrySequence;
use crate::service::load::keys;
use crate::sys::fs::keys_file::{FileError, PrivacyFinding};

const FILE: &str = "/etc/inet/secret/ipseckeys";

pub(in crate::service::log) fn policy_id() -> PolicyId {
    let selector = Selector::between(Net::host([10, 0, 0, 1].into()), Net::host([10, 0, 0, 2].into()));
    PolicyId { direction: PolicyDirection::Out, selector, mark: None, if_id: 0 }
}

fn refusal() -> SadbError {
    SadbError::Unsupported("key bde359723576fdea08e56cbe876e24ad".to_owned())
}

fn finding() -> PrivacyFinding {
    PrivacyFinding::Mode { path: FILE.into(), mode: 0o644 }
}

fn changeable() -> PrivacyFinding {
    PrivacyFinding::Changeable { path: "/etc/inet/manual-key.toml".into(), uid: 0, mode: 0o666 }
}

fn expiry() -> Expiry {
    let dst = Some([192, 0, 2, 2].into());
    Expiry { sa_type: SaType::ESP, spi: Spi(0x1001), dst, kind: LifetimeKind::Hard, is_gone: true }
}

/// The step of an SA that an empty SADB lacks.
fn missing_sa() -> Step {
    let text = b"add ah spi 0x90125 src 192.0.2.1 dst 192.0.2.2 authalg md5 authkey 1234567890abcdef1234567890abcdef\n";
    let goal = keys::goal(keys::parse(text, Vocabulary::Linux, 0).unwrap()).unwrap();
    reconcile::verify(&goal, &mut *SadbTarget::Model(Vocabulary::Illumos).open().unwrap(), FingerprintKey::random().unwrap())
        .unwrap()
        .remove(0)
}

fn foreign_sas() -> ForeignSas {
    ForeignSas { count: 4, larval: 1, reqids: [1, 16384].into() }
}

fn io_error() -> io::Error {
    io::ErrorKind::PermissionDenied.into()
}

/// One of each event that has a catalogue entry, and of the others.
pub(in crate::service::log) fn samples() -> Vec<Event> {
    let file = Path::new(FILE);
    let id = SaId { sa_type: SaType::ESP, spi: Spi(0x1001), dst: [192, 0, 2, 2].into(), mark: None };
    let wide = crate::policy::Policy { id: policy_id(), action: PolicyAction::Allow, priority: 3, templates: Vec::new() };
    let shadow = crate::policy::precedence::Shadow { by: &wide, of: &wide };
    let failed = ExecuteError { line: Some(3), id, source: refusal(), foreign: Vec::new(), not_restored: Vec::new() };
    vec![
        load::online(2, file),
        load::reconciled(Summary::default(), 2, file),
        load::degraded(&load::online(2, file), &coverage().0, false),
        daemon::no_clock(&io_error()),
        load::next_key_change(1_700_000_000, false),
        load::key_change_failed(1_700_000_000, "the keys file is open for writing", 30),
        confirm::not_confirmed(),
        load::disabled(true, AfterStop::Kept { instance: Some("north") }),
        foreign::removed_foreign(&foreign_sas()),
        foreign::removing_foreign(&foreign_sas(), &["charon (pid 7)".to_owned()]),
        counter_mode::used(&[3, 7], CarrySequence::Run),
        foreign::shared_reqid(3, 7, &id),
        foreign::shadows(2, &shadow),
        foreign::shadowed(1, &shadow),
        load::empty(file),
        load::nothing_to_add(file, SadbState::Unchanged, None),
        load::invalid_file(file, 12, &[3, 7], SadbState::Empty),
        load::command_refused(3, &refusal(), Some(load::Existing::Foreign)),
        load::limitation(3, "no idle lifetimes"),
        load::partly_applied(file, 12, &[3]),
        load::not_reconcilable(file, &GoalError { line: 3, message: "get".to_owned() }),
        load::rolled_back(file, &failed),
        load::not_private(&finding()),
        load::insecure_file(&finding()),
        load::unreadable_file(&FileError::Unreadable { path: file.to_owned(), source: io_error() }),
        load::sadb_failed(&refusal()),
        policy::no_policy(&[3], &[id], NoPolicy::UnknownDirection, true),
        policy::one_way_group(&[3], &[id]),
        policy::unused_outbound(&[3], &[id]),
        policy::shadowed_group(&[3], &[id]),
        policy::of_raw_sockets(&[3], &[id]),
        policy::not_local(&coverage().1, true),
        policy::incomplete(2),
        policy::refused(&policy_id(), &refusal()),
        policy::missing(&policy_id()),
        policy::misread(&policy_id()),
        policy::left(&policy_id()),
        policy::conflict(&policy_id()),
        policy::occupied(2, &policy_id()),
        policy::installed(3, 4, 9),
        policy::removed(2),
        policy::kept(),
        policy::no_addresses(&io_error()),
        load::sa_differs(&missing_sa()),
        load::wrong_config(&ConfigError::Unsafe(changeable())),
        load::unsafe_file(&changeable()),
        daemon::expired(&expiry()),
        daemon::missed_expiries(),
        daemon::removed_by_others(
            &Repaired { lost_policies: 2, lost_sas: 1, ..Repaired::default() },
            "ip (netlink port 7)",
            false,
        ),
        daemon::udp_port_in_use(4500, Some("charon (pid 7)")),
        daemon::udp_port_held(4500, "charon (pid 7)"),
        daemon::udp_port_failed(4500, &io_error()),
        daemon::udp_port_unbound(4500),
        daemon::ike_port_held(4500, &["charon (pid 7)".to_owned()]),
    ]
}

/// That of two SAs between other hosts, without policies.
fn coverage() -> (UnprotectedSas, NotLocalSas) {
    let mut coverage = Coverage::new(Vec::new(), HashSet::new());
    for (spi, src, dst) in [(0x1001, 1, 2), (0x1002, 2, 1)] {
        let end = |last| Some(Endpoint { addr: [192, 0, 2, last].into(), port: 0, proto: 0 });
        let request = Request { sa_type: SaType::ESP, spi: Spi(spi), src: end(src), dst: end(dst), ..Request::default() };
        coverage.note(&PolicySa::of_request(&request).unwrap());
    }
    coverage.finish()
}

#[test]
fn degraded_names_the_peers_and_the_remedy() {
    let text = load::degraded(&load::online(2, Path::new(FILE)), &coverage().0, false).to_string();
    let expected = format!(
        "degraded: 2 SAs from {FILE}; warning: no policy uses these 2 SAs: traffic to 192.0.2.2, 192.0.2.1 is NOT protected; to \
         protect it: set policy = \"from-sas\" in manual-key.toml, then run manual-key refresh"
    );
    assert_eq!(text, expected);
}

#[test]
fn disabled_says_what_happens_to_packets() {
    let kept = |instance| load::disabled(false, AfterStop::Kept { instance }).to_string();
    let expected = "disabled: the service's own SAs are flushed, the policies remain: their packets are dropped; to let them \
                    pass in the clear: manual-key stop --open";
    assert_eq!(kept(None), expected);
    assert_eq!(kept(Some("north")), format!("{expected} --instance north"));
    let removed = load::disabled(true, AfterStop::Removed).to_string();
    assert_eq!(removed, "disabled: all SAs are flushed, the policies are removed: their packets pass in the clear");
    assert_eq!(load::disabled(true, AfterStop::NoPolicies).to_string(), "disabled: all SAs are flushed");
}

#[test]
fn no_policy_names_the_first_sas() {
    let sas: Vec<SaId> =
        (1..=5).map(|spi| SaId { sa_type: SaType::ESP, spi: Spi(spi), dst: [192, 0, 2, 2].into(), mark: None }).collect();
    let text = policy::no_policy(&[3], &sas, NoPolicy::NoInnerSelector, false).to_string();
    let names = "esp spi 0x1 dst 192.0.2.2, esp spi 0x2 dst 192.0.2.2, esp spi 0x3 dst 192.0.2.2 and 2 more SAs";
    assert!(text.starts_with(&format!("line 3: warning: no policy is installed for {names}: the tunnel has no")), "{text}");
}

#[test]
fn online_counts_in_singular_and_plural() {
    let file = Path::new(FILE);
    assert_eq!(load::online(24, file).to_string(), format!("online: 24 SAs from {FILE}"));
    assert_eq!(load::online(1, file).to_string(), format!("online: 1 SA from {FILE}"));
}

#[test]
fn invalid_file_lists_the_lines() {
    let event = load::invalid_file(Path::new(FILE), 12, &[3, 7], SadbState::Empty);
    let expected =
        format!("maintenance: {FILE}: errors in 2 of 12 commands, lines 3, 7; nothing is applied, the SADB is empty");
    assert_eq!(event.to_string(), expected);
    assert_eq!(event.severity(), Severity::Error);
}

#[test]
fn lines_are_cut_after_twenty() {
    let lines: Vec<u32> = (1..=23).collect();
    assert!(Lines(&lines).to_string().ends_with("19, 20 and 3 more"));
    assert_eq!(Lines(&[4]).to_string(), "line 4");
}

#[test]
fn how_to_see_errors_can_be_pasted_into_a_shell() {
    let hint = load::how_to_see_errors(Path::new("/my keys"), "ipseckey --sadb model", None);
    assert_eq!(hint.to_string(), "to see the errors: ipseckey --sadb model -c '/my keys'");
    let hint = load::how_to_see_errors(Path::new(FILE), "ipseckey", Some("svc:/network/ipsec/manual-key:default"));
    assert!(hint.to_string().ends_with("svcadm clear svc:/network/ipsec/manual-key:default"));
}

#[test]
fn errors_of_an_sadb_are_masked() {
    assert!(samples().iter().all(|event| !event.to_string().contains("bde35972")));
    assert!(load::command_refused(1, &refusal(), None).to_string().ends_with("key ..."));
}

#[test]
fn obstacle_keeps_the_first_reason() {
    let mut repaired = Repaired { lost_policies: 1, ..Repaired::default() };
    let text = |repaired: &Repaired, is_dry| daemon::removed_by_others(repaired, "ip (netlink port 7)", is_dry).to_string();
    assert_eq!(text(&repaired, false), "ip (netlink port 7) removed or changed 1 policy of the service: restored");
    assert!(text(&repaired, true).ends_with("not restored (repair = false); to restore: manual-key refresh"));
    repaired.obstacle(2, "one");
    repaired.obstacle(1, "two");
    assert!(text(&repaired, false).ends_with("of the service: 3 not restored: one"));
}
