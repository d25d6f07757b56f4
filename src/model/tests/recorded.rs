//! The recorded answers of the illumos kernel in tests/vectors/illumos-kernel: the model gives each of them, byte for byte.

use std::net::IpAddr;
use std::path::Path;

use proptest::prelude::*;
use serde::Deserialize;

use crate::model::tests::*;

/// What a socket receives in a step.
#[derive(Deserialize)]
#[serde(untagged)]
enum Heard {
    /// "same": the replies.
    Same(String),
    Messages(Vec<String>),
}

/// A message, and what each of three sockets receives.
#[derive(Deserialize)]
struct RecordedStep {
    send: String,
    replies: Vec<String>,
    #[serde(default)]
    masked: Vec<Vec<(usize, usize)>>,
    listener: Option<Heard>,
    promiscuous: Option<Heard>,
}

#[derive(Deserialize)]
struct Sequence {
    id: String,
    what: String,
    local_addrs: Vec<IpAddr>,
    steps: Vec<RecordedStep>,
}

/// A run of the ager.
#[derive(Deserialize)]
struct AgerPass {
    at: Seconds,
    hears: Vec<String>,
    dump: Vec<String>,
}

#[derive(Deserialize)]
struct Scenario {
    id: String,
    what: String,
    local_addrs: Vec<IpAddr>,
    send: Vec<String>,
    passes: Vec<AgerPass>,
}

fn recorded<T: serde::de::DeserializeOwned>(file: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/illumos-kernel").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn bytes(digits: &str) -> Vec<u8> {
    let digits = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// A model with a sender, an idle socket and a promiscuous one.
struct Trio {
    model: Model,
    sockets: [SocketId; 3],
}

impl Trio {
    fn new(local: Vec<IpAddr>) -> Self {
        let mut model = Model::new(Settings { local, ..Settings::default() });
        model.tick(START);
        let sockets = [(); 3].map(|()| model.open());
        model.write(sockets[2], &Recipe::new(MessageType::PROMISC, SaType(1)).bytes(), START);
        let mut trio = Self { model, sockets };
        trio.received();
        trio
    }

    fn received(&mut self) -> [Vec<Vec<u8>>; 3] {
        self.sockets.map(|socket| std::iter::from_fn(|| self.model.read(socket)).map(|bytes| bytes.to_vec()).collect())
    }

    fn send(&mut self, message: &[u8], now: Seconds) -> [Vec<Vec<u8>>; 3] {
        self.model.write(self.sockets[0], message, now);
        self.received()
    }
}

/// The message with the time of day zeroed.
fn masked(mut message: Vec<u8>, ranges: &[(usize, usize)]) -> String {
    for (from, to) in ranges {
        let end = message.len().min(*to);
        message[*from.min(&end)..end].fill(0);
    }
    message.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The step that is answered otherwise, and by what.
fn difference(step: &RecordedStep, answers: [Vec<Vec<u8>>; 3]) -> Option<String> {
    let none = Heard::Messages(Vec::new());
    let others = [&step.listener, &step.promiscuous].map(|heard| match heard.as_ref().unwrap_or(&none) {
        Heard::Same(word) => {
            assert_eq!(word, "same");
            &step.replies
        }
        Heard::Messages(messages) => messages,
    });
    let expected = [&step.replies, others[0], others[1]];
    let found = answers.map(|messages| {
        let ranges = |index| step.masked.get(index).map_or(&[][..], Vec::as_slice);
        messages.into_iter().enumerate().map(|(index, message)| masked(message, ranges(index))).collect::<Vec<_>>()
    });
    let pairs = ["sender", "listener", "promiscuous"].into_iter().zip(expected.into_iter().zip(found));
    let mut different = pairs.filter(|(_, (expected, found))| *expected != found);
    different.next().map(|(socket, (expected, found))| format!("{socket}\n{expected:#?}\n{found:#?}"))
}

#[test]
fn sequences_are_answered_as_by_the_kernel() {
    let sequences: Vec<Sequence> = recorded("sequences.jsonl");
    assert_eq!(sequences.len(), 240);
    for sequence in sequences {
        let mut trio = Trio::new(sequence.local_addrs);
        for (number, step) in sequence.steps.iter().enumerate() {
            let difference = difference(step, trio.send(&bytes(&step.send), START));
            assert_eq!(difference, None, "{} ({}), step {number}", sequence.id, sequence.what);
        }
    }
}

/// The offset of the addtime in LIFETIME_CURRENT of a description or an EXPIRE, which both come behind an SA extension.
const ADDED: (usize, usize) = (48, 56);

#[test]
fn scenarios_expire_as_in_the_kernel() {
    let scenarios: Vec<Scenario> = recorded("expiry.jsonl");
    assert_eq!(scenarios.len(), 16);
    for scenario in scenarios {
        let name = format!("{} ({})", scenario.id, scenario.what);
        let mut trio = Trio::new(scenario.local_addrs);
        scenario.send.iter().for_each(|message| drop(trio.send(&bytes(message), START)));
        for pass in scenario.passes {
            let now = START + pass.at;
            trio.model.tick(now);
            let [_, heard, _] = trio.received();
            let heard: Vec<String> = heard.into_iter().map(|message| masked(message, &[ADDED])).collect();
            assert_eq!(heard, pass.hears, "{name}, {} s", pass.at);
            // The recorded request: its header is that of each reply, without the SA type.
            let header = pass.dump.first().map_or_else(Vec::new, |first| bytes(first)[8..16].to_vec());
            let mut request = Recipe::new(MessageType::DUMP, SaType(0)).bytes();
            request.truncate(16 - header.len());
            request.extend(header);
            let [dumped, ..] = trio.send(&request, now);
            let (end, dumped) = dumped.split_last().unwrap();
            assert_eq!(end.len(), 16);
            let dumped: Vec<String> = dumped.iter().map(|message| masked(message.clone(), &[ADDED])).collect();
            assert_eq!(dumped, pass.dump, "{name}, dump after {} s", pass.at);
        }
    }
}

/// A change of a recorded sequence.
#[derive(Clone, Debug)]
enum Mutation {
    /// Sets a byte.
    Set(prop::sample::Index, u8),
    /// Cuts the message, without a change of the length in its header.
    Cut(prop::sample::Index),
    /// Appends a part of another message, and counts it in the header.
    Append(prop::sample::Index, prop::sample::Index),
    /// Sends the message twice.
    Repeat,
    /// Runs the ager that many seconds later.
    Wait(u64),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (index(), any::<u8>()).prop_map(|(at, value)| Mutation::Set(at, value)),
        1 => index().prop_map(Mutation::Cut),
        3 => (index(), index()).prop_map(|(step, word)| Mutation::Append(step, word)),
        1 => Just(Mutation::Repeat),
        2 => (1_u64..100).prop_map(Mutation::Wait),
    ]
}

/// The messages of a sequence, some of them changed.
fn mutate(mut message: Vec<u8>, all: &[Vec<u8>], mutation: &Mutation) -> Vec<Vec<u8>> {
    // Cut to less than a header, there is nothing left to change.
    if message.len() < 16 {
        return vec![message];
    }
    match mutation {
        Mutation::Set(at, value) => {
            let at = at.index(message.len());
            message[at] = *value;
        }
        Mutation::Cut(at) => message.truncate(at.index(message.len())),
        Mutation::Append(step, word) => {
            let other = step.get(all);
            let from = word.index(other.len() / 8) * 8;
            message.extend(&other[from..]);
            let words = u16::try_from(message.len() / 8).unwrap();
            message[4..6].copy_from_slice(&words.to_ne_bytes());
        }
        Mutation::Repeat => return vec![message.clone(), message],
        Mutation::Wait(_) => {}
    }
    vec![message]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn mutated_sequences_are_answered(
        chosen in any::<prop::sample::Index>(),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), mutation()), 1..8),
    ) {
        let sequences: Vec<Sequence> = recorded("sequences.jsonl");
        let sequence = chosen.get(&sequences);
        let all: Vec<Vec<u8>> = sequence.steps.iter().map(|step| bytes(&step.send)).collect();
        let mut trio = Trio::new(sequence.local_addrs.clone());
        let mut now = START;
        for (number, message) in all.iter().enumerate() {
            let here: Vec<&Mutation> =
                mutations.iter().filter(|(step, _)| step.index(all.len()) == number).map(|(_, mutation)| mutation).collect();
            let mut messages = vec![message.clone()];
            for mutation in here {
                messages = messages.into_iter().flat_map(|message| mutate(message, &all, mutation)).collect();
                if let Mutation::Wait(seconds) = mutation {
                    now += seconds;
                    trio.model.tick(now);
                }
            }
            for message in messages {
                for answer in trio.send(&message, now).concat() {
                    prop_assert!(decode(&Dialect::ILLUMOS, &answer).is_ok(), "{message:02x?}");
                    prop_assert_eq!(usize::from(u16::from_ne_bytes([answer[4], answer[5]])) * 8, answer.len());
                }
                let wrong: Vec<String> =
                    trio.model.databases.iter().flat_map(crate::model::table::Database::inconsistencies).collect();
                prop_assert!(wrong.is_empty(), "{wrong:?}");
            }
        }
    }
}
