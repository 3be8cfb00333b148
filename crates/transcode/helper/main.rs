//! Two programs for the tests: the launcher that encoders are confined by, and in place of ffmpeg an encoder that an
//! upload has taken over. It tries what it should not be able to do and writes what came of it to `report`.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::process::Command;

fn main() {
    transcode::confine::launch_if_asked();
    // So asks who wants to know whether ffmpeg runs at all.
    if std::env::args().nth(1).is_some_and(|first| first == "-version") {
        return;
    }
    #[cfg(target_os = "linux")]
    intrude();
}

/// Its work folder is `work`; the stack's files lie beside that.
#[cfg(target_os = "linux")]
fn intrude() {
    let tries: [(&str, fn() -> io::Result<()>); 22] = [
        ("read its input", || read("../in.mp4")),
        ("write its work folder", || fs::write("out", "out")),
        ("start a thread", || {
            std::thread::Builder::new().spawn(|| {}).map(drop)
        }),
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
        ("connect", || {
            TcpStream::connect(fs::read_to_string("address")?).map(drop)
        }),
        ("listen", || TcpListener::bind("127.0.0.1:0").map(drop)),
        ("send a datagram", || UdpSocket::bind("127.0.0.1:0").map(drop)),
        ("open a socket pair", || UnixStream::pair().map(drop)),
        ("open a raw socket", linux::raw_socket),
        ("signal its parent", linux::signal_parent),
        ("outlive its parent", linux::outlive_parent),
        ("start a program", || Command::new("/bin/true").status().map(drop)),
    ];
    let report = tries.map(|(name, attempt)| match attempt() {
        Ok(()) => format!("{name}: done\n"),
        Err(error) => format!("{name}: {:?}\n", error.kind()),
    });
    // Not a single file: what is written outside of the work folder is tried above.
    fs::write("report", report.concat()).expect("the work folder can be written");
}

fn read(path: &str) -> io::Result<()> {
    let mut byte = [0];
    File::open(path)?.read_exact(&mut byte)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    use rustix::net::{AddressFamily, SocketType, ipproto};
    use rustix::process::Signal;

    pub(super) fn raw_socket() -> io::Result<()> {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP));
        Ok(socket.map(drop)?)
    }

    pub(super) fn signal_parent() -> io::Result<()> {
        let parent = rustix::process::getppid().ok_or(io::ErrorKind::NotFound)?;
        // One that does nothing by default.
        Ok(rustix::process::kill_process(parent, Signal::WINCH)?)
    }

    pub(super) fn outlive_parent() -> io::Result<()> {
        Ok(rustix::process::set_parent_process_death_signal(None)?)
    }
}
