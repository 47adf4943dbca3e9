//! Tries every way to a socket of its own, past the host's rules for HTTP. It may link the interfaces
//! for that, as guests of some languages do without using them; there is nothing behind them.

use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};

use tenon_hostile_guests::{Attack, guest, info, setting};
use tenon_sdk::model::Fault;
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::IpAddressFamily::{Ipv4, Ipv6};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;
use wasip2::sockets::udp_create_socket::create_udp_socket;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        let mut tries = 0;
        let mut tried = |way: &str, got_in: bool| {
            tries += 1;
            if got_in {
                info!("got in: {way}");
            }
        };
        let listening = setting("listening");
        for address in [listening.as_str(), "169.254.169.254:80", "[::1]:80"] {
            let connected = TcpStream::connect(address).is_ok();
            tried(&format!("connect to {address}"), connected);
            let sent =
                UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.send_to(b"trace", address));
            tried(&format!("send to {address}"), sent.is_ok());
        }
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"] {
            let listens = TcpListener::bind(address).is_ok();
            tried(&format!("listen at {address}"), listens);
            tried(
                &format!("receive at {address}"),
                UdpSocket::bind(address).is_ok(),
            );
        }
        for name in ["localhost:80", "counterpart.example:443"] {
            tried(&format!("look up {name}"), name.to_socket_addrs().is_ok());
        }
        for family in [Ipv4, Ipv6] {
            tried("make a socket for TCP", create_tcp_socket(family).is_ok());
            tried("make a socket for UDP", create_udp_socket(family).is_ok());
        }
        let network = instance_network();
        for name in ["localhost", "127.0.0.1", "counterpart.example"] {
            let answers = resolve_addresses(&network, name);
            let addresses = answers.map(|answers| answers.resolve_next_address());
            tried(&format!("ask for {name}"), addresses.is_ok());
        }
        info!("tried {tries} ways");
        Ok(())
    }
}
