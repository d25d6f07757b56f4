//! Links as JSON: one object a line. docs/schema.json has its schema.

use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use super::Links;
use super::link::{Flow, Link};
use super::problem::{self, Problem};
use super::sa::Moment;
use crate::names::sa_types::type_word;

/// Times are in seconds since 1970.
#[derive(Serialize)]
struct LinkObject {
    peer: IpAddr,
    local: IpAddr,
    sa_type: String,
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_net: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_net: Option<String>,
    /// Absent if there is no SA; of a multicast group both directions are in `out`.
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<FlowObject>,
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    inbound: Option<FlowObject>,
    /// Whether policies use the SAs; absent if that is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<bool>,
    problems: Vec<ProblemObject>,
}

#[derive(Serialize)]
struct FlowObject {
    spi: String,
    sas: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    packets: Option<u64>,
    bytes: u64,
    #[serde(skip_serializing_if = "is_none")]
    last_used: Moment,
    #[serde(skip_serializing_if = "is_none")]
    added: Moment,
    #[serde(skip_serializing_if = "is_none")]
    soft_expiry: Moment,
    #[serde(skip_serializing_if = "is_none")]
    hard_expiry: Moment,
    replayed: u64,
    unauthentic: u64,
}

#[derive(Serialize)]
struct ProblemObject {
    problem: &'static str,
    text: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none(moment: &Moment) -> bool {
    *moment == 0
}

/// Writes an object for each link.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(out: &mut dyn Write, links: &Links) -> io::Result<()> {
    for link in links.iter() {
        serde_json::to_writer(&mut *out, &object(&link, links.has_policies))?;
        writeln!(out)?;
    }
    Ok(())
}

fn object(link: &Link, has_policies: bool) -> LinkObject {
    let problem = |problem: Problem| ProblemObject { problem: problem.word(), text: problem.to_string() };
    LinkObject {
        peer: link.peer,
        local: link.local,
        sa_type: type_word(link.sa_type),
        mode: link.mode_word(),
        local_net: link.nets.map(|nets| nets.0.to_string()),
        remote_net: link.nets.map(|nets| nets.1.to_string()),
        out: flow(&link.out),
        inbound: flow(&link.inbound),
        policy: has_policies.then(|| link.is_covered()),
        problems: problem::find(link, has_policies).into_iter().map(problem).collect(),
    }
}

fn flow(flow: &Flow) -> Option<FlowObject> {
    (flow.sas > 0).then(|| FlowObject {
        spi: flow.spi.to_string(),
        sas: flow.sas,
        packets: flow.packets,
        bytes: flow.bytes,
        last_used: flow.last_used,
        added: flow.added,
        soft_expiry: flow.soft,
        hard_expiry: flow.hard,
        replayed: flow.replayed,
        unauthentic: flow.unauthentic,
    })
}
