//! Local addresses to connect from: single ones, and ranges in CIDR notation (RFC 4632).

use std::net::{IpAddr, Ipv4Addr};

/// Addresses that one argument stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source(pub(crate) Vec<IpAddr>);

/// A wider range has more ports than any machine has memory.
const MOST: u32 = 4_096;

impl std::str::FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((address, bits)) = text.split_once('/') else {
            let address = text
                .parse()
                .map_err(|_| format!("{text:?} is no address; write 127.0.0.2 or 127.0.0.0/28"))?;
            return Ok(Self(vec![address]));
        };
        let address: Ipv4Addr = address
            .parse()
            .map_err(|_| format!("{address:?} is no IPv4 address"))?;
        let bits: u32 = bits
            .parse()
            .ok()
            .filter(|bits| *bits <= 32)
            .ok_or("a range has 0 to 32 bits, as in /28")?;
        let size = 1_u64 << (32 - bits);
        if size > u64::from(MOST) {
            return Err(format!(
                "{text} has {size} addresses; {MOST} are enough for everybody"
            ));
        }
        let first = u64::from(address.to_bits()) & !(size - 1);
        // The first address names the network and the last is for everybody in it: neither is anyone's own.
        let hosts = if size > 2 {
            first + 1..first + size - 1
        } else {
            first..first + size
        };
        Ok(Self(
            hosts
                .map(|host| IpAddr::from(Ipv4Addr::from_bits(host as u32)))
                .collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_stands_for_its_hosts() {
        let of = |text: &str| text.parse::<Source>().map(|source| source.0);
        assert_eq!(of("127.0.0.9").unwrap(), [IpAddr::from([127, 0, 0, 9])]);
        let range = of("127.0.1.5/29").unwrap();
        assert_eq!(
            (range.len(), range[0], range[5]),
            (6, [127, 0, 1, 1].into(), [127, 0, 1, 6].into())
        );
        assert_eq!(of("127.0.0.7/32").unwrap().len(), 1);
        assert!(of("127.0.0.0/8").unwrap_err().contains("4096"));
        assert!(of("localhost").is_err());
        assert!(of("127.0.0.1/33").is_err());
    }
}
