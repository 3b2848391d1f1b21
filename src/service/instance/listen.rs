//! A socket for each role.

use std::io;
use std::net::TcpListener;

use crate::service::config::Ports;

/// The bound sockets.
pub(super) struct Listeners {
    pub(super) issuer: TcpListener,
    pub(super) ca: TcpListener,
    pub(super) tsa: TcpListener,
    pub(super) rekor: TcpListener,
    pub(super) ct: TcpListener,
    pub(super) index: TcpListener,
}

impl Listeners {
    /// Binds every port; 0 takes a free one, and the second value says which.
    pub(super) fn bind(address: &str, ports: Ports) -> io::Result<(Self, Ports)> {
        let bind = |port: u16| {
            let listener = TcpListener::bind((address, port))?;
            listener.set_nonblocking(true)?;
            let port = listener.local_addr()?.port();
            Ok::<_, io::Error>((listener, port))
        };
        let (issuer, issuer_port) = bind(ports.issuer)?;
        let (ca, ca_port) = bind(ports.ca)?;
        let (tsa, tsa_port) = bind(ports.tsa)?;
        let (rekor, rekor_port) = bind(ports.rekor)?;
        let (ct, ct_port) = bind(ports.ct)?;
        let (index, index_port) = bind(ports.index)?;
        let ports = Ports {
            issuer: issuer_port,
            ca: ca_port,
            tsa: tsa_port,
            rekor: rekor_port,
            ct: ct_port,
            index: index_port,
        };
        Ok((Self { issuer, ca, tsa, rekor, ct, index }, ports))
    }
}
