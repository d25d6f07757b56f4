//! Finds `ip xfrm OBJECT COMMAND` among the words of a command: behind sudo, ssh, `ip netns exec`, a prompt, with options.

use crate::convert::import::statements::Token;

/// The object of `ip xfrm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object {
    State,
    Policy,
    Monitor,
}

/// A command of `ip xfrm`.
pub(super) struct Xfrm<'w, 't> {
    pub(super) object: Object,
    /// The whole word, also for an abbreviation.
    pub(super) verb: &'static str,
    /// The words after the verb.
    pub(super) rest: &'w [Token<'t>],
}

/// Objects, in the order in which iproute2 compares an abbreviation (`ip/ipxfrm.c`, `do_xfrm`).
const OBJECTS: &[(&str, Object)] =
    &[("state", Object::State), ("sa", Object::State), ("policy", Object::Policy), ("monitor", Object::Monitor)];

/// Commands of states, in the order of `do_xfrm_state` (`ip/xfrm_state.c`).
const STATE_VERBS: &[&str] =
    &["add", "update", "allocspi", "delete", "deleteall", "delall", "list", "show", "lst", "get", "flush", "count", "help"];

/// Commands of policies, in the order of `do_xfrm_policy` (`ip/xfrm_policy.c`).
const POLICY_VERBS: &[&str] = &[
    "add",
    "update",
    "delete",
    "deleteall",
    "delall",
    "list",
    "show",
    "lst",
    "get",
    "flush",
    "count",
    "set",
    "setdefault",
    "getdefault",
    "help",
];

/// Options of `ip` with a value, and the shortest abbreviation (`ip/ip.c`).
const WITH_VALUE: &[(&str, usize)] = &[("loops", 1), ("family", 1), ("batch", 1), ("netns", 1), ("rcvbuf", 2)];

/// Programs that print or look up their arguments.
const PRINTING: &[&str] = &["echo", "printf", "man", "grep", "which", "type", "alias"];

/// The command of `ip xfrm` among `words`.
pub(super) fn find<'w, 't>(words: &'w [Token<'t>]) -> Option<Xfrm<'w, 't>> {
    if words.first().is_some_and(|word| PRINTING.contains(&word.text)) {
        return None;
    }
    let behind_ip = (0..words.len()).filter(|at| is_ip(words, *at)).find_map(|at| command(&words[at + 1..]));
    // A file for `ip -batch` has no `ip` in front, only options.
    behind_ip.or_else(|| command(words))
}

/// Whether a word is the program: `ip`, a path, `ip.sh` of a test suite, or a variable in front of `xfrm`.
fn is_ip(words: &[Token<'_>], at: usize) -> bool {
    let word = words[at];
    let name = word.text.rsplit('/').next().unwrap_or_default();
    let before_xfrm = words.get(at + 1).is_some_and(|next| next.text == "xfrm");
    matches!(name, "ip" | "ip.sh") || before_xfrm && (word.unset || name.starts_with("ip"))
}

fn command<'w, 't>(words: &'w [Token<'t>]) -> Option<Xfrm<'w, 't>> {
    let mut at = 0;
    while let Some(option) = words.get(at).and_then(|word| word.text.strip_prefix('-')) {
        at += 1;
        let option = option.strip_prefix('-').unwrap_or(option);
        let takes = |(name, shortest): &(&str, usize)| option.len() >= *shortest && name.starts_with(option);
        at += usize::from(WITH_VALUE.iter().any(takes));
    }
    let word = |at: usize| words.get(at).map(|word| word.text);
    let is_abbreviation = |of: &str, word: &str| !word.is_empty() && of.starts_with(word);
    if !is_abbreviation("xfrm", word(at)?) {
        return None;
    }
    let object = OBJECTS.iter().find(|row| word(at + 1).is_some_and(|word| is_abbreviation(row.0, word)))?.1;
    let verbs = match object {
        Object::State => STATE_VERBS,
        Object::Policy => POLICY_VERBS,
        Object::Monitor => &["monitor"],
    };
    // Without a verb, `ip` lists.
    let verb = match word(at + 2) {
        Some(_) if object == Object::Monitor => "monitor",
        Some(word) => verbs.iter().find(|verb| is_abbreviation(verb, word)).copied()?,
        None => "list",
    };
    Some(Xfrm { object, verb, rest: words.get(at + 3..).unwrap_or_default() })
}

/// Whether a command that [`find`] does not know seems to be one about states.
pub(super) fn names_xfrm(words: &[Token<'_>]) -> bool {
    let is_object = |word: &str| matches!(word, "state" | "sa" | "policy");
    let printed = words.first().is_some_and(|word| PRINTING.contains(&word.text));
    !printed && words.windows(2).any(|pair| pair[0].text == "xfrm" && is_object(pair[1].text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Option<(Object, &'static str, usize)> {
        let token = |text| Token { text, quoted: false, unset: str::starts_with(text, '$') };
        let words: Vec<Token<'_>> = line.split(' ').map(token).collect();
        find(&words).map(|found| (found.object, found.verb, found.rest.len()))
    }

    #[test]
    fn find_looks_behind_other_programs() {
        for line in [
            "ip xfrm state add x",
            "sudo ip xfrm state add x",
            "sudo -n /usr/sbin/ip -6 xfrm state add x",
            "ip x s a x",
            "ip x sa add x",
            "ip xf st ad x",
            "ip -n h1 xfrm state add x",
            "ip -netns h1 x s a x",
            "ip --net h1 -4 -s -d xfrm state add x",
            "ip -f inet6 xfrm state add x",
            "ip netns exec h1 ip xfrm state add x",
            "/sbin/ip xfrm state add x",
            "+ ip xfrm state add x",
            "++ ip xfrm state add x",
            "pre-up ip xfrm state add x",
            "ssh -p 22 host2 ip xfrm state add x",
            "root@h:~# ip xfrm state add x",
            "$ sudo ip xfrm state add x",
            "$IP xfrm state add x",
            "$(which ip) xfrm state add x",
            "ip.sh xfrm state add x",
            "xfrm state add x",
            "-6 xfrm state add x",
        ] {
            assert_eq!(found(line), Some((Object::State, "add", 1)), "{line}");
        }
    }

    #[test]
    fn find_resolves_abbreviations_as_iproute2_does() {
        for (line, object, verb) in [
            ("ip x s", Object::State, "list"),
            ("ip x s al x", Object::State, "allocspi"),
            ("ip x s d x", Object::State, "delete"),
            ("ip x s deletea", Object::State, "deleteall"),
            ("ip x s dela", Object::State, "delall"),
            ("ip x s f", Object::State, "flush"),
            ("ip x p a x", Object::Policy, "add"),
            ("ip x m", Object::Monitor, "list"),
        ] {
            assert_eq!(found(line).map(|found| (found.0, found.1)), Some((object, verb)), "{line}");
        }
    }

    #[test]
    fn find_ignores_other_commands() {
        for line in [
            "ip link add xfrm1 type xfrm if_id 7",
            "ip route add default via 192.0.2.1",
            "echo ip xfrm state add x",
            "man ip xfrm",
            "modprobe xfrm_user",
            "ip xfrm statistics add",
            "ip xfrm state addd",
            "x y z",
        ] {
            assert_eq!(found(line), None, "{line}");
        }
    }
}
