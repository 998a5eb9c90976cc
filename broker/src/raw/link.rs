//! Frames over a socket, with or without TLS.

use std::{io, sync::Arc, time::Duration};

use lapin::uri::{AMQPScheme, AMQPUri};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    error::RawError,
    wire::{Reader, Writer},
};

/// How long the broker may take to answer anything.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
const END: u8 = 0xce;
/// Bytes of a frame that are believed to be one.
const MOST_FRAME_BYTES: u32 = 256 << 20;

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// A connection that sends and receives frames.
pub(super) struct Link {
    socket: Box<dyn Socket>,
    address: String,
    /// Bytes of a frame that the broker takes; 0 if it sets no limit.
    pub(super) frame_max: u32,
}

pub(super) struct Frame {
    pub(super) kind: u8,
    channel: u16,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    const METHOD: u8 = 1;
    pub(super) const HEADER: u8 = 2;
    pub(super) const BODY: u8 = 3;
    const HEARTBEAT: u8 = 8;
}

impl Link {
    pub(super) async fn open(url: &AMQPUri) -> Result<Self, RawError> {
        let (host, port) = (&url.authority.host, url.authority.port);
        let address = format!("{host}:{port}");
        let mut socket = patiently(&address, connect(url)).await?;
        patiently(&address, socket.write_all(b"AMQP\0\0\x09\x01")).await?;
        Ok(Self { socket, address, frame_max: 0 })
    }

    pub(super) async fn send(&mut self, channel: u16, method: Writer) -> Result<(), RawError> {
        self.send_frame(Frame::METHOD, channel, &method.0).await
    }

    pub(super) async fn send_frame(
        &mut self,
        kind: u8,
        channel: u16,
        payload: &[u8],
    ) -> Result<(), RawError> {
        let frame = Writer::default().u8(kind).u16(channel).long(payload).u8(END).0;
        patiently(&self.address, self.socket.write_all(&frame)).await
    }

    /// Waits for this method.
    pub(super) async fn method(&mut self, channel: u16, wanted: (u16, u16)) -> Result<Reader, RawError> {
        let (method, arguments) = self.any_method(channel).await?;
        match method == wanted {
            true => Ok(arguments),
            false => Err(RawError::Unexpected("another method than was asked for")),
        }
    }

    /// Waits for a method; an error if the broker closes instead.
    pub(super) async fn any_method(&mut self, channel: u16) -> Result<((u16, u16), Reader), RawError> {
        loop {
            let frame = self.frame().await?;
            if frame.kind != Frame::METHOD {
                return Err(RawError::Unexpected("no method"));
            }
            let mut arguments = Reader::new(frame.payload);
            let method = (arguments.u16()?, arguments.u16()?);
            match method {
                (10, 50) | (20, 40) => {
                    arguments.u16()?;
                    return Err(RawError::Refused(String::from_utf8_lossy(&arguments.short()?).into_owned()));
                }
                // Blocked, unblocked: the confirm comes late.
                (10, 60 | 61) => {}
                _ if frame.channel == channel => return Ok((method, arguments)),
                _ => {}
            }
        }
    }

    /// Waits for a frame other than a heartbeat.
    pub(super) async fn frame(&mut self) -> Result<Frame, RawError> {
        loop {
            let frame = patiently(&self.address, read(&mut self.socket)).await?;
            if frame.kind != Frame::HEARTBEAT {
                return Ok(frame);
            }
        }
    }
}

async fn read(socket: &mut Box<dyn Socket>) -> io::Result<Frame> {
    let (kind, channel, size) = (socket.read_u8().await?, socket.read_u16().await?, socket.read_u32().await?);
    if size > MOST_FRAME_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "this is no AMQP"));
    }
    let mut payload = vec![0; size as usize];
    socket.read_exact(&mut payload).await?;
    match socket.read_u8().await? {
        END => Ok(Frame { kind, channel, payload }),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "this is no AMQP")),
    }
}

async fn connect(url: &AMQPUri) -> io::Result<Box<dyn Socket>> {
    let host = url.authority.host.trim_matches(['[', ']']);
    let socket = TcpStream::connect((host, url.authority.port)).await?;
    socket.set_nodelay(true)?;
    if url.scheme == AMQPScheme::AMQP {
        return Ok(Box::new(socket));
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    Ok(Box::new(TlsConnector::from(Arc::new(config)).connect(name, socket).await?))
}

async fn patiently<T>(address: &str, work: impl Future<Output = io::Result<T>>) -> Result<T, RawError> {
    let done = timeout(ANSWER_TIMEOUT, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    done.map_err(|source| RawError::Disconnected { address: address.to_owned(), source })
}
