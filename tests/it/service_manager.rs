//! What a service manager sees of `helios serve`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Long enough for a slow machine to start a process; a failure takes that long, a success does not.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service manager that waits for messages of a server.
struct Manager {
    folder: tempfile::TempDir,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { folder, socket }
    }

    /// `sh -c` so that a handed socket gets its number 3; without one the line is a plain start.
    fn start(&self, line: &str, stdin: Stdio) -> Running {
        let mut command = Command::new("sh");
        command.args(["-c", line]).env("HELIOS", env!("CARGO_BIN_EXE_helios"));
        command.env("HELIOS_DATA_DIR", self.folder.path().join("data"));
        command.env("NOTIFY_SOCKET", self.folder.path().join("notify"));
        command.env("WATCHDOG_USEC", "200000");
        Running(command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Takes messages until one has this line, and gives back all lines until then.
    fn until(&self, wanted: &str) -> Vec<String> {
        let (mut lines, mut message) = (Vec::new(), [0; 4_096]);
        loop {
            let len = self.socket.recv(&mut message).unwrap_or_else(|error| panic!("{wanted}: {error}; {lines:?}"));
            lines.extend(std::str::from_utf8(&message[..len]).unwrap().lines().map(str::to_owned));
            if lines.iter().any(|line| line == wanted) {
                return lines;
            }
        }
    }
}

/// A server that does not outlive its test.
struct Running(Child);

impl Running {
    fn terminate(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap().success());
    }

    fn ends_well(&mut self) -> bool {
        self.0.wait().unwrap().success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_service_manager_is_told_of_the_start_of_life_and_of_the_stop() {
    let manager = Manager::new();
    let mut child = manager.start("exec \"$HELIOS\" serve --port 0", Stdio::null());
    let starting = manager.until("READY=1");
    assert_eq!(starting[0], "STATUS=starting: reading the log");
    assert!(starting.iter().any(|line| line.starts_with("EXTEND_TIMEOUT_USEC=")), "{starting:?}");
    manager.until("WATCHDOG=1");
    let serving = manager.until("WATCHDOG=1");
    assert!(!serving.iter().any(|line| line.starts_with("EXTEND_TIMEOUT_USEC=")), "{serving:?}");
    child.terminate();
    manager.until("STOPPING=1");
    assert!(child.ends_well());
}

#[test]
fn a_socket_that_is_handed_down_is_served_in_place_of_the_one_in_the_settings() {
    let manager = Manager::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    // Who connects before there is a server waits for it.
    let mut early = TcpStream::connect(address).unwrap();
    early.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let line = "exec 3<&0 </dev/null; exec env LISTEN_PID=$$ LISTEN_FDS=1 \"$HELIOS\" serve --port 1";
    let mut child = manager.start(line, Stdio::from(OwnedFd::from(listener)));
    let lines = manager.until("READY=1");
    assert!(lines.iter().any(|line| line.contains(&address.to_string())), "{lines:?}");
    early.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = String::new();
    early.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    child.terminate();
    assert!(child.ends_well());
}

#[test]
fn a_handed_socket_beyond_loopback_is_refused_like_a_setting_is() {
    let manager = Manager::new();
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let line = "exec 3<&0 </dev/null; exec env LISTEN_PID=$$ LISTEN_FDS=1 \"$HELIOS\" serve";
    let mut child = manager.start(line, Stdio::from(OwnedFd::from(listener)));
    assert!(!child.ends_well());
}
