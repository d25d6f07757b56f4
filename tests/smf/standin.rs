//! Stand-in for svc.startd(8) and its repository: reads a manifest or profile, runs the methods according to
//! smf_method(7), with the states of svc.startd's method.c and restarter.c. Not a complete SMF: one instance, no dependencies, no
//! contracts.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use roxmltree::{Document, Node, ParsingOptions};

/// The instance that the manifests define.
pub(crate) const FMRI: &str = "svc:/network/ipsec/manual-key:default";

/// The path of the program in the manifests.
const INSTALLED: &str = "/opt/ipseckey/sbin/manual-key";

/// Failures after which svc.startd stops retrying a method.
const FAULT_THRESHOLD: usize = 3;

/// States of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Disabled,
    Online,
    Maintenance,
}

/// Property group and property -> value.
type Properties = BTreeMap<(String, String), String>;

/// The instance.
pub(crate) struct Startd {
    dir: tempfile::TempDir,
    /// Properties set by svccfg.
    service: Properties,
    instance: Properties,
    environment: BTreeMap<String, String>,
    pub(crate) state: State,
    /// Exit codes of all methods so far.
    pub(crate) exits: Vec<(String, Option<i32>)>,
}

impl Startd {
    /// Imports a manifest.
    pub(crate) fn import(manifest: &str) -> Self {
        let document = parse(manifest);
        let service = child(document.root_element(), "service");
        let startd = Self {
            dir: tempfile::tempdir().unwrap(),
            service: properties(service),
            instance: Properties::new(),
            environment: BTreeMap::new(),
            state: State::Disabled,
            exits: Vec::new(),
        };
        assert_eq!(child(service, "create_default_instance").attribute("enabled"), Some("false"));
        startd.take_snapshot();
        startd
    }

    /// `svccfg apply`, then `svcadm refresh`: property groups of the instance in the profile override those of the
    /// service in the manifest, each as a whole.
    pub(crate) fn apply(&mut self, profile: &str) {
        let document = parse(profile);
        let instance = child(child(document.root_element(), "service"), "instance");
        assert_eq!((instance.attribute("name"), instance.attribute("enabled")), (Some("default"), Some("false")));
        self.instance.extend(properties(instance));
        self.disable();
        self.take_snapshot();
    }

    /// `svccfg setenv`: sets an environment variable of the methods.
    pub(crate) fn setenv(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// `svccfg setprop GROUP/NAME = VALUE`
    pub(crate) fn setprop(&mut self, group: &str, name: &str, value: &str) {
        self.instance.insert((group.to_owned(), name.to_owned()), value.to_owned());
    }

    /// The effective property: a group of the instance overrides that of the service.
    pub(crate) fn property(&self, group: &str, name: &str) -> Option<&str> {
        let key = (group.to_owned(), name.to_owned());
        self.instance.get(&key).or_else(|| self.service.get(&key)).map(String::as_str)
    }

    /// `svcadm enable`
    pub(crate) fn enable(&mut self) -> State {
        if self.state == State::Disabled {
            self.transit("start", State::Online);
        }
        self.state
    }

    /// `svcadm disable`. An instance in maintenance is not running, so its stop method is not run.
    pub(crate) fn disable(&mut self) -> State {
        match self.state {
            State::Online => self.transit("stop", State::Disabled),
            State::Maintenance | State::Disabled => self.state = State::Disabled,
        }
        self.state
    }

    /// `svcadm refresh`: updates the running snapshot; the method runs only if the instance is online.
    pub(crate) fn refresh(&mut self) -> State {
        self.take_snapshot();
        if self.state == State::Online {
            self.transit("refresh", State::Online);
        }
        self.state
    }

    /// `svcadm clear`
    pub(crate) fn clear(&mut self) -> State {
        if self.state == State::Maintenance {
            self.state = State::Disabled;
            self.enable();
        }
        self.state
    }

    /// `svcadm restart`
    pub(crate) fn restart(&mut self) -> State {
        self.disable();
        self.enable()
    }

    /// The log of the service, which every user can read.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("network-ipsec-manual-key:default.log")
    }

    /// Runs a method until it succeeds, fails permanently, or has failed too often (method.c:method_thread).
    fn transit(&mut self, method: &str, next: State) {
        for _ in 0..FAULT_THRESHOLD {
            match self.run(method) {
                Some(0) => {
                    self.state = next;
                    return;
                }
                Some(95 | 96 | 99 | 100) => break,
                _ => {}
            }
        }
        self.state = State::Maintenance;
    }

    /// Runs a method once, with exactly the environment of smf_method(7).
    fn run(&mut self, method: &str) -> Option<i32> {
        let exec = self.property(method, "exec").unwrap().to_owned();
        let exec = expand(&exec, method, |group, name| self.property(group, name).map(str::to_owned));
        let exec = exec.replacen(INSTALLED, env!("CARGO_BIN_EXE_manual-key"), 1);
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(format!("exec {exec}")).env_clear().envs(self.method_environment(method));
        let log = self.open_log();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let exit = command.status().unwrap().code();
        writeln!(self.open_log(), "[ Method \"{method}\" exited with status {}. ]", exit.unwrap_or(-1)).unwrap();
        self.exits.push((method.to_owned(), exit));
        exit
    }

    fn method_environment(&self, method: &str) -> BTreeMap<String, String> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smf");
        let mut environment = BTreeMap::from([
            ("PATH".to_owned(), format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", here.display())),
            ("SMF_FMRI".to_owned(), FMRI.to_owned()),
            ("SMF_METHOD".to_owned(), method.to_owned()),
            ("SMF_RESTARTER".to_owned(), "svc:/system/svc/restarter:default".to_owned()),
            ("SMF_ZONENAME".to_owned(), "global".to_owned()),
            ("STANDIN_FMRI".to_owned(), FMRI.to_owned()),
            ("STANDIN_SNAPSHOT".to_owned(), self.snapshot().display().to_string()),
        ]);
        environment.extend(self.environment.clone());
        environment.retain(|_, value| !value.is_empty());
        environment
    }

    fn open_log(&self) -> File {
        let log = OpenOptions::new().create(true).append(true).open(self.log_path()).unwrap();
        fs::set_permissions(self.log_path(), Permissions::from_mode(0o644)).unwrap();
        log
    }

    fn snapshot(&self) -> PathBuf {
        self.dir.path().join("running")
    }

    /// Writes the running snapshot: for each property a file with the output of svcprop.
    fn take_snapshot(&self) {
        let _ = fs::remove_dir_all(self.snapshot());
        for (group, name) in self.service.keys().chain(self.instance.keys()) {
            let file = self.snapshot().join(group).join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, format!("{}\n", quoted(self.property(group, name).unwrap()))).unwrap();
        }
    }
}

/// The document, if it is well-formed XML.
pub(crate) fn parse(text: &str) -> Document<'_> {
    Document::parse_with_options(text, ParsingOptions { allow_dtd: true, ..ParsingOptions::default() }).unwrap()
}

/// The only child element with that name.
#[track_caller]
pub(crate) fn child<'a>(node: Node<'a, 'a>, name: &str) -> Node<'a, 'a> {
    let found: Vec<_> = node.children().filter(|child| child.has_tag_name(name)).collect();
    assert_eq!(found.len(), 1, "{name} in {}", node.tag_name().name());
    found[0]
}

/// The properties of a service or an instance; a method is a property group, too.
fn properties(node: Node<'_, '_>) -> Properties {
    let mut found = Properties::new();
    let mut put = |group: &str, name: &str, value: &str| {
        found.insert((group.to_owned(), name.to_owned()), value.to_owned());
    };
    for element in node.children().filter(Node::is_element) {
        let name = element.attribute("name").unwrap_or_default();
        match element.tag_name().name() {
            "exec_method" => {
                put(name, "exec", element.attribute("exec").unwrap());
                put(name, "timeout_seconds", element.attribute("timeout_seconds").unwrap());
            }
            "property_group" => {
                for propval in element.children().filter(|child| child.has_tag_name("propval")) {
                    put(name, propval.attribute("name").unwrap(), propval.attribute("value").unwrap());
                }
            }
            _ => {}
        }
    }
    found
}

/// Replaces the method tokens of smf_method(7).
fn expand(exec: &str, method: &str, property: impl Fn(&str, &str) -> Option<String>) -> String {
    let mut text = String::new();
    let mut rest = exec;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let token = after.chars().next().expect("a token after %");
        rest = &after[token.len_utf8()..];
        match token {
            '%' => text.push('%'),
            'm' => text.push_str(method),
            'f' => text.push_str(FMRI),
            's' => text.push_str("network/ipsec/manual-key"),
            'i' => text.push_str("default"),
            'r' => text.push_str("svc.startd"),
            '{' => {
                let (name, beyond) = rest.split_once('}').expect("} after %{");
                let (group, name) = name.split_once('/').expect("GROUP/PROPERTY in %{}");
                text.push_str(&property(group, name).expect("the property in %{}"));
                rest = beyond;
            }
            other => panic!("no such method token: %{other}"),
        }
    }
    text + rest
}

/// A value as svcprop prints it: with a backslash before shell metacharacters.
fn quoted(value: &str) -> String {
    if value.is_empty() {
        return "\"\"".to_owned();
    }
    let escaped = value.chars().map(|c| if " \t\\'\"`;&()|^<>".contains(c) { format!("\\{c}") } else { c.to_string() });
    escaped.collect()
}

#[test]
fn method_tokens_are_expanded() {
    let property = |group: &str, name: &str| (group == "config" && name == "file").then(|| "/k".to_owned());
    assert_eq!(expand("/bin/x %m -f %{config/file} 100%%", "start", property), "/bin/x start -f /k 100%");
    assert_eq!(expand("%f|%s|%i|%r", "stop", property), format!("{FMRI}|network/ipsec/manual-key|default|svc.startd"));
}

#[test]
fn values_are_quoted_as_svcprop_does() {
    assert_eq!(quoted("/my keys"), r"/my\ keys");
    assert_eq!(quoted(""), "\"\"");
}
