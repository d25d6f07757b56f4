//! Events about policies. They contain identities of policies, which have no secrets.

use std::fmt;
use std::io;
use std::net::IpAddr;

use super::{Count, Event, Lines};
use crate::policy::PolicyId;
use crate::policy::coverage::NotLocalSas;
use crate::policy::derive::NoPolicy;
use crate::redact::without_hex_runs;
use crate::sa::SaId;
use crate::sadb::SadbError;
use crate::service::log::catalogue::Entry;

const NO_POLICY: Entry = Entry {
    id: "a51c316f2d9a4244838354dad85ee7a3",
    subject: "SAs have no policy",
    documentation: "man:manual-key.toml(5)",
    text: "With policy = \"from-sas\" the service installs the policies that send packets\n\
           through its SAs; for these SAs it cannot, and the message says why. Until there\n\
           is a policy, the packets that such an SA is intended for pass in the clear. The message\n\
           contains the lines of the keys file. To list SAs without a policy:\n\
           manual-key status",
};

/// `lines`: the first lines of the commands. `is_pending`: the daemon installs the policies when an address appears.
pub(crate) fn no_policy(lines: &[u32], sas: &[SaId], why: NoPolicy, is_pending: bool) -> Event {
    let later = match (why, is_pending) {
        (NoPolicy::UnknownDirection, true) => "; the policy follows when one of its addresses is configured on this system",
        (NoPolicy::UnknownDirection, false) => {
            "; or run manual-key refresh when one of its addresses is configured on this system"
        }
        _ => "",
    };
    let text = format!("{}: warning: no policy is installed for {}: {why}{later}", Lines(lines), SaNames(sas));
    Event::warning(text).entry(&NO_POLICY).lines(lines)
}

const ONE_WAY_GROUP: Entry = Entry {
    id: "d66188597010447bada826e65bba603d",
    subject: "SAs of a group are outbound only",
    documentation: "man:ipseckeys(5)",
    text: "These SAs protect what this system sends to a multicast group. What other systems\n\
           send to the group is accepted unprotected, since the keys file declares the SAs\n\
           as outbound. Without a direction they protect both.",
};

/// `lines`: the first lines of the commands.
pub(crate) fn one_way_group(lines: &[u32], sas: &[SaId]) -> Event {
    let text = format!(
        "{}: warning: outbound alone for the group of {}: packets that other hosts send to it are accepted unprotected; remove \
         outbound, or add inbound",
        Lines(lines),
        SaNames(sas)
    );
    Event::warning(text).entry(&ONE_WAY_GROUP).lines(lines)
}

const SHADOWED_GROUP: Entry = Entry {
    id: "a4f7c1d0c0cf4f4e9f6c0f6e6c1b9d52",
    subject: "A group has several keys",
    documentation: "man:ipseckeys(5)",
    text: "Linux sends to a multicast group through the newest SA with the reqid of the\n\
           policy, on all interfaces: these SAs are never used for sending. Use the same SPI\n\
           and key on all links of this system. To change the keys of a group, give the new\n\
           SAs another reqid.",
};

/// `lines`: the first lines of the commands.
pub(crate) fn shadowed_group(lines: &[u32], sas: &[SaId]) -> Event {
    let text = format!(
        "{}: warning: no packet is sent through {}: a later SA for the same group has another SPI, and Linux sends through the \
         newest on all interfaces; use one SPI and key on all links, or another reqid to change the keys",
        Lines(lines),
        SaNames(sas)
    );
    Event::warning(text).entry(&SHADOWED_GROUP).lines(lines)
}

const OF_RAW_SOCKETS: Entry = Entry {
    id: "5a1d3c8f0a5b4fb8b2c1f7f0a9d6e413",
    subject: "SAs are limited to a protocol that the kernel does not see",
    documentation: "man:ipseckeys(5)",
    text: "Routing daemons write the IPv4 header of OSPF and PIM packets themselves. Linux then\n\
           does not see the protocol, neither the policies nor the SAs match, and the packets\n\
           are sent in the clear. Remove proto from the commands of these SAs.",
};

/// `lines`: the first lines of the commands.
pub(crate) fn of_raw_sockets(lines: &[u32], sas: &[SaId]) -> Event {
    let text = format!(
        "{}: warning: what routing daemons send for {} may pass in the clear: they write the IPv4 header themselves, so that Linux \
         does not see the protocol; remove proto",
        Lines(lines),
        SaNames(sas)
    );
    Event::warning(text).entry(&OF_RAW_SOCKETS).lines(lines)
}

const UNUSED_OUTBOUND: Entry = Entry {
    id: "1e0ba1c2b4fc4ac08d76e5b1a3ad2f07",
    subject: "SAs are not used for sending",
    documentation: "man:manual-key.toml(5)",
    text: "Earlier SAs of the keys file for the same packets have another reqid. This system\n\
           sends through those, and accepts packets of both. This is a step of a change of\n\
           keys that several systems share; otherwise remove the reqid.",
};

/// `lines`: the first lines of the commands.
pub(crate) fn unused_outbound(lines: &[u32], sas: &[SaId]) -> Event {
    let text = format!(
        "{}: no packet is sent through {}: the SAs of earlier lines for the same packets have another reqid",
        Lines(lines),
        SaNames(sas)
    );
    Event::info(text).entry(&UNUSED_OUTBOUND).lines(lines)
}

/// The first few SAs of a list.
struct SaNames<'a>(&'a [SaId]);

impl fmt::Display for SaNames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 3;
        let names: Vec<String> = self.0.iter().take(SHOWN).map(SaId::to_string).collect();
        f.write_str(&names.join(", "))?;
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {}", Count(more, "more SA")),
        }
    }
}

const NOT_INSTALLED: Entry = Entry {
    id: "faa7ae31f7da4febb16eb1d793a693f0",
    subject: "A policy of the service is not installed",
    documentation: "man:manual-key.toml(5)",
    text: "The policy is: @IPSECKEY_POLICY@\n\
           Its packets may pass in the clear. The message contains the kernel's error. The\n\
           other policies are installed. After fixing the cause: systemctl start @_SYSTEMD_UNIT@",
};

pub(crate) fn refused(policy: &PolicyId, error: &SadbError) -> Event {
    let text = format!("policy {policy}: the SADB: {}", without_hex_runs(&error.to_string()));
    Event::error(text).entry(&NOT_INSTALLED).field("IPSECKEY_POLICY", policy)
}

/// The kernel accepted the policy, and lists none, or one that lets packets pass: the layouts differ, or it ignores an attribute.
pub(crate) fn misread(policy: &PolicyId) -> Event {
    let text = format!(
        "policy {policy}: the kernel accepted it, but lists none, or one that lets packets pass in the clear; it was \
         removed: use a program built for the architecture of the kernel, and with `mark` or `if_id` a newer kernel"
    );
    Event::error(text).entry(&NOT_INSTALLED).field("IPSECKEY_POLICY", policy)
}

/// A policy that [`misread`] is about, which could not be removed.
pub(crate) fn left(policy: &PolicyId) -> Event {
    let text = format!("policy {policy} may let packets pass in the clear: run `ip xfrm policy delete {policy}`");
    Event::error(text).entry(&NOT_INSTALLED).field("IPSECKEY_POLICY", policy)
}

/// The kernel accepted the policy, and lists a different one of another program.
pub(crate) fn missing(policy: &PolicyId) -> Event {
    let text = format!("policy {policy}: replaced after installation; is another program managing policies?");
    Event::error(text).entry(&NOT_INSTALLED).field("IPSECKEY_POLICY", policy)
}

/// `failed`: the number of policies, each of which has a message of its own.
pub(crate) fn incomplete(failed: usize) -> Event {
    let text =
        format!("maintenance: {} could not be installed, so that traffic may pass in the clear", Count(failed, "policy"));
    Event::error(text)
}

/// `count` policies are not installed, since those of other programs have their identities; `first` is the first of them.
pub(crate) fn occupied(count: usize, first: &PolicyId) -> Event {
    let text = format!(
        "{} of other programs have the places of the service's, the first: {first}; the service installs its own when they are gone",
        Count(count, "policy")
    );
    Event::warning(text).entry(&CONFLICT).field("IPSECKEY_POLICY", first)
}

const NOT_LOCAL: Entry = Entry {
    id: "9aaa5fac616c4db99028c7966e6261b6",
    subject: "SAs have no address of this host",
    documentation: "man:ipseckeys(5)",
    text: "Neither the source nor the destination of these SAs is an address of this host, so\n\
           that they protect none of its packets. The keys file may be that of another host,\n\
           or the addresses are configured later. To compare: ip address",
};

/// `is_daemon`: at boot the service starts before the network.
pub(crate) fn not_local(sas: &NotLocalSas, is_daemon: bool) -> Event {
    let later = if is_daemon { "; if the network is still being configured, they may follow" } else { "" };
    Event::warning(format!("warning: {sas}{later}")).entry(&NOT_LOCAL).field("IPSECKEY_SAS", sas.count)
}

const CONFLICT: Entry = Entry {
    id: "0639f03254824c23b619f7acda94093d",
    subject: "A foreign policy has the selector of a policy of the service",
    documentation: "man:manual-key.toml(5)",
    text: "The policy is: @IPSECKEY_POLICY@\n\
           Another program installed a different policy with this selector, and it applies\n\
           to these packets. The service never changes it. To replace it by the service's:\n\
           ip xfrm policy delete @IPSECKEY_POLICY@\n\
           systemctl start @_SYSTEMD_UNIT@",
};

pub(crate) fn conflict(policy: &PolicyId) -> Event {
    let text = format!(
        "policy {policy}: a different policy with the same selector exists and was kept; to replace it: ip xfrm policy \
         delete {policy}, then manual-key refresh"
    );
    Event::error(text).entry(&CONFLICT).field("IPSECKEY_POLICY", policy)
}

/// For a command inside an SSH session: it has no catalogue entry.
pub(crate) fn locks_out(policy: &PolicyId, peer: IpAddr) -> Event {
    let text = format!(
        "warning: policy {policy}: this session over SSH from {peer} would be cut off, unless {peer} has the SAs too; have \
         another way in, or narrow the SA by proto, sport and dport"
    );
    Event::warning(text).field("IPSECKEY_POLICY", policy)
}

const INSTALLED: Entry = Entry {
    id: "fac234c219a24990b47dce7fdb504bba",
    subject: "The service has installed policies",
    documentation: "man:manual-key.toml(5)",
    text: "@IPSECKEY_POLICIES@ are new or changed. Their packets pass through the SAs of\n\
           the keys file, or are dropped.",
};

/// `replaced`: the service's own policies that were changed. `kept`: policies that were installed already.
pub(crate) fn installed(added: usize, replaced: usize, kept: usize) -> Event {
    let text = format!("policies: {added} added, {replaced} changed, {kept} kept");
    Event::info(text).entry(&INSTALLED).field("IPSECKEY_POLICIES", added + replaced)
}

const REMOVED: Entry = Entry {
    id: "bac7c4eff65a480dae03b50063fb9df3",
    subject: "The service has removed policies",
    documentation: "man:manual-key.toml(5)",
    text: "@IPSECKEY_POLICIES@ are removed: the keys file does not add their SAs any more, or\n\
           the service was stopped with --open or on_stop = \"open\". Packets that they matched\n\
           pass in the clear, unless another policy matches them.",
};

pub(crate) fn removed(policies: usize) -> Event {
    Event::info(format!("policies: {policies} removed")).entry(&REMOVED).field("IPSECKEY_POLICIES", policies)
}

const KEPT: Entry = Entry {
    id: "eb0eeb5231fb4e1fb62c6f599b2c1e24",
    subject: "The service was stopped, and its policies remain",
    documentation: "man:manual-key.toml(5)",
    text: "Without SAs, packets that these policies match are dropped, so that a stop or a\n\
           restart lets none pass in the clear. They are protected again after:\n\
           systemctl start @_SYSTEMD_UNIT@\n\
           To let them pass in the clear instead, run the command that the next message\n\
           names. With on_stop = \"open\" every stop removes the policies.",
};

/// The policies remain after a stop.
pub(crate) fn kept() -> Event {
    Event::info("policies: kept, so that packets are dropped and do not pass in the clear").entry(&KEPT)
}

const NO_ADDRESSES: Entry = Entry {
    id: "b6648dda06bb4860adcab3d164cb29fd",
    subject: "The addresses of this system cannot be read",
    documentation: "man:manual-key.toml(5)",
    text: "The addresses tell inbound SAs from outbound SAs, and so which policies they\n\
           need. The message contains the error. SAs with the keyword inbound or outbound\n\
           do not need this.",
};

/// The addresses of this system cannot be listed or watched.
pub(crate) fn no_addresses(error: &io::Error) -> Event {
    Event::error(format!("this system's addresses: {error}")).entry(&NO_ADDRESSES)
}

/// The entries of this file, for the catalogue.
#[cfg(test)]
pub(in crate::service::log) const ENTRIES: &[&Entry] = &[
    &NO_POLICY,
    &ONE_WAY_GROUP,
    &UNUSED_OUTBOUND,
    &SHADOWED_GROUP,
    &OF_RAW_SOCKETS,
    &NOT_INSTALLED,
    &NOT_LOCAL,
    &CONFLICT,
    &INSTALLED,
    &REMOVED,
    &KEPT,
    &NO_ADDRESSES,
];
