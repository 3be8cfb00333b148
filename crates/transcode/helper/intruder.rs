//! Tries what an encoder should not be able to do and writes what came of it to `report`.
//!
//! The work folder is the current one; the files of the stack are beside it.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::process::Command;

use rustix::net::{AddressFamily, SocketType, ipproto};
use rustix::process::Signal;

type Try = (&'static str, fn() -> io::Result<()>);

/// The files that an encoder needs.
const NEEDED: &[Try] = &[
    ("read its input", || read("../in.mp4")),
    ("write its work folder", || fs::write("out", "out")),
    ("start a thread", || {
        std::thread::Builder::new().spawn(|| {}).map(drop)
    }),
];

const FILES: &[Try] = &[
    ("read secrets.json", || read("../secrets.json")),
    ("read endpoints.json", || read("../endpoints.json")),
    ("read another upload", || read("../objects/other")),
    ("read another upload by a link", || {
        symlink("../objects/other", "link")?;
        read("link")
    }),
    ("list the state folder", || fs::read_dir("..").map(drop)),
    ("read the home", || read("../home/id")),
    ("write the home", || fs::write("../home/new", "new")),
    ("write vod.db", || {
        File::options().append(true).open("../vod.db").map(drop)
    }),
    ("change a mode", || {
        fs::set_permissions("../vod.db", fs::Permissions::from_mode(0o666))
    }),
    ("remove another upload", || fs::remove_file("../objects/doomed")),
    ("read its parent's environment", || {
        read(&format!("/proc/{}/environ", std::os::unix::process::parent_id()))
    }),
];

const NETWORK: &[Try] = &[
    ("connect", || {
        TcpStream::connect(fs::read_to_string("address")?).map(drop)
    }),
    ("listen", || TcpListener::bind("127.0.0.1:0").map(drop)),
    ("open a datagram socket", || {
        UdpSocket::bind("127.0.0.1:0").map(drop)
    }),
    ("open a socket pair", || UnixStream::pair().map(drop)),
    ("open a raw socket", || {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP));
        Ok(socket.map(drop)?)
    }),
];

const PROCESSES: &[Try] = &[
    ("signal its parent", || {
        let parent = rustix::process::getppid().ok_or(io::ErrorKind::NotFound)?;
        // One that does nothing by default.
        Ok(rustix::process::kill_process(parent, Signal::WINCH)?)
    }),
    ("outlive its parent", || {
        Ok(rustix::process::set_parent_process_death_signal(None)?)
    }),
    ("start a program", || Command::new("/bin/true").status().map(drop)),
];

pub(crate) fn intrude() {
    let tries = [NEEDED, FILES, NETWORK, PROCESSES].concat();
    let report = tries.into_iter().map(|(name, attempt)| match attempt() {
        Ok(()) => format!("{name}: done\n"),
        Err(error) => format!("{name}: {:?}\n", error.kind()),
    });
    let report: String = report.collect();
    fs::write("report", report).expect("the work folder can be written");
}

fn read(path: &str) -> io::Result<()> {
    let mut byte = [0];
    File::open(path)?.read_exact(&mut byte)
}
