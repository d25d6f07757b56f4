//! The manifests, compared with the element order of the DTD and with the service that ipseckey(1M) describes.

use roxmltree::Node;

use crate::standin::{child, parse};

pub(crate) const MANIFEST: &str = include_str!("../../manifests/manual-key.xml");
pub(crate) const PROFILE: &str = include_str!("../../manifests/manual-key-profile.xml");

/// An element: its name, its children in the order of the DTD, its required attributes.
type Rule = (&'static str, &'static [&'static str], &'static [&'static str]);

/// From service_bundle.dtd.1, for the elements of the manifests.
const RULES: &[Rule] = &[
    ("service_bundle", &["service"], &["type", "name"]),
    (
        "service",
        &[
            "create_default_instance",
            "single_instance",
            "restarter",
            "dependency",
            "dependent",
            "method_context",
            "exec_method",
            "property_group",
            "instance",
            "stability",
            "template",
        ],
        &["name", "version", "type"],
    ),
    (
        "instance",
        &["restarter", "dependency", "dependent", "method_context", "exec_method", "property_group", "template"],
        &["name", "enabled"],
    ),
    ("create_default_instance", &[], &["enabled"]),
    ("single_instance", &[], &[]),
    ("dependency", &["service_fmri", "stability", "propval"], &["name", "grouping", "restart_on", "type"]),
    ("dependent", &["service_fmri", "stability", "propval"], &["name", "grouping", "restart_on"]),
    ("service_fmri", &[], &["value"]),
    ("method_context", &["method_credential", "method_environment"], &[]),
    ("method_credential", &[], &["user"]),
    ("exec_method", &["method_context", "stability", "propval"], &["type", "name", "exec", "timeout_seconds"]),
    ("property_group", &["stability", "propval"], &["name", "type"]),
    ("propval", &[], &["name", "type", "value"]),
    ("stability", &[], &["value"]),
    ("template", &["common_name", "description", "documentation", "pg_pattern"], &[]),
    ("common_name", &["loctext"], &[]),
    ("description", &["loctext"], &[]),
    ("loctext", &[], &[]),
    ("documentation", &["doc_link", "manpage"], &[]),
    ("manpage", &[], &["title", "section"]),
    ("pg_pattern", &["common_name", "description", "prop_pattern"], &["name", "type"]),
    (
        "prop_pattern",
        &["common_name", "description", "units", "visibility", "cardinality", "values", "constraints", "choices"],
        &["name"],
    ),
    ("visibility", &[], &["value"]),
    ("cardinality", &[], &[]),
];

fn check(node: Node<'_, '_>) {
    let name = node.tag_name().name();
    let (_, order, needed) = RULES.iter().find(|(known, ..)| *known == name).unwrap_or_else(|| panic!("<{name}>"));
    for attribute in *needed {
        assert!(node.has_attribute(*attribute), "<{name}> needs {attribute}");
    }
    let mut last = 0;
    for element in node.children().filter(Node::is_element) {
        let place = order.iter().position(|known| element.has_tag_name(*known));
        let place = place.unwrap_or_else(|| panic!("<{}> in <{name}>", element.tag_name().name()));
        assert!(place >= last, "<{}> comes too late in <{name}>", element.tag_name().name());
        last = place;
        check(element);
    }
}

#[test]
fn manifest_and_profile_keep_to_the_dtd() {
    for text in [MANIFEST, PROFILE] {
        check(parse(text).root_element());
    }
}

/// The value of a property in the manifest.
fn property(group: &str, name: &str) -> String {
    let document = parse(MANIFEST);
    let groups = document.descendants().filter(|node| node.has_tag_name("property_group"));
    let group = groups.filter(|node| node.attribute("name") == Some(group)).flat_map(|group| group.children());
    let value = group.filter(|node| node.attribute("name") == Some(name)).find_map(|node| node.attribute("value"));
    value.unwrap_or_else(|| panic!("{name}")).to_owned()
}

#[test]
fn manifest_matches_the_man_page() {
    let document = parse(MANIFEST);
    let service = child(document.root_element(), "service");
    assert_eq!(service.attribute("name"), Some("network/ipsec/manual-key"));
    assert_eq!(child(service, "create_default_instance").attribute("enabled"), Some("false"));
    child(service, "single_instance");
    assert_eq!(property("startd", "duration"), "transient");
    assert_eq!(property("config", "config_file"), "/etc/inet/secret/ipseckeys");
    assert_eq!(property("config", "value_authorization"), "solaris.smf.value.ipsec");
    assert_eq!(property("general", "action_authorization"), "solaris.smf.manage.ipsec");
    assert_eq!(property("general", "value_authorization"), "solaris.smf.manage.ipsec");
    child(child(service, "template"), "documentation");
}

#[test]
fn manifest_orders_the_service_after_files_and_before_the_network() {
    let document = parse(MANIFEST);
    let service = child(document.root_element(), "service");
    let named = |name: &str| -> Vec<String> {
        let elements = service.children().filter(|node| node.has_tag_name(name));
        elements.map(|node| child(node, "service_fmri").attribute("value").unwrap().to_owned()).collect()
    };
    assert_eq!(named("dependency"), ["svc:/system/filesystem/minimal", "svc:/network/ipsec/ipsecalgs"]);
    assert_eq!(named("dependent"), ["svc:/milestone/network"]);
    assert_eq!(child(service, "dependent").attribute("grouping"), Some("optional_all"));
}

/// The methods below `node`: name, command, timeout, credential.
fn methods(node: Node<'_, '_>) -> Vec<[String; 3]> {
    let methods = node.children().filter(|node| node.has_tag_name("exec_method"));
    let attributes = ["name", "exec", "timeout_seconds"];
    methods.map(|method| attributes.map(|name| method.attribute(name).unwrap().to_owned())).collect()
}

#[test]
fn profile_has_the_methods_of_the_manifest() {
    let (manifest, profile) = (parse(MANIFEST), parse(PROFILE));
    let service = child(manifest.root_element(), "service");
    let instance = child(child(profile.root_element(), "service"), "instance");
    assert_eq!(methods(service), methods(instance));
    let names: Vec<String> = methods(service).iter().map(|[name, ..]| name.clone()).collect();
    assert_eq!(names, ["start", "refresh", "stop"]);
    for [name, exec, timeout] in methods(service) {
        assert_eq!((exec.as_str(), timeout.as_str()), ("/opt/ipseckey/sbin/manual-key %m", "60"), "{name}");
    }
}

#[test]
fn methods_have_one_privilege() {
    for text in [MANIFEST, PROFILE] {
        let document = parse(text);
        let credentials: Vec<_> = document.descendants().filter(|node| node.has_tag_name("method_credential")).collect();
        assert!(!credentials.is_empty());
        for credential in credentials {
            assert_eq!(credential.attribute("limit_privileges"), Some("basic,sys_ip_config"));
            assert!(credential.attribute("privileges").is_some_and(|set| set.starts_with("basic,!")));
        }
    }
}
