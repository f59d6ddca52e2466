//! Pseudonyms of addresses that keep which network holds which address.
//!
//! Addresses are paths in a binary tree. At each fork the two branches stay or change places, so two addresses share as
//! many leading bits afterwards as before. The branch that is met first becomes the lower one: what is left of the real
//! bits is the order in which they came. The ways to addresses that mean something to Azure (private ranges, the
//! resolver at 168.63.129.16) never change, so that these stay what they are.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Ranges that keep their place: what lies in them stays in them.
const FIXED: [&str; 13] = [
    "0.0.0.0/32",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "255.255.255.255/32",
    "::/128",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

/// The forks that were met, and whether their branches change places.
#[derive(Debug)]
pub(super) struct Addresses {
    swapped: HashMap<(bool, u8, u128), bool>,
}

impl Addresses {
    pub(super) fn new() -> Self {
        let mut swapped = HashMap::new();
        for range in FIXED {
            let range: IpNet = range.parse().expect("a constant range");
            let (wide, bits, _) = parts(range.addr());
            for depth in 0..range.prefix_len() {
                swapped.insert((wide, depth, prefix(bits, depth)), false);
            }
        }
        Self { swapped }
    }

    /// The pseudonym of an address.
    pub(super) fn address(&mut self, address: IpAddr) -> IpAddr {
        let (wide, bits, length) = parts(address);
        let mut out = 0_u128;
        for depth in 0..length {
            let bit = bits >> (127 - depth) & 1;
            let swap = *self.swapped.entry((wide, depth, prefix(bits, depth))).or_insert(bit == 1);
            out = out << 1 | (bit ^ u128::from(swap));
        }
        if wide {
            IpAddr::V6(Ipv6Addr::from(out))
        } else {
            IpAddr::V4(Ipv4Addr::from(u32::try_from(out).expect("32 bits were written")))
        }
    }

    /// Takes over a pair from an earlier run, so that the same address gets the same pseudonym again.
    pub(super) fn learn(&mut self, real: IpAddr, pseudonym: IpAddr) {
        let ((wide, bits, length), (same, other, _)) = (parts(real), parts(pseudonym));
        if wide == same {
            for depth in 0..length {
                let differs = (bits ^ other) >> (127 - depth) & 1 == 1;
                self.swapped.entry((wide, depth, prefix(bits, depth))).or_insert(differs);
            }
        }
    }
}

/// Whether it is IPv6, its bits from the highest on, and how many they are.
fn parts(address: IpAddr) -> (bool, u128, u8) {
    match address {
        IpAddr::V4(address) => (false, u128::from(u32::from(address)) << 96, 32),
        IpAddr::V6(address) => (true, u128::from(address), 128),
    }
}

/// The first bits, the rest zero.
fn prefix(bits: u128, length: u8) -> u128 {
    if length == 0 { 0 } else { bits >> (128 - length) << (128 - length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_what_they_held_and_azures_addresses_stay() {
        let mut addresses = Addresses::new();
        let mut turn = |text: &str| addresses.address(text.parse().expect("an address"));
        let (one, two, other, public) = (turn("10.9.200.4"), turn("10.9.200.77"), turn("10.9.3.1"), turn("20.3.4.5"));
        let net = |address: IpAddr, length| IpNet::new(address, length).expect("a net").trunc();
        assert_eq!(net(one, 25), net(two, 25));
        assert_ne!(net(one, 24), net(other, 24));
        assert_eq!(net(one, 16), net(other, 16));
        assert_ne!(one.to_string(), "10.9.200.4");
        assert!(net("10.0.0.0".parse().expect("an address"), 8).contains(&one));
        assert!(!net("10.0.0.0".parse().expect("an address"), 8).contains(&public));
        assert_eq!(turn("168.63.129.16").to_string(), "168.63.129.16");
        assert_eq!(turn("0.0.0.0").to_string(), "0.0.0.0");
        assert_eq!(turn("10.9.200.4"), one);
        assert_eq!(turn("::1").to_string(), "::1");
    }

    #[test]
    fn a_learned_pair_comes_again() {
        let mut first = Addresses::new();
        let real: IpAddr = "10.9.200.4".parse().expect("an address");
        let noise: IpAddr = "10.9.100.1".parse().expect("an address");
        let pseudonym = first.address(real);
        let mut second = Addresses::new();
        second.learn(real, pseudonym);
        second.address(noise);
        assert_eq!(second.address(real), pseudonym);
    }
}
