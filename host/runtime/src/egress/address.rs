//! Which addresses a connection may dial.
//!
//! The threat: a counterpart's name is made to point, once or at the right moment, at an address
//! inside the host's own network, at the host itself, or at the cloud's metadata service, and the
//! connector becomes a way in (server-side request forgery, DNS rebinding). So the host resolves
//! names itself, checks every address of every answer in all the ways an IPv4 address can be spelt
//! inside IPv6, and dials only what it has checked; each new connection is checked anew. An admin's
//! grant opens private addresses for one endpoint. Metadata addresses are never opened.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::reason::Reason;

/// An address that is not dialled, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {range}")]
pub struct Forbidden {
    address: IpAddr,
    range: Range,
}

impl Forbidden {
    /// Why a request to `origin` is refused, for people.
    pub fn reason(&self, origin: &str) -> Reason {
        let code = match self.range {
            Range::Metadata => "host.address.metadata",
            Range::Loopback => "host.address.loopback",
            Range::Private => "host.address.private",
            Range::LinkLocal => "host.address.link-local",
            Range::CarrierNat => "host.address.carrier-nat",
            Range::Multicast => "host.address.multicast",
            Range::Documentation => "host.address.documentation",
            Range::Tunnel => "host.address.tunnel",
            Range::Reserved => "host.address.reserved",
        };
        let reason = Reason::new(code).arg("origin", origin);
        reason.arg("address", self.address)
    }
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Range {
    #[error("a cloud's metadata service, which is never opened")]
    Metadata,
    #[error("an address of this machine")]
    Loopback,
    #[error("an address of a private network")]
    Private,
    #[error("a link-local address")]
    LinkLocal,
    #[error("an address behind a carrier's NAT")]
    CarrierNat,
    #[error("a multicast address")]
    Multicast,
    #[error("an address for documentation")]
    Documentation,
    #[error("a tunnel address that hides an IPv4 address")]
    Tunnel,
    #[error("a reserved address")]
    Reserved,
}

/// Passes an address that may be dialled. `granted` opens all but metadata services.
pub(super) fn check(address: IpAddr, granted: bool) -> Result<(), Forbidden> {
    match range(address) {
        None => Ok(()),
        Some(range) if granted && range != Range::Metadata => Ok(()),
        Some(range) => Err(Forbidden { address, range }),
    }
}

fn range(address: IpAddr) -> Option<Range> {
    match address {
        IpAddr::V4(address) => range_v4(address),
        IpAddr::V6(address) => range_v6(address),
    }
}

/// IANA IPv4 Special-Purpose Address Registry; all that is not globally reachable.
fn range_v4(address: Ipv4Addr) -> Option<Range> {
    Some(match address.octets() {
        // Amazon, Azure, Google, DigitalOcean and others; Amazon's for containers and for pods;
        // Alibaba; Azure's agent of virtual machines, at a public address.
        [169, 254, 169, 254]
        | [169, 254, 170, 2 | 23]
        | [100, 100, 100, 200]
        | [168, 63, 129, 16] => Range::Metadata,
        [127, ..] => Range::Loopback,
        [10, ..] | [192, 168, ..] | [172, 16..=31, ..] => Range::Private,
        [169, 254, ..] => Range::LinkLocal,
        [100, 64..=127, ..] => Range::CarrierNat,
        [224..=239, ..] => Range::Multicast,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Range::Documentation,
        // This network, IETF protocols, 6to4 relays, benchmarks, future use and broadcast.
        [0, ..] | [192, 0, 0, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [240..=255, ..] => {
            Range::Reserved
        }
        _ => return None,
    })
}

/// IANA IPv6 Special-Purpose Address Registry. Only 2000::/3 is handed out for global use.
fn range_v6(address: Ipv6Addr) -> Option<Range> {
    let inner = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        range_v4(Ipv4Addr::new(a, b, c, d))
    };
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Range::Reserved,
        [0, 0, 0, 0, 0, 0, 0, 1] => Range::Loopback,
        // Amazon's metadata service, and that for pods.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254 | 0x23] => Range::Metadata,
        // IPv4-mapped, IPv4-compatible, NAT64: as good or bad as the address inside.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            return inner(high, low);
        }
        // NAT64 within a network, Teredo, 6to4.
        [0x64, 0xff9b, 1, ..] | [0x2001, 0, ..] | [0x2002, ..] => Range::Tunnel,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Range::Documentation,
        // Benchmarks and identifiers that are no addresses.
        [0x2001, 2, 0, ..] | [0x2001, 0x10..=0x2f, ..] => Range::Reserved,
        [0x2000..=0x3fff, ..] => return None,
        [0xfc00..=0xfdff, ..] => Range::Private,
        [0xfe80..=0xfebf, ..] => Range::LinkLocal,
        [0xff00..=0xffff, ..] => Range::Multicast,
        _ => Range::Reserved,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(address: &str, granted: bool) -> Result<(), Forbidden> {
        check(address.parse().unwrap(), granted)
    }

    #[test]
    fn addresses_that_are_not_global_are_refused_without_a_grant() {
        for address in [
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "224.0.0.1",
            "239.255.255.255",
            "192.0.2.1",
            "198.51.100.7",
            "203.0.113.7",
            "192.0.0.8",
            "192.88.99.1",
            "198.19.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "3fff::1",
            "2001:2::1",
            "2001:20::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(asked(address, false).is_err(), "{address}");
            assert!(asked(address, true).is_ok(), "{address}");
        }
    }

    #[test]
    fn an_ipv4_address_is_recognised_in_every_spelling_inside_ipv6() {
        for address in [
            "::ffff:10.0.0.1",
            "::ffff:7f00:1",
            "::10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "64:ff9b:1:fffe:808:808:808:808",
            "2002:a00:1::",
            "2002:808:808::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        ] {
            assert!(asked(address, false).is_err(), "{address}");
        }
        for address in ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8"] {
            assert!(asked(address, false).is_ok(), "{address}");
        }
    }

    #[test]
    fn metadata_services_are_refused_even_with_a_grant() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "100.100.100.200",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "::ffff:168.63.129.16",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
        ] {
            assert!(asked(address, true).is_err(), "{address}");
        }
    }

    #[test]
    fn public_addresses_beside_the_reserved_ones_pass() {
        for address in [
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "192.0.1.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a00:1450::1",
        ] {
            assert_eq!(Ok(()), asked(address, false), "{address}");
        }
    }
}
