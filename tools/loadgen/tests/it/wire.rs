//! The planted server's side of the wire: WebSocket frames, and reads with the kernel's stamp. Only as much of it as
//! loadgen needs.

use std::{io::IoSliceMut, net::TcpStream, os::fd::AsRawFd as _};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use rustix::time::{ClockId, clock_gettime};

pub(crate) fn clock(id: ClockId) -> u64 {
    let time = clock_gettime(id);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

pub(crate) fn now() -> u64 {
    clock(ClockId::Monotonic)
}

pub(crate) fn text(payload: &str) -> Vec<u8> {
    assert!(payload.len() < 126 || payload.len() < 65_536);
    let mut frame = vec![0x81];
    if payload.len() < 126 {
        frame.push(payload.len() as u8);
    } else {
        frame.push(126);
        frame.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    }
    frame.extend_from_slice(payload.as_bytes());
    frame
}

pub(crate) fn updated(count: u64) -> Vec<u8> {
    text(&format!("42[\"countUpdated\",{count}]"))
}

/// Bytes, and when they reached the kernel, in monotonic time.
pub(crate) fn receive(stream: &TcpStream) -> Option<(u64, Vec<u8>)> {
    let mut bytes = vec![0; 4_096];
    let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let received = recvmsg::<()>(
        stream.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::empty(),
    )
    .ok()?;
    let length = received.bytes;
    if length == 0 {
        return None;
    }
    let offset = clock(ClockId::Realtime) - now();
    let arrived = received.cmsgs().ok()?.find_map(|message| match message {
        ControlMessageOwned::ScmTimestampns(at) => {
            Some(at.tv_sec().unsigned_abs() * 1_000_000_000 + at.tv_nsec().unsigned_abs() - offset)
        }
        _ => None,
    });
    bytes.truncate(length);
    Some((arrived.expect("loopback stamps"), bytes))
}

/// The first whole message of a client, unmasked, and its length on the wire.
pub(crate) fn message(bytes: &[u8]) -> Option<(String, usize)> {
    let (short, begin) = (usize::from(bytes.get(1)? & 0x7f), 2);
    let (length, begin) = if short == 126 {
        (
            usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
            4,
        )
    } else {
        (short, begin)
    };
    let mask = bytes.get(begin..begin + 4)?;
    let payload = bytes.get(begin + 4..begin + 4 + length)?;
    let plain = payload
        .iter()
        .zip(mask.iter().cycle())
        .map(|(byte, mask)| byte ^ mask)
        .collect();
    Some((String::from_utf8(plain).ok()?, begin + 4 + length))
}
