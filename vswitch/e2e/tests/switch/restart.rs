//! The daemon goes and comes back, and containers hardly notice.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::Signal;
use vswitch_e2e::{Background, IperfRun, IperfServer, Protocol, figures};

use crate::fixture::{Lab, PATIENCE, ping};

const CONVERSATION: &str = "
import socket, sys, time
address, seconds = sys.argv[1], float(sys.argv[2])
if address == 'listen':
    server = socket.create_server(('', 7000))
    print('listening', flush=True)
    connection, _ = server.accept()
    while data := connection.recv(100):
        connection.sendall(data)
else:
    connection = socket.create_connection((address, 7000), timeout=30)
    print('connected', flush=True)
    end, longest, count = time.monotonic() + seconds, 0, 0
    while time.monotonic() < end:
        start = time.monotonic()
        connection.sendall(b'hello')
        assert connection.recv(100) == b'hello'
        longest, count = max(longest, time.monotonic() - start), count + 1
        time.sleep(0.05)
    print(f'{count} answers, the longest wait {longest:.2f} s', flush=True)
";

/// A connection as of ssh: a few octets now and then, for so many seconds.
fn conversation(lab: &Lab, seconds: u32) -> Result<[Background; 2]> {
    let talk = |sandbox: &str, to: &str| {
        let python = lab.host.sandbox(sandbox).program("python3");
        let seconds = seconds.to_string();
        python.args(["-c", CONVERSATION, to, &seconds]).spawn()
    };
    let mut server = talk("b", "listen")?;
    server.wait_for("listening", PATIENCE)?;
    let mut client = talk("a", "10.20.0.3")?;
    client.wait_for("connected", PATIENCE)?;
    Ok([client, server])
}

fn identity(lab: &Lab) -> Result<[String; 4]> {
    Ok([
        lab.ctl("inspect net")?,
        lab.ctl("list-nets")?,
        lab.ctl("list-sandboxes")?,
        lab.host
            .run_in("a", "ip -o address show dev eth0 scope global")?,
    ])
}

fn same_identity(lab: &Lab, before: &[String; 4]) -> Result<()> {
    for (now, before) in identity(lab)?.iter().zip(before) {
        assert!(now == before, "before:\n{before}\nnow:\n{now}");
    }
    Ok(())
}

#[test]
fn kill_9_during_iperf3() -> Result<()> {
    let mut lab = Lab::with_three("")?;
    let server = IperfServer::start(&lab.host.sandbox("b"))?;
    let mut client = server.client("10.20.0.3", Protocol::Tcp);
    client.seconds = 8;
    client.interval = 0.1;
    let run = client.spawn(&lab.host.sandbox("a"))?;
    sleep(Duration::from_secs(2));
    let killed = Instant::now();
    lab.daemon.kill()?;
    sleep(Duration::from_millis(500));
    lab.daemon.start_again()?;
    let away = killed.elapsed();
    let run = IperfRun::parse(&run.finish(Duration::from_secs(60))?)?;
    let gaps = run.intervals.split(|&rate| rate > 0.0);
    let longest = gaps.map(<[f64]>::len).max().unwrap_or(0);
    figures(&format!(
        "kill -9 during iperf3: away for {:.2} s, {:.1} s without traffic; {:.2} Gbit/s over the whole run, {} retransmits",
        away.as_secs_f64(),
        f64::from(u32::try_from(longest)?) / 10.0,
        run.bits_per_second / 1e9,
        run.retransmits
    ))?;
    let last = &run.intervals[run.intervals.len().saturating_sub(10)..];
    assert!(last.iter().any(|&rate| rate > 0.0), "{:?}", run.intervals);
    Ok(())
}

#[test]
fn kill_9_leaves_everything_as_it_was() -> Result<()> {
    let mut lab = Lab::with_three("")?;
    let before = identity(&lab)?;
    let [client, _server] = conversation(&lab, 6)?;
    for _ in 0..3 {
        lab.daemon.kill()?;
        lab.daemon.start_again()?;
        same_identity(&lab, &before)?;
        sleep(Duration::from_millis(700));
    }
    println!("{}", client.finish(Duration::from_secs(60))?.success()?);
    lab.ping("a", "10.20.0.4")?;
    lab.ping("a", "fd20::4")?;
    lab.ping("c", "fd20::1")?;
    ping(&lab.host.place(), "10.20.0.2")?;
    // And it can still all be taken away.
    for sandbox in ["a", "b", "c"] {
        lab.ctl(&format!("detach net {sandbox}"))?;
    }
    lab.ctl("rm-net net")?;
    assert_eq!(lab.host.interfaces()?, ["lo"]);
    Ok(())
}

#[test]
fn a_clean_end_leaves_everything_as_it_was() -> Result<()> {
    let mut lab = Lab::with_three("")?;
    let before = identity(&lab)?;
    let [client, _server] = conversation(&lab, 4)?;
    for signal in [Signal::TERM, Signal::INT] {
        lab.daemon.stop_by(signal)?;
        assert!(!lab.daemon.socket().exists(), "the socket stays behind");
        lab.daemon.start_again()?;
        same_identity(&lab, &before)?;
        sleep(Duration::from_millis(700));
    }
    println!("{}", client.finish(Duration::from_secs(60))?.success()?);
    lab.ping("a", "10.20.0.4")
}

#[test]
fn addresses_given_before_are_not_given_again() -> Result<()> {
    let mut lab = Lab::with_three("")?;
    lab.daemon.kill()?;
    lab.daemon.start_again()?;
    lab.ctl("add-sandbox late")?;
    lab.ctl("attach net late")?;
    let late = lab.address("net", "late", 4)?;
    assert!(!["10.20.0.1", "10.20.0.2", "10.20.0.3", "10.20.0.4"].contains(&late.as_str()));
    lab.ping("late", "10.20.0.2")
}
