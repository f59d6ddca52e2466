//! Sign-in with a certificate: a signed assertion over the SDK's own assertion credential.
//!
//! The SDK's certificate credential needs OpenSSL; this one uses the cryptography that TLS already brings, so that
//! one self-contained binary serves every platform.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use azure_core::base64;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Signs assertions with a certificate's key.
pub struct CertificateAssertion {
    audience: String,
    client: String,
    header: String,
    key: RsaKeyPair,
}

impl fmt::Debug for CertificateAssertion {
    /// Never the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAssertion").field("client", &self.client).finish_non_exhaustive()
    }
}

impl CertificateAssertion {
    /// Reads a PEM file that holds the certificate and its RSA key.
    ///
    /// # Errors
    /// A sentence that says what the file lacks; never a part of the file.
    pub fn load(path: &str, tenant: &str, client: &str, authority: &str) -> Result<Self, String> {
        let name = format!("AZURE_CLIENT_CERTIFICATE_PATH ({path})");
        let pem = std::fs::read(path).map_err(|error| format!("{name} cannot be read: {error}"))?;
        let certificate = CertificateDer::from_pem_slice(&pem).map_err(|_| {
            format!("{name} holds no PEM certificate (a PKCS #12 file is converted by: openssl pkcs12 -nodes)")
        })?;
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| format!("{name} holds no unencrypted PEM key"))?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(format!("the key in {name} is not an RSA key")),
        };
        let key = key.map_err(|_| format!("the key in {name} is not an RSA key that can sign"))?;
        let thumbprint = base64::encode_url_safe(digest::digest(&digest::SHA256, &certificate));
        let header = serde_json::json!({ "alg": "RS256", "typ": "JWT", "x5t#S256": thumbprint }).to_string();
        Ok(Self {
            audience: format!("{}/{tenant}/oauth2/v2.0/token", authority.trim_end_matches('/')),
            client: client.to_owned(),
            header,
            key,
        })
    }

    fn sign(&self, now: u64) -> Result<String, &'static str> {
        let nonce = {
            let mut bytes = [0_u8; 16];
            aws_lc_rs::rand::fill(&mut bytes).map_err(|_| "no random numbers")?;
            base64::encode_url_safe(bytes)
        };
        let claims = serde_json::json!({
            "aud": self.audience, "iss": self.client, "sub": self.client, "jti": nonce,
            "nbf": now.saturating_sub(60), "iat": now, "exp": now + 600,
        });
        let signed =
            format!("{}.{}", base64::encode_url_safe(&self.header), base64::encode_url_safe(claims.to_string()));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| "the certificate's key cannot sign")?;
        Ok(format!("{signed}.{}", base64::encode_url_safe(signature)))
    }
}

#[async_trait]
impl ClientAssertion for CertificateAssertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.sign(now).map_err(|why| azure_core::Error::with_message(azure_core::error::ErrorKind::Credential, why))
    }
}
