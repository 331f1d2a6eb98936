//! Who is behind a proxy: `X-Forwarded-For`, believed only when a trusted proxy wrote it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use http::{Extensions, HeaderMap};
use otaru_model::peer::Peer;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        let wide = |address: IpAddr| match address {
            IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        let ((ours, our_length), (theirs, their_length)) = (wide(self.address), wide(address.to_canonical()));
        let same = (ours ^ theirs).leading_zeros() >= u32::from(self.bits);
        our_length == their_length && (same || self.bits == 0)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let wrong = || "expected an address or a network, such as 10.0.0.7, 10.0.0.0/8 or fd00::/8".to_owned();
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        match bits.unwrap_or(most) {
            bits if bits <= most => Ok(Network { address, bits }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// The proxies that are believed. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Networks(Arc<[Network]>);

impl Networks {
    pub fn new(networks: &[Network]) -> Networks {
        Networks(networks.into())
    }

    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// The client's address. Where a trusted proxy named it, the request's [`Peer`] is changed to it.
    pub fn peer(&self, headers: &HeaderMap, extensions: &mut Extensions) -> Option<IpAddr> {
        let peer = extensions.get_mut::<Peer>()?;
        let nearest = peer.address.ip().to_canonical();
        if !self.contain(nearest) {
            return Some(nearest);
        }
        let client = self.client(headers).unwrap_or(nearest);
        if client != nearest {
            // Which port the client has is known to the proxy only.
            peer.address = SocketAddr::new(client, 0);
        }
        Some(client)
    }

    /// Each hop adds the address it was asked from at the end, so the last one that is no proxy of ours is the client; what
    /// stands before it, the client itself may have written.
    fn client(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let lines: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
        let mut furthest = None;
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let Some(address) = address(hop.trim()) else { break };
            furthest = Some(address);
            if !self.contain(address) {
                break;
            }
        }
        furthest
    }
}

/// An address as proxies write it: alone, with a port, or in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let parsed = text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    let parsed = parsed.or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok());
    parsed.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(trusted: &[&str], nearest: &str, forwarded: &[&str]) -> String {
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().expect("a network")).collect();
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().expect("a header value"));
        }
        let address = SocketAddr::new(nearest.parse().expect("an address"), 4711);
        let mut extensions = Extensions::new();
        extensions.insert(Peer { address, encrypted: false, certificate: None });
        let client = Networks::new(&trusted).peer(&headers, &mut extensions).expect("a peer");
        assert_eq!(extensions.get::<Peer>().map(|peer| peer.address.ip().to_canonical()), Some(client));
        client.to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let proxies = &["127.0.0.1", "10.0.0.0/8", "fd00::/8"];
        for (trusted, nearest, forwarded, expected) in [
            (&[][..], "127.0.0.1", &["203.0.113.9"][..], "127.0.0.1"),
            (proxies, "192.0.2.1", &["203.0.113.9"], "192.0.2.1"),
            (proxies, "127.0.0.1", &[], "127.0.0.1"),
            (proxies, "127.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            (proxies, "::ffff:127.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            // What the client wrote itself stands in front and is not believed.
            (proxies, "127.0.0.1", &["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
            (proxies, "127.0.0.1", &["1.1.1.1", "203.0.113.9, 10.1.2.3"], "203.0.113.9"),
            (proxies, "127.0.0.1", &["10.9.9.9, 10.1.2.3"], "10.9.9.9"),
            (proxies, "fd00::1", &["[2001:db8::7]:4000"], "2001:db8::7"),
            (proxies, "127.0.0.1", &["203.0.113.9:1234"], "203.0.113.9"),
            (proxies, "127.0.0.1", &["nonsense"], "127.0.0.1"),
            (proxies, "127.0.0.1", &["203.0.113.9, unknown"], "127.0.0.1"),
        ] {
            assert_eq!(seen(trusted, nearest, forwarded), expected, "{nearest} {forwarded:?}");
        }
    }

    #[test]
    fn a_network_has_its_addresses() {
        let has = |network: &str, address: &str| {
            network.parse::<Network>().expect("a network").contains(address.parse().expect("an address"))
        };
        assert!(has("10.0.0.0/8", "10.255.0.1") && !has("10.0.0.0/8", "11.0.0.1"));
        assert!(has("192.0.2.7", "192.0.2.7") && !has("192.0.2.7", "192.0.2.8"));
        assert!(has("0.0.0.0/0", "8.8.8.8") && !has("0.0.0.0/0", "::1"));
        assert!(has("fd00::/8", "fdff::1") && !has("fd00::/8", "fe80::1"));
        for wrong in ["", "10.0.0.0/33", "::/129", "host", "10.0.0.0/", "10.0.0/8"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
