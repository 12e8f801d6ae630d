//! The fallback's sockets: what the pure function answers is what clients get,
//! over UDP and TCP, while addresses and zones come and go.

mod fallback_support;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dns_glue::serve::fallback::{Fallback, FallbackZones, Limits, Settings, Transport, answer};
use dns_glue::testbed::needs;
use domain::base::Rtype;
use domain::base::iana::OptRcode;
use fallback_support::knot::{exchange, read_message};
use fallback_support::reply::Reply;
use fallback_support::{Edns, Random, ZoneFile, load, load_zone, name, own_zones, query};

const PATIENCE: Duration = Duration::from_secs(5);

/// A running server and its runtime.
struct Running {
    runtime: tokio::runtime::Runtime,
    fallback: Fallback,
    address: SocketAddr,
}

impl Running {
    fn start(zones: &[ZoneFile], limits: Limits) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let mut fallback = Fallback::new(load(zones), Settings::default(), limits);
        let any = "127.0.0.1:0".parse().expect("an address");
        let address = runtime.block_on(fallback.add_address(any)).expect("bind");
        Self {
            runtime,
            fallback,
            address,
        }
    }

    fn udp(&self) -> UdpSocket {
        let socket = UdpSocket::bind((self.address.ip(), 0)).expect("bind");
        socket.connect(self.address).expect("connect");
        socket
            .set_read_timeout(Some(PATIENCE))
            .expect("set a timeout");
        socket
    }

    fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("connect");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("set a timeout");
        stream
    }
}

fn ask_udp(socket: &UdpSocket, request: &[u8]) -> Vec<u8> {
    socket.send(request).expect("send");
    let mut buffer = [0; 65_535];
    let length = socket.recv(&mut buffer).expect("a reply over UDP");
    buffer[..length].to_vec()
}

fn some_query(id: u16) -> Vec<u8> {
    query(id, name("host.plain.example.").for_slice(), Rtype::A, None)
}

/// Whether the peer has closed the stream, or does so in time.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 1]) {
        Ok(0) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
        Ok(_) => false,
    }
}

#[test]
fn clients_get_what_the_function_answers() {
    let files = own_zones();
    let running = Running::start(&files, Limits::default());
    let zones = load(&files);
    let (udp, mut tcp) = (running.udp(), running.tcp());
    let mut random = Random(3);
    let names: Vec<_> = files
        .iter()
        .flat_map(|file| {
            load_zone(file)
                .nodes()
                .map(|node| random.mix_case(node.name()))
                .collect::<Vec<_>>()
        })
        .collect();
    let types = [
        Rtype::A,
        Rtype::NS,
        Rtype::TXT,
        Rtype::DS,
        Rtype::MX,
        Rtype::NSEC,
    ];
    for id in 0..3000 {
        let edns = [
            None,
            Some(Edns {
                size: 1232,
                dnssec_ok: true,
            }),
        ][random.below(2)];
        let request = query(
            id,
            random.pick(&names).for_slice(),
            *random.pick(&types),
            edns,
        );
        let expected = |transport| answer(&zones, &Settings::default(), &request, transport);
        assert_eq!(Some(ask_udp(&udp, &request)), expected(Transport::Udp));
        let reply = exchange(&mut tcp, &request).expect("a reply over TCP");
        assert_eq!(Some(reply), expected(Transport::Tcp));
    }
    assert_eq!(
        running.fallback.open_connections(),
        1,
        "all on one connection"
    );
}

#[test]
fn truncated_replies_are_whole_over_tcp() {
    let running = Running::start(&own_zones(), Limits::default());
    let request = query(
        9,
        name("txt60.plain.example.").for_slice(),
        Rtype::TXT,
        None,
    );
    let short = Reply::parse(&ask_udp(&running.udp(), &request));
    assert!(short.truncated() && short.sections[0].is_empty());
    let whole = Reply::parse(&exchange(&mut running.tcp(), &request).expect("a reply over TCP"));
    assert!(!whole.truncated());
    assert_eq!(whole.sections[0].len(), 60);
}

#[test]
fn many_queries_on_a_connection_are_all_answered() {
    const QUERIES: u16 = 5000;
    let running = Running::start(&own_zones(), Limits::default());
    let mut stream = running.tcp();
    let mut octets = Vec::new();
    for id in 0..QUERIES {
        let request = some_query(id);
        octets.extend_from_slice(&u16::try_from(request.len()).expect("short").to_be_bytes());
        octets.extend_from_slice(&request);
    }
    let mut writing = stream.try_clone().expect("clone a socket");
    let writer = std::thread::spawn(move || {
        // In odd pieces at first, so that queries and their lengths arrive in
        // parts; then as fast as they are taken.
        let (slow, fast) = octets.split_at(2000);
        for piece in slow.chunks(17) {
            writing.write_all(piece).expect("write");
        }
        writing.write_all(fast).expect("write");
    });
    let mut ids: Vec<u16> = (0..QUERIES)
        .map(|_| {
            let reply = read_message(&mut stream).expect("a reply");
            u16::from_be_bytes([reply[0], reply[1]])
        })
        .collect();
    writer.join().expect("all written");
    // RFC 7766 section 6.2.1.1 allows any order.
    ids.sort_unstable();
    assert_eq!(ids, (0..QUERIES).collect::<Vec<u16>>());
}

#[test]
fn responses_and_garbage_get_no_reply() {
    let running = Running::start(&own_zones(), Limits::default());
    let udp = running.udp();
    let mut response = some_query(1);
    response[2] |= 0x80;
    for datagram in [response.as_slice(), b"", b"short", &[0xFF; 4000]] {
        udp.send(datagram).expect("send");
    }
    // The next reply is that to the query behind them.
    assert_eq!(ask_udp(&udp, &some_query(2))[..2], [0, 2]);
    // A datagram longer than any query is cut off, and refused as such.
    let mut long = query(
        3,
        name("host.plain.example.").for_slice(),
        Rtype::A,
        Some(Edns {
            size: 512,
            dnssec_ok: false,
        }),
    );
    let end = long.len();
    long[end - 2..].copy_from_slice(&5004u16.to_be_bytes());
    long.extend_from_slice(&[0, 99]);
    long.extend_from_slice(&5000u16.to_be_bytes());
    long.resize(end + 5004, 0);
    assert_eq!(Reply::parse(&ask_udp(&udp, &long)).rcode, OptRcode::FORMERR);

    let mut tcp = running.tcp();
    tcp.write_all(&u16::try_from(response.len()).expect("short").to_be_bytes())
        .expect("write");
    tcp.write_all(&response).expect("write");
    assert!(is_closed(&mut tcp), "a response closes the stream");
}

#[test]
fn idle_and_slow_connections_are_closed() {
    let limits = Limits {
        idle_timeout: Duration::from_millis(400),
        ..Limits::default()
    };
    let running = Running::start(&own_zones(), limits);
    let mut idle = running.tcp();
    let mut slow = running.tcp();
    exchange(&mut idle, &some_query(1)).expect("a reply");
    let started = Instant::now();
    // One octet now and then does not keep a connection open.
    let mut closed = false;
    for octet in 0..40 {
        std::thread::sleep(Duration::from_millis(50));
        closed = slow.write_all(&[octet]).is_err();
        if closed {
            break;
        }
    }
    assert!(closed, "still open after {:?}", started.elapsed());
    assert!(is_closed(&mut idle));
}

#[test]
fn connections_are_limited() {
    let limits = Limits {
        connections: 3,
        connections_per_client: 2,
        ..Limits::default()
    };
    let mut running = Running::start(&own_zones(), limits);
    let mut first = running.tcp();
    let mut second = running.tcp();
    exchange(&mut first, &some_query(1)).expect("a reply");
    exchange(&mut second, &some_query(2)).expect("a reply");
    assert!(is_closed(&mut running.tcp()), "a third of one client");
    // The limits hold for all addresses together.
    let other = "127.0.0.2:0".parse().expect("an address");
    let other = running
        .runtime
        .block_on(running.fallback.add_address(other))
        .expect("bind");
    let mut stream = TcpStream::connect(other).expect("connect");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("set a timeout");
    assert!(is_closed(&mut stream), "a third of one client, elsewhere");
    drop(first);
    let give_up = Instant::now() + PATIENCE;
    while running.fallback.open_connections() > 1 {
        assert!(
            Instant::now() < give_up,
            "a closed connection is still counted"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    exchange(&mut running.tcp(), &some_query(3)).expect("a place is free again");
}

#[test]
fn addresses_come_and_go() {
    let mut running = Running::start(&own_zones(), Limits::default());
    let port = running.address.port();
    let second = SocketAddr::new("127.0.0.77".parse().expect("an address"), port);
    let Running {
        runtime, fallback, ..
    } = &mut running;
    assert_eq!(
        runtime
            .block_on(fallback.add_address(second))
            .expect("bind"),
        second
    );
    assert_eq!(
        runtime
            .block_on(fallback.add_address(second))
            .expect("twice is once"),
        second
    );
    assert_eq!(fallback.addresses().len(), 2);

    // The reply comes from the address that was asked: a connected socket
    // takes no other.
    let client = UdpSocket::bind("127.0.0.1:0").expect("bind");
    client.connect(second).expect("connect");
    client
        .set_read_timeout(Some(PATIENCE))
        .expect("set a timeout");
    ask_udp(&client, &some_query(1));

    for _ in 0..20 {
        assert!(runtime.block_on(fallback.remove_address(second)));
        assert!(!runtime.block_on(fallback.remove_address(second)));
        // Both sockets are closed by now, so the port can be taken again.
        runtime
            .block_on(fallback.add_address(second))
            .expect("bind again");
    }
    assert!(runtime.block_on(fallback.remove_address(second)));
    client.send(&some_query(2)).ok();
    client
        .set_read_timeout(Some(Duration::from_millis(200)))
        .expect("set a timeout");
    assert!(client.recv(&mut [0; 512]).is_err());
    assert!(TcpStream::connect(second).is_err());
    ask_udp(&running.udp(), &some_query(3));
}

#[test]
fn an_address_of_another_host_is_an_error() {
    let mut running = Running::start(&own_zones(), Limits::default());
    let Running {
        runtime, fallback, ..
    } = &mut running;
    let foreign = "192.0.2.1:0".parse().expect("an address");
    let error = runtime
        .block_on(fallback.add_address(foreign))
        .expect_err("not ours");
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    assert_eq!(fallback.addresses().len(), 1);
}

#[test]
fn zones_are_replaced_as_a_whole() {
    let files = own_zones();
    let running = Running::start(&files[..1], Limits::default());
    let udp = running.udp();
    let other = query(1, name("host.other.example.").for_slice(), Rtype::A, None);
    let rcode = |request: &[u8]| Reply::parse(&ask_udp(&udp, request)).rcode;
    assert_eq!(rcode(&other), OptRcode::REFUSED);
    running.fallback.replace_zones(load(&files));
    assert_eq!(rcode(&other), OptRcode::NOERROR);
    running.fallback.replace_zones(FallbackZones::default());
    assert_eq!(rcode(&some_query(1)), OptRcode::REFUSED);
}

#[test]
fn stopping_closes_everything() {
    let running = Running::start(&own_zones(), Limits::default());
    let mut stream = running.tcp();
    exchange(&mut stream, &some_query(1)).expect("a reply");
    let Running {
        runtime,
        fallback,
        address,
    } = running;
    let started = Instant::now();
    runtime.block_on(fallback.stop(PATIENCE));
    assert!(started.elapsed() < PATIENCE, "it waited in vain");
    assert!(is_closed(&mut stream));
    UdpSocket::bind(address).expect("the UDP port is free");
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_zone_given_twice_is_refused() {
    let zone = load_zone(&own_zones()[0]);
    FallbackZones::new([Arc::clone(&zone), zone]).expect_err("twice");
}

/// An independent eye: dig reads our replies without complaint.
#[test]
fn dig_reads_the_replies() {
    let Some(program) = needs::peer("dig", "bind9-dnsutils") else {
        return;
    };
    let running = Running::start(&own_zones(), Limits::default());
    let dig = |arguments: &[&str]| {
        let output = Command::new(&program)
            .arg(format!("@{}", running.address.ip()))
            .args([
                "-p",
                &running.address.port().to_string(),
                "+norecurse",
                "+noall",
            ])
            .args([
                "+comments",
                "+answer",
                "+authority",
                "+additional",
                "+tries=1",
            ])
            .args(arguments)
            .output();
        let output = output.expect("dig runs");
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "{text}");
        for complaint in ["WARNING", "malformed", "extra bytes", "mismatch"] {
            assert!(!text.contains(complaint), "{text}");
        }
        text
    };
    let text = dig(&["x.big.plain.example", "A", "+noedns", "+ignore"]);
    assert!(text.contains("flags: qr tc;"), "{text}");
    // Without +ignore dig asks again over TCP.
    let text = dig(&["x.big.plain.example", "A", "+noedns"]);
    assert!(text.contains("AUTHORITY: 8, ADDITIONAL: 16"), "{text}");
    let text = dig(&["nosuch.signed.example", "A", "+dnssec"]);
    assert!(
        text.contains("status: NXDOMAIN") && text.contains("AUTHORITY: 6"),
        "{text}"
    );
    assert!(text.contains("version: 0, flags: do; udp: 1232"), "{text}");
    let text = dig(&["x.dn.plain.example", "A"]);
    assert!(
        text.contains("x.dn.plain.example.\t300\tIN\tCNAME\tx.target.plain.example."),
        "{text}"
    );
    let text = dig(&["plain.example", "AXFR"]);
    assert!(!text.contains("SOA"), "{text}");
}
