//! docs/namespaces.md: network namespaces and VRFs. Its commands for xfrm interfaces run in tests/system, whose kernel has them.

use super::page::Page;
use super::site::Site;
use super::{KEYS, assert_protected};

const BLOCKS: usize = 5;

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn documents_namespaces() {
    let (site, page) = (Site::new(), Page::new("namespaces.md", BLOCKS));
    let shown = site.here.run(page.block(1)).succeeded();
    assert!(shown.contains("0 links, 0 SAs") && shown.contains("Usage: ipseckey doctor"), "{shown}");
}

#[test]
#[ignore = "needs a kernel: tests/kernel/run"]
fn documents_vrf() {
    let (site, page) = (Site::new(), Page::new("namespaces.md", BLOCKS));
    site.here.generate("src 192.0.2.1 dst 192.0.2.2");
    site.copy(KEYS);
    site.there.run("manual-key start").succeeded();
    let capture = site.capture("ip");
    let shown = site.here.run(page.block(2)).succeeded();
    assert!(shown.contains(" 0% packet loss") && shown.contains("1 link, 2 SAs, all with policies"), "{shown}");
    assert_protected(capture, "esp");
}
