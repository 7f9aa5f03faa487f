//! TLS 1.3 with a certificate on both sides. Chains are judged by [`Rules`]; rustls proves that the peer has the key.

use crate::p521::P521;
use crate::peer::Rules;
use glexec_verify::x509::certificate::Certificate;
use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature_with_raw_key};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    ServerConfig, SignatureScheme, SupportedProtocolVersion,
};
use std::sync::Arc;

/// A certificate with what stands above it, and its key.
#[derive(Debug)]
pub struct Own {
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// What is wrong with a certificate or a key of our own.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("the certificate file holds no certificate in PEM: {0}")]
    Certificates(String),
    #[error("the key file holds no private key in PEM without a password: {0}")]
    Key(String),
    /// The two together.
    #[error("certificate and key: {0}")]
    Together(#[from] Error),
}

impl Own {
    /// Reads the two files' contents.
    pub fn read(certificates: &[u8], key: &[u8]) -> Result<Self, Unusable> {
        let certificates = CertificateDer::pem_slice_iter(certificates).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|error| Unusable::Certificates(error.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| Unusable::Key(error.to_string()))?;
        match certificates.is_empty() {
            true => Err(Unusable::Certificates("it has no block".to_owned())),
            false => Ok(Own { certificates, key }),
        }
    }

    /// The settings of a client that shows it.
    pub fn shown_by(self, builder: ConfigBuilder<ClientConfig, WantsClientCert>) -> Result<ClientConfig, Unusable> {
        Ok(builder.with_client_auth_cert(self.certificates, self.key)?)
    }

    /// The certificate itself, in DER.
    pub fn leaf(&self) -> &[u8] {
        self.certificates.first().map(AsRef::as_ref).unwrap_or_default()
    }
}

/// Which versions of TLS a service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// TLS 1.3, as all of our own do.
    Tls13,
    /// TLS 1.2 as well, and the curve that ARC offers, for clients of other services.
    Tls12,
}

/// The settings of a service whose clients must have a certificate that `rules` accept.
pub fn server(own: &Own, rules: Arc<Rules>, speaks: Speaks) -> Result<ServerConfig, Unusable> {
    let mut provider = ring::default_provider();
    let versions: &[&SupportedProtocolVersion] = match speaks {
        Speaks::Tls13 => &[&TLS13],
        Speaks::Tls12 => {
            provider.kx_groups.push(&P521);
            &[&TLS13, &TLS12]
        }
    };
    let provider = Arc::new(provider);
    let judges = Arc::new(Judges { rules, provider: Arc::clone(&provider) });
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
    let (certificates, key) = (own.certificates.clone(), own.key.clone_key());
    let mut config = builder.with_client_cert_verifier(judges).with_single_cert(certificates, key)?;
    // A client that comes back is judged again: its certificate may have been revoked meanwhile.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The settings of a client of servers whose certificate `rules` accept and which have the name that was asked for.
pub fn client(own: Own, rules: Arc<Rules>, speaks: Speaks) -> Result<ClientConfig, Unusable> {
    let versions: &[&SupportedProtocolVersion] = match speaks {
        Speaks::Tls13 => &[&TLS13],
        Speaks::Tls12 => &[&TLS13, &TLS12],
    };
    let provider = Arc::new(ring::default_provider());
    let judges = Arc::new(Judges { rules, provider: Arc::clone(&provider) });
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
    let builder = builder.dangerous().with_custom_certificate_verifier(judges);
    Ok(builder.with_client_auth_cert(own.certificates, own.key)?)
}

/// Has the site's rules judge certificates, in place of rustls's own: those know no signing policies.
#[derive(Debug)]
struct Judges {
    rules: Arc<Rules>,
    provider: Arc<CryptoProvider>,
}

fn refused(why: impl Into<String>) -> Error {
    let why: Box<dyn std::error::Error + Send + Sync> = why.into().into();
    Error::InvalidCertificate(CertificateError::Other(OtherError(why.into())))
}

impl Judges {
    fn judge(&self, leaf: &CertificateDer<'_>, above: &[CertificateDer<'_>]) -> Result<crate::peer::Peer, Error> {
        let chain = std::iter::once(leaf).chain(above).map(|der| der.to_vec()).collect();
        self.rules.judge(chain).map_err(|refusal| refused(format!("{} ({})", refusal.for_log(), refusal.reason())))
    }

    /// Whether the peer has the key: the leaf may be a proxy, which only the project's own parser reads.
    fn has_key(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let certificate = Certificate::parse(leaf).map_err(|_| refused("the certificate is malformed"))?;
        let spki = SubjectPublicKeyInfoDer::from(certificate.spki);
        verify_tls13_signature_with_raw_key(message, &spki, signed, &self.provider.signature_verification_algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Judges {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Without a list the client sends what it has.
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.judge(leaf, above).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.has_key(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ServerCertVerifier for Judges {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let peer = self.judge(leaf, above)?;
        let ServerName::DnsName(name) = name else { return Err(refused("a server is asked for by its name")) };
        match peer.is_host(name.as_ref()) {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(refused(format!("{} is not the server {}", peer.subject, name.as_ref()))),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.has_key(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}
