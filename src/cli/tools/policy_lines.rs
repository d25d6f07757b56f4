//! The comment at the end of a generated file: for each of the two hosts the policies that `policy = "from-sas"` installs there,
//! as commands of ip-xfrm(8).

use std::collections::HashSet;
use std::fmt::Write;
use std::net::IpAddr;

use crate::apply::aim_at;
use crate::keyfile::SaCommand;
use crate::policy::PolicySa;
use crate::policy::derive::{Derived, Rules, derive};

/// The comment for a file of `commands`, whose first one adds an SA from one host to the other.
pub(super) fn comment(commands: &[SaCommand]) -> String {
    let Some(first) = commands.first() else { return String::new() };
    let sas: Vec<PolicySa> = commands.iter().flat_map(associations).collect();
    let mut text =
        "# Linux sends no packet through an SA without a policy. With policy = \"from-sas\" in manual-key.toml the\n\
                    # service installs these; without it, run them.\n"
            .to_owned();
    let sources: HashSet<IpAddr> = first.targets.iter().filter_map(|target| target.src).collect();
    let destinations: HashSet<IpAddr> = first.targets.iter().filter_map(|target| target.dst).collect();
    // The file may be made on either host, or on a third, and the file is copied to the other: print both.
    for host in [sources, destinations] {
        let derived = derive(&sas.iter().collect::<Vec<_>>(), &|addr| host.contains(&addr), Rules::default());
        write_host(&mut text, &host, &derived, &sas);
    }
    text
}

/// The SAs that a command adds, one for each target.
pub(super) fn associations(command: &SaCommand) -> Vec<PolicySa> {
    let mut request = command.request.duplicate();
    let each = |target| {
        aim_at(&mut request, target);
        PolicySa::of_request(&request)
    };
    command.targets.iter().copied().filter_map(each).collect()
}

/// The commands of one host, and why an SA has none.
fn write_host(text: &mut String, host: &HashSet<IpAddr>, derived: &Derived, sas: &[PolicySa]) {
    let mut addresses: Vec<String> = host.iter().map(ToString::to_string).collect();
    // A set has no order, and the same arguments should give the same text.
    addresses.sort();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# On {}:", addresses.join(", "));
    for policy in &derived.policies {
        let _ = writeln!(text, "#   ip xfrm policy add {policy}");
    }
    for (at, reason) in &derived.without {
        let _ = writeln!(text, "# No policy for the SA with spi {}: {reason}", sas[*at].id.spi);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyfile::{Command, HostsFile, Options, Setting, commands};
    use crate::names::Vocabulary;

    fn parse(text: &str) -> Vec<SaCommand> {
        let resolver = HostsFile::default();
        let options = Options { vocabulary: Vocabulary::Linux, numeric: true, setting: Setting::File, resolver: &resolver };
        let command = |outcome| match outcome {
            Ok(Command::Sa(command)) => command,
            _ => panic!("{text}"),
        };
        commands(text.as_bytes(), &options).map(|item| command(item.outcome)).collect()
    }

    /// The policies that the comment has for each of two hosts.
    fn policies(comment: &str) -> [Vec<&str>; 2] {
        let mut hosts: Vec<Vec<&str>> = Vec::new();
        for line in comment.lines() {
            if line.starts_with("# On ") {
                hosts.push(Vec::new());
            }
            if let Some(policy) = line.strip_prefix("#   ip xfrm policy add ") {
                hosts.last_mut().expect("a host").push(policy);
            }
        }
        hosts.try_into().expect("two hosts")
    }

    /// What the service installs on the host that has `local`.
    fn installed(commands: &[SaCommand], local: &str) -> Vec<String> {
        let sas: Vec<PolicySa> = commands.iter().map(|command| PolicySa::of_request(&command.request).unwrap()).collect();
        let derived = derive(&sas.iter().collect::<Vec<_>>(), &|addr| addr.to_string() == local, Rules::default());
        assert_eq!(derived.without, []);
        derived.policies.iter().map(ToString::to_string).collect()
    }

    const KEYS: &str = "encr_alg aes encrkey 0123456789abcdef0123456789abcdef auth_alg sha1 authkey \
                        0123456789abcdef0123456789abcdef01234567";

    /// The comment for an SA from `near` to `far` and one back has those policies, and they are what the service installs.
    #[track_caller]
    fn assert_policies([near, far]: [&str; 2], there: &str, back: &str, expected: [&[&str]; 2]) {
        let text = format!(
            "add esp spi 0x1000 src {near} dst {far} {there} {KEYS}\nadd esp spi 0x1001 src {far} dst {near} {back} {KEYS}\n"
        );
        let commands = parse(&text);
        let comment = comment(&commands);
        let printed = policies(&comment);
        assert_eq!(printed, expected);
        assert_eq!(printed, [near, far].map(|host| installed(&commands, host)));
    }

    const FOUR: [&str; 2] = ["10.0.0.1", "10.0.0.2"];
    const SIX: [&str; 2] = ["fd00::1", "fd00::2"];

    #[test]
    fn comment_for_transport_mode() {
        assert_policies(
            FOUR,
            "",
            "",
            [
                &[
                    "src 10.0.0.1/32 dst 10.0.0.2/32 dir out priority 10006 tmpl proto esp mode transport",
                    "src 10.0.0.2/32 dst 10.0.0.1/32 dir in priority 10006 tmpl proto esp mode transport",
                ],
                &[
                    "src 10.0.0.1/32 dst 10.0.0.2/32 dir in priority 10006 tmpl proto esp mode transport",
                    "src 10.0.0.2/32 dst 10.0.0.1/32 dir out priority 10006 tmpl proto esp mode transport",
                ],
            ],
        );
    }

    #[test]
    fn comment_for_ipv6() {
        let discovery = |src, dst, direction| {
            ["135", "136"].map(|icmp_type| {
                format!("src {src}/128 dst {dst}/128 proto 58 type {icmp_type} dir {direction} priority 10001")
            })
        };
        let of_host = |own| {
            let protecting = |src, dst, direction| {
                format!("src {src}/128 dst {dst}/128 dir {direction} priority 10006 tmpl proto esp mode transport")
            };
            let ([near, far], [first, second]) = (SIX, if own == SIX[0] { ["out", "in"] } else { ["in", "out"] });
            let mut policies = vec![protecting(near, far, first), protecting(far, near, second)];
            policies.extend(discovery(near, far, first));
            policies.extend(discovery(far, near, second));
            policies
        };
        let expected = [of_host(SIX[0]), of_host(SIX[1])];
        let expected = expected.each_ref().map(|policies| policies.iter().map(String::as_str).collect::<Vec<_>>());
        assert_policies(SIX, "", "", [&expected[0], &expected[1]]);
    }

    #[test]
    fn comment_for_a_tunnel_has_dir_fwd() {
        assert_policies(
            FOUR,
            "isrc 10.1.0.0/16 idst 10.2.0.0/16",
            "isrc 10.2.0.0/16 idst 10.1.0.0/16",
            [
                &[
                    "src 10.1.0.0/16 dst 10.2.0.0/16 dir out priority 10262 tmpl src 10.0.0.1 dst 10.0.0.2 proto esp mode tunnel",
                    "src 10.2.0.0/16 dst 10.1.0.0/16 dir in priority 10262 tmpl src 10.0.0.2 dst 10.0.0.1 proto esp mode tunnel",
                    "src 10.2.0.0/16 dst 10.1.0.0/16 dir fwd priority 10262 tmpl src 10.0.0.2 dst 10.0.0.1 proto esp mode tunnel",
                ],
                &[
                    "src 10.1.0.0/16 dst 10.2.0.0/16 dir in priority 10262 tmpl src 10.0.0.1 dst 10.0.0.2 proto esp mode tunnel",
                    "src 10.1.0.0/16 dst 10.2.0.0/16 dir fwd priority 10262 tmpl src 10.0.0.1 dst 10.0.0.2 proto esp mode tunnel",
                    "src 10.2.0.0/16 dst 10.1.0.0/16 dir out priority 10262 tmpl src 10.0.0.2 dst 10.0.0.1 proto esp mode tunnel",
                ],
            ],
        );
    }

    #[test]
    fn comment_with_mark_if_id_and_reqid() {
        assert_policies(
            FOUR,
            "mark 0x1/0xff if_id 7 reqid 9",
            "mark 0x1/0xff if_id 7 reqid 9",
            [
                &[
                    "src 10.0.0.1/32 dst 10.0.0.2/32 dir out mark 0x1 mask 0xff if_id 0x7 priority 10006 \
                 tmpl proto esp reqid 9 mode transport",
                    "src 10.0.0.2/32 dst 10.0.0.1/32 dir in mark 0x1 mask 0xff if_id 0x7 priority 10006 \
                 tmpl proto esp reqid 9 mode transport",
                ],
                &[
                    "src 10.0.0.1/32 dst 10.0.0.2/32 dir in mark 0x1 mask 0xff if_id 0x7 priority 10006 \
                 tmpl proto esp reqid 9 mode transport",
                    "src 10.0.0.2/32 dst 10.0.0.1/32 dir out mark 0x1 mask 0xff if_id 0x7 priority 10006 \
                 tmpl proto esp reqid 9 mode transport",
                ],
            ],
        );
    }

    #[test]
    fn comment_with_ports() {
        assert_policies(
            FOUR,
            "proto 6 dport 5432",
            "proto 6 sport 5432",
            [
                &[
                    "src 10.0.0.1/32 dst 10.0.0.2/32 proto 6 dport 5432 dir out priority 10001 tmpl proto esp mode transport",
                    "src 10.0.0.2/32 dst 10.0.0.1/32 proto 6 sport 5432 dir in priority 10001 tmpl proto esp mode transport",
                ],
                &[
                    "src 10.0.0.1/32 dst 10.0.0.2/32 proto 6 dport 5432 dir in priority 10001 tmpl proto esp mode transport",
                    "src 10.0.0.2/32 dst 10.0.0.1/32 proto 6 sport 5432 dir out priority 10001 tmpl proto esp mode transport",
                ],
            ],
        );
    }

    #[test]
    fn comment_for_icmp_has_type_and_code() {
        assert_policies(
            SIX,
            "proto 58 sport 128",
            "proto 58 sport 128",
            [
                &[
                    "src fd00::1/128 dst fd00::2/128 proto 58 type 128 dir out priority 10001 tmpl proto esp mode transport",
                    "src fd00::2/128 dst fd00::1/128 proto 58 type 128 dir in priority 10001 tmpl proto esp mode transport",
                ],
                &[
                    "src fd00::1/128 dst fd00::2/128 proto 58 type 128 dir in priority 10001 tmpl proto esp mode transport",
                    "src fd00::2/128 dst fd00::1/128 proto 58 type 128 dir out priority 10001 tmpl proto esp mode transport",
                ],
            ],
        );
    }

    #[test]
    fn comment_for_encap_udp_lets_the_udp_pass() {
        let natt = "encap udp nat_lport 4500 nat_rport 4500";
        assert_policies(
            FOUR,
            natt,
            natt,
            [
                &[
                    "src 10.0.0.1/32 dst 10.0.0.2/32 dir out priority 10006 tmpl proto esp mode transport",
                    "src 10.0.0.2/32 dst 10.0.0.1/32 dir in priority 10006 tmpl proto esp mode transport",
                    "src 10.0.0.2/32 dst 10.0.0.1/32 proto 17 dport 4500 dir in priority 10001",
                ],
                &[
                    "src 10.0.0.1/32 dst 10.0.0.2/32 dir in priority 10006 tmpl proto esp mode transport",
                    "src 10.0.0.2/32 dst 10.0.0.1/32 dir out priority 10006 tmpl proto esp mode transport",
                    "src 10.0.0.1/32 dst 10.0.0.2/32 proto 17 dport 4500 dir in priority 10001",
                ],
            ],
        );
    }

    #[test]
    fn comment_says_why_an_sa_has_no_policy() {
        let commands = parse(&format!("add esp spi 0x1000 src 10.0.0.1 dst 10.0.0.1 {KEYS}\n"));
        let text = comment(&commands);
        assert!(text.contains("\n# No policy for the SA with spi 0x1000: "), "{text}");
    }
}
