//! `show`: the links as a table, or as objects under `--json`.

use std::io::{self, Write};

use super::session::Session;
use crate::links::exposition::{Exposition, Syntax};
use crate::links::{Links, json, metrics, table, xfrm_stat};
use crate::policy::Net;
use crate::redact::citable_address;
use crate::sadb::SadbError;
use crate::sys::net::interfaces::local_addresses;
use crate::sys::terminal;
use crate::sys::time::unix_now;

/// The argument of `show`: an address or a network, such as `192.0.2.2` or `10.2.0.0/16`. `None` if it is neither.
pub(super) fn parse_peer(text: &str) -> Option<Net> {
    let (addr, len) = text.split_once('/').map_or((text, None), |(addr, len)| (addr, Some(len)));
    let addr = addr.parse().ok()?;
    let net = Net::host(addr);
    match len.map(str::parse::<u8>) {
        None => Some(net),
        Some(Ok(len)) if len <= net.prefix_len() => Some(Net::new(addr, len)),
        Some(_) => None,
    }
}

impl Session<'_> {
    /// Prints the links, or only those with `peer`; as metrics if `syntax` is given. Returns false, with a message, if there is
    /// none with it.
    ///
    /// # Errors
    /// The SADB cannot be opened, or refuses to list its SAs or policies.
    pub(super) fn show(&self, peer: Option<Net>, syntax: Option<Syntax>) -> Result<bool, SadbError> {
        let mut links = self.read_links()?;
        if let Some(net) = peer {
            links.retain(net);
        }
        if let Some(net) = peer.filter(|_| links.is_empty()) {
            let net = citable_address(net);
            self.output.print_message(&format!("show: no SA for {net}; `ipseckey show` lists all links"));
            return Ok(false);
        }
        let _ = self.output.note_write_error(match syntax {
            Some(syntax) => self.write_metrics(&links, syntax),
            None => self.write_links(&links),
        });
        Ok(true)
    }

    pub(super) fn read_links(&self) -> Result<Links, SadbError> {
        // The addresses of this host say nothing about the SAs of a stand-in. Without its addresses, the directions are assumed.
        let local = if self.target().is_of_system() { local_addresses().ok() } else { None };
        Links::read(&mut *self.open()?, local, unix_now())
    }

    pub(super) fn write_links(&self, links: &Links) -> io::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        match self.output.json() {
            Some(_) => json::write(&mut out, links),
            None => table::write(&mut out, links, self.table_style()),
        }?;
        out.flush()
    }

    fn write_metrics(&self, links: &Links, syntax: Syntax) -> io::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let mut exposition = Exposition::new(&mut out, syntax);
        // The counters of this system are not those of a stand-in.
        let counters = if self.target().is_of_system() { xfrm_stat() } else { String::new() };
        metrics::write(&mut exposition, links, &counters)?;
        exposition.end()?;
        out.flush()
    }

    pub(super) fn table_style(&self) -> table::Style {
        let width = terminal::width(&io::stdout()).unwrap_or(table::DEFAULT_WIDTH);
        table::Style { width, has_color: self.output.colors() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_peer_takes_addresses_and_networks() {
        assert_eq!(parse_peer("192.0.2.2"), Some(Net::host([192, 0, 2, 2].into())));
        assert_eq!(parse_peer("10.2.0.0/16"), Some(Net::new([10, 2, 0, 0].into(), 16)));
        assert_eq!(parse_peer("::/0"), Some(Net::any("::".parse().unwrap())));
        for text in ["", "router", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "::1/129"] {
            assert_eq!(parse_peer(text), None, "{text}");
        }
    }
}
