//! The floor as a program. `PORT` is the port, 3000 by default, 0 picks a free one.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use peers::{client, floor};
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, getsockname, ipproto, listen, socket_with,
    sockopt,
};

/// As long as the kernel allows by default.
const BACKLOG: i32 = 4096;

fn run() -> Result<()> {
    client::allow_open_files(0)?;
    let port = std::env::var("PORT")
        .unwrap_or_else(|_| "3000".into())
        .parse()
        .context("PORT is no port number")?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let listener = socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        flags,
        Some(ipproto::TCP),
    )?;
    sockopt::set_socket_reuseaddr(&listener, true)?;
    bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("cannot listen on 127.0.0.1:{port}; try PORT=0"))?;
    listen(&listener, BACKLOG)?;
    let address = SocketAddrV4::try_from(getsockname(&listener)?)?;
    println!("server is running on http://{address}");
    floor::serve(listener)
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
