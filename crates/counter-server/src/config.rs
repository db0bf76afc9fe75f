//! Command line and environment, parsed once into values that cannot be wrong.
//!
//! Flags override environment variables, environment variables override defaults.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::store::{self, StoreAddress};
use crate::{accept, fanout};

/// Open files that are not connections: listeners, store, logs, and what the libraries need.
const RESERVED_FILES: usize = 64;

/// Serves one live number over Socket.IO.
///
/// Any client emits `increment`; every client receives `countUpdated <count>`. Open the printed
/// address in a browser for the page with the +1 button.
#[derive(Debug, Clone, Parser)]
#[command(name = "counter-server", version, max_term_width = 100)]
pub struct Config {
    /// Address to listen on; 0.0.0.0 serves every interface
    #[arg(long, env = "HOST", default_value = "127.0.0.1")]
    pub host: IpAddr,

    /// Port to listen on; 0 picks a free one
    #[arg(long, env = "PORT", default_value_t = 3000)]
    pub port: u16,

    /// Where the count lives: `file:PATH`, `memory` (lost at exit), or, shared by several servers,
    /// `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]` (`rediss://` with TLS, trusting whom the
    /// system trusts or the file that `SSL_CERT_FILE` names)
    #[arg(
        long,
        env = "COUNTER_STORE",
        default_value = "file:counter.redb",
        value_name = "STORE",
        global = true,
        hide_env_values = true
    )]
    pub store: StoreAddress,

    /// Begins the names of all that is ours in Redis, so that several counters can share one
    #[arg(
        long,
        env = "COUNTER_STORE_PREFIX",
        default_value = "counter",
        value_name = "PREFIX",
        global = true
    )]
    pub store_prefix: String,

    /// How long the key of an increment is remembered, such as 10m: so late a retry is safe. A
    /// restart begins the time anew
    #[arg(long, env = "COUNTER_KEYS_FOR", default_value = "10m", value_parser = parse_duration, value_name = "TIME")]
    pub keys_for: Duration,

    /// How many keys are remembered; beyond, the oldest are forgotten
    #[arg(long, env = "COUNTER_MAX_KEYS", default_value_t = 1_000_000, value_name = "KEYS", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_keys: u32,

    /// Address of the admin listener (/metrics, /live, /ready), or `off`
    #[arg(
        long,
        env = "COUNTER_ADMIN",
        default_value = "127.0.0.1:9464",
        value_name = "ADDR|off"
    )]
    pub admin: Admin,

    /// Serve the files of this directory instead of the built-in page
    #[arg(long, env = "COUNTER_PUBLIC_DIR", value_name = "DIR")]
    pub public_dir: Option<PathBuf>,

    /// Serve this file at /socket.io/socket.io.js instead of the built-in browser client
    #[arg(long, env = "COUNTER_CLIENT_BUNDLE", value_name = "FILE")]
    pub client_bundle: Option<PathBuf>,

    /// Origin whose pages may connect, such as `https://example.org`; repeat or separate by commas;
    /// `*` allows all (default: every origin, as the tutorial's server does for WebSocket)
    #[arg(
        long,
        env = "COUNTER_ALLOW_ORIGIN",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    pub allow_origin: Vec<Origin>,

    /// Threads that send the counts [default: one per core]
    #[arg(long, env = "COUNTER_SHARDS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub shards: Option<u16>,

    /// Send to many clients in one system call where the kernel offers `io_uring`, or never
    #[arg(
        long,
        env = "COUNTER_IO_URING",
        default_value = "auto",
        value_name = "auto|off"
    )]
    pub io_uring: IoUring,

    /// Counts that a client may be behind and still receive every one; beyond, it jumps to the newest
    #[arg(long, env = "COUNTER_MAX_BEHIND", default_value_t = 10_000, value_name = "COUNTS", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_behind: u64,

    /// Kernel send buffer of each connection, in KiB: what a client that does not read may cost
    #[arg(long, env = "COUNTER_SEND_BUFFER", default_value_t = 256, value_name = "KIB", value_parser = clap::value_parser!(u32).range(4..=65_536))]
    pub send_buffer: u32,

    /// Disconnect a client that takes nothing for this long, such as 20s
    #[arg(long, env = "COUNTER_STALL_TIMEOUT", default_value = "20s", value_parser = parse_duration, value_name = "TIME")]
    pub stall_timeout: Duration,

    /// Connections open at once [default: what the limit of open files allows, less 64]
    #[arg(long, env = "COUNTER_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<usize>,

    /// How long to wait for clients and open requests after SIGTERM or SIGINT, such as 10s
    #[arg(long, env = "COUNTER_GRACE", default_value = "10s", value_parser = parse_duration, value_name = "TIME")]
    pub grace: Duration,

    /// Form of the log lines on stderr; what is logged is set by `RUST_LOG`
    #[arg(
        long,
        env = "COUNTER_LOG_FORMAT",
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,
}

impl Config {
    pub(crate) fn store(&self) -> store::Settings {
        store::Settings {
            address: self.store.clone(),
            prefix: self.store_prefix.clone(),
            max_keys: self.max_keys as usize,
        }
    }

    pub(crate) fn fanout_limits(&self) -> fanout::Limits {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        fanout::Limits {
            shards: self.shards.map_or_else(cores, usize::from),
            io_uring: self.io_uring == IoUring::Auto,
            max_behind: self.max_behind,
            stall_timeout: self.stall_timeout,
        }
    }

    /// Raises the limit of open files as far as it goes, to see how many connections it allows.
    pub(crate) fn connection_limits(&self) -> io::Result<accept::Limits> {
        let files = getrlimit(Resource::Nofile);
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: files.maximum,
                ..files
            },
        )?;
        let most = files.maximum.map_or(usize::MAX, |most| most as usize);
        Ok(accept::Limits {
            connections: self
                .max_connections
                .unwrap_or(most.saturating_sub(RESERVED_FILES)),
            send_buffer: self.send_buffer as usize * 1024,
            stall_timeout: self.stall_timeout,
        })
    }

    /// The address of the public listener.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }
}

/// The admin listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admin {
    /// None.
    Off,
    /// On this address.
    On(SocketAddr),
}

impl FromStr for Admin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            _ => text
                .parse()
                .map(Self::On)
                .map_err(|_| "expected ADDRESS:PORT such as 127.0.0.1:9464, or `off`".into()),
        }
    }
}

/// Whether counts are sent by `io_uring`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IoUring {
    /// Where the kernel offers and permits it.
    Auto,
    /// Never: one system call per client.
    Off,
}

/// An allowed origin: scheme, host and port as a browser sends them, or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Every origin.
    Any,
    /// Exactly this one.
    Exact(http::HeaderValue),
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "expected `*` or SCHEME://HOST[:PORT] without a path".to_owned();
        if text == "*" {
            return Ok(Self::Any);
        }
        let (scheme, authority) = text.split_once("://").ok_or_else(wrong)?;
        if scheme.is_empty() || authority.is_empty() || authority.contains('/') {
            return Err(wrong());
        }
        text.parse().map(Self::Exact).map_err(|_| wrong())
    }
}

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds_per_unit = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err("expected a number with a unit: 500ms, 10s, 5m or 1h".into()),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| format!("`{number}` is not a number"))?;
    Duration::try_from_secs_f64(number * seconds_per_unit)
        .map_err(|_| "expected a time that is not negative".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Config::command().debug_assert();
    }

    #[test]
    fn an_origin_has_scheme_and_host_and_no_path() {
        assert_eq!("*".parse(), Ok(Origin::Any));
        assert!("https://example.org:8080".parse::<Origin>().is_ok());
        assert!("https://example.org/".parse::<Origin>().is_err());
        assert!("example.org".parse::<Origin>().is_err());
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert!(parse_duration("10").is_err());
        assert!(parse_duration("-1s").is_err());
    }
}
