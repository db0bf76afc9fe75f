//! Where the count lives, as it is written on the command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};

/// Where the count lives.
#[derive(Debug, Clone)]
pub enum StoreAddress {
    /// In the process, lost at its end.
    Memory,
    /// In this file.
    File(PathBuf),
    /// In a Redis that several servers may share.
    Redis(RedisAddress),
}

/// Where Redis is, and what it wants to know; shown without the password.
#[derive(Debug, Clone)]
pub struct RedisAddress(Box<ConnectionInfo>);

impl RedisAddress {
    pub(crate) fn info(&self) -> &ConnectionInfo {
        &self.0
    }

    pub(crate) fn database(&self) -> i64 {
        self.0.redis_settings().db()
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.0.addr() {
            ConnectionAddr::TcpTls { .. } => "rediss",
            _ => "redis",
        };
        write!(f, "{scheme}://{}/{}", self.0.addr(), self.database())
    }
}

impl StoreAddress {
    /// What kind of store it is, in one word.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::File(_) => "file",
            Self::Redis(_) => "redis",
        }
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Redis(address) => address.fmt(f),
        }
    }
}

impl FromStr for StoreAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        match text.split_once(':') {
            Some(("file", "")) => Err("expected a path after `file:`".into()),
            Some(("file", path)) => Ok(Self::File(path.into())),
            Some(("redis" | "rediss", rest)) if rest.starts_with("//") => redis_address(text),
            _ => Err("expected `memory`, `file:PATH`, `redis://…` or `rediss://…`".into()),
        }
    }
}

fn redis_address(url: &str) -> Result<StoreAddress, String> {
    let form = "redis[s]://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]";
    if url.contains('#') {
        return Err(format!("expected {form}, without a fragment"));
    }
    let info = url
        .into_connection_info()
        .map_err(|error| format!("expected {form}: {error}"))?;
    // Version 3 brings what other nodes publish over the connection that also commits.
    let settings = info
        .redis_settings()
        .clone()
        .set_protocol(ProtocolVersion::RESP3);
    let info = Box::new(info.set_redis_settings(settings));
    Ok(StoreAddress::Redis(RedisAddress(info)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, String> {
        StoreAddress::from_str(text).map(|address| address.to_string())
    }

    #[test]
    fn an_address_is_memory_a_file_or_redis() {
        assert_eq!(shown("memory").as_deref(), Ok("memory"));
        assert_eq!(shown("file:/a b/c:d").as_deref(), Ok("file:/a b/c:d"));
        assert_eq!(
            shown("redis://localhost").as_deref(),
            Ok("redis://localhost:6379/0")
        );
        for wrong in [
            "",
            "file",
            "file:",
            "redis:",
            "redis://",
            "http://x",
            "redis://h/x",
            "rediss://h#insecure",
        ] {
            assert!(shown(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let address = StoreAddress::from_str("rediss://me:secret@host:7000/3").expect("valid");
        assert_eq!(address.to_string(), "rediss://host:7000/3");
        assert!(!format!("{address:?}").contains("secret"));
    }
}
