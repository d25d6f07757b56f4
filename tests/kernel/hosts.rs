//! Two hosts on one cable, and traffic between them.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::space::Space;

/// Timeout for a datagram.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Timeout for a stream without progress.
const STALL: Duration = Duration::from_secs(20);
/// Datagrams to the other host and back.
const DATAGRAMS: u32 = 20;

/// Two hosts, each in its own network namespace, and a switch between them in a third, which sees exactly the packets between
/// the hosts.
///
/// On the cable `here` is 10.0.0.1 and fd00::1, `there` 10.0.0.2 and fd00::2. Behind it each host has a network for
/// tunnels: 10.1.0.1 and fd01::1 here, 10.2.0.1 and fd02::1 there.
pub struct Hosts {
    pub here: Space,
    pub there: Space,
    /// The switch.
    pub switch: Space,
}

impl Hosts {
    /// Two hosts that reach each other, unprotected.
    pub fn new() -> Self {
        let hosts = Self { here: Space::new(), there: Space::new(), switch: Space::new() };
        let Self { here, there, switch } = &hosts;
        switch.ip("link add switch up type bridge");
        for (host, own, other) in [(here, 1, 2), (there, 2, 1)] {
            let path = switch.path();
            host.ip(&format!("link add cable address 02:00:00:00:00:0{own} type veth peer name port{own} netns {path}"));
            switch.ip(&format!("link set port{own} up master switch"));
            plug(host, own, other);
        }
        hosts
    }
}

/// Configures addresses and a static neighbour entry, so no host sends ARP or neighbour discovery in clear.
fn plug(host: &Space, own: u8, other: u8) {
    for addr in [format!("10.0.0.{own}/24"), format!("fd00::{own}/64 nodad")] {
        host.ip(&format!("addr add {addr} dev cable"));
    }
    for addr in [format!("10.{own}.0.1/32"), format!("fd0{own}::1/128 nodad")] {
        host.ip(&format!("addr add {addr} dev lo"));
    }
    host.ip("link set cable up");
    for addr in [format!("10.0.0.{other}"), format!("fd00::{other}")] {
        host.ip(&format!("neigh add {addr} lladdr 02:00:00:00:00:0{other} dev cable nud permanent"));
    }
    host.ip(&format!("route add 10.{other}.0.0/16 via 10.0.0.{other} src 10.{own}.0.1"));
    host.ip(&format!("-6 route add fd0{other}::/32 via fd00::{other} src fd0{own}::1"));
}

impl Hosts {
    /// Hosts behind these: 10.1.5.2 and fd01:0:5::2 here, 10.2.5.2 and fd02:0:5::2 there.
    pub fn behind(&self) -> Self {
        let inside = Self { here: Space::new(), there: Space::new(), switch: Space::new() };
        for (gateway, host, number) in [(&self.here, &inside.here, 1), (&self.there, &inside.there, 2)] {
            let path = host.path();
            gateway.ip(&format!("link add inside type veth peer name cable netns {path}"));
            for (space, device, last) in [(gateway, "inside", 1), (host, "cable", 2)] {
                space.ip(&format!("addr add 10.{number}.5.{last}/24 dev {device}"));
                space.ip(&format!("addr add fd0{number}:0:5::{last}/64 dev {device} nodad"));
                space.ip(&format!("link set {device} up"));
            }
            host.ip(&format!("route add default via 10.{number}.5.1"));
            host.ip(&format!("-6 route add default via fd0{number}:0:5::1"));
            for switch in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
                gateway.inside(|| fs::write(format!("/proc/sys/net/{switch}"), "1").expect("forwards"));
            }
        }
        inside
    }

    /// Whether one of three pings gets a reply.
    pub fn ping(&self, there: IpAddr) -> bool {
        let mut command = Command::new("ping");
        command.args(["-n", "-c", "3", "-i", "0.2", "-W", "1", &there.to_string()]);
        self.here.run(command).status == 0
    }

    /// Sends [`DATAGRAMS`] one by one and expects each back unchanged; returns how many succeeded before the first failure.
    pub fn echo(&self, here: IpAddr, there: IpAddr) -> Result<(), u32> {
        let far = self.there.inside(|| UdpSocket::bind((there, 0)).expect("binds"));
        let near = self.here.inside(|| UdpSocket::bind((here, 0)).expect("binds"));
        for socket in [&far, &near] {
            socket.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
        }
        let to = far.local_addr().expect("an address");
        let back = (0..DATAGRAMS).take_while(|number| came_back(&near, &far, to, *number)).count();
        let back = u32::try_from(back).expect("few");
        if back == DATAGRAMS { Ok(()) } else { Err(back) }
    }

    /// Sends `len` bytes over one TCP connection; the other end compares each byte.
    pub fn stream(&self, there: IpAddr, len: usize) -> Result<(), String> {
        let listener = self.there.inside(|| TcpListener::bind((there, 0)).expect("binds"));
        let to = listener.local_addr().expect("an address");
        thread::scope(|scope| {
            let received = scope.spawn(move || receive(&listener, len));
            self.here.inside(|| send(to, len)).map_err(|error| format!("sending: {error}"))?;
            received.join().expect("receives").map_err(|error| format!("receiving: {error}"))
        })
    }
}

fn came_back(near: &UdpSocket, far: &UdpSocket, to: SocketAddr, number: u32) -> bool {
    let mut buffer = [0; 64];
    let sent = [number.to_be_bytes(), (!number).to_be_bytes()].concat();
    let there = near.send_to(&sent, to).and_then(|_| far.recv_from(&mut buffer));
    let Ok((len, from)) = there else { return false };
    let Ok(len) = far.send_to(&buffer[..len], from).and_then(|_| near.recv(&mut buffer)) else { return false };
    buffer[..len] == sent
}

/// The byte at each position of the stream.
fn pattern(start: usize, buffer: &mut [u8]) {
    for (at, byte) in buffer.iter_mut().enumerate() {
        *byte = ((start + at) % 251) as u8;
    }
}

fn send(to: SocketAddr, len: usize) -> std::io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&to, TIMEOUT)?;
    stream.set_write_timeout(Some(STALL))?;
    let (mut buffer, mut sent) = (vec![0; PIECE], 0);
    while sent < len {
        pattern(sent, &mut buffer);
        stream.write_all(&buffer)?;
        sent += buffer.len();
    }
    Ok(())
}

/// A multiple of the period of the pattern, so all pieces are equal.
const PIECE: usize = 251 * 256;

fn receive(listener: &TcpListener, len: usize) -> Result<(), String> {
    listener.set_nonblocking(true).expect("non-blocking");
    let deadline = Instant::now() + TIMEOUT;
    let mut stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            Err(error) => return Err(error.to_string()),
        }
    };
    stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(STALL))).expect("waits for the stream");
    let (mut expected, mut buffer, mut received) = (vec![0; PIECE], vec![0; PIECE], 0);
    pattern(0, &mut expected);
    while received < len {
        stream.read_exact(&mut buffer).map_err(|error| format!("after {received} bytes: {error}"))?;
        if buffer != expected {
            return Err(format!("other bytes than were sent, after {received}"));
        }
        received += PIECE;
    }
    Ok(())
}
