//! OpenSSL reads the certificates and verifies the chain.

use der::Encode;
use sigveil_zk_ca::authority::CertificateDer;
use sigveil_zk_ca::profile::CertificateView;

use crate::profile::sample;
use crate::timestamps::openssl;

#[tokio::test(flavor = "multi_thread")]
async fn openssl_reads_the_leaf_and_verifies_its_chain() {
    let (world, good) = sample().await;
    let leaf = CertificateDer::from_der(good.to_der().unwrap()).unwrap();
    let view = CertificateView::parse(leaf.as_bytes()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, certificate: &CertificateDer| {
        let path = folder.path().join(name);
        std::fs::write(&path, certificate.to_pem()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let authority = world.ca.authority();
    let [leaf, issuer, root] =
        [write("leaf", &leaf), write("issuer", authority.certificate()), write("root", authority.root())];
    let Some(read) = openssl(&["x509", "-in", &leaf, "-noout", "-text"]) else { return };
    let text = String::from_utf8(read.stdout).unwrap();
    for expected in [
        "Version: 3",
        "Signature Algorithm: ecdsa-with-SHA256",
        "Subject: \n",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                Code Signing\n",
        "X509v3 Subject Alternative Name: critical\n",
        &format!("URI:{}\n", view.san()),
        "CT Precertificate SCTs:",
        "1.3.6.1.4.1.57264.1.8:",
    ] {
        assert!(text.contains(expected), "{expected:?} in:\n{text}");
    }
    let verify = |at: u64, purpose: &str, root: &str| {
        let at = at.to_string();
        let arguments = ["verify", "-x509_strict", "-attime", &at, "-purpose", purpose];
        let chain = ["-CAfile", root, "-untrusted", &issuer, &leaf];
        openssl(&[&arguments[..], &chain].concat()).unwrap()
    };
    let verdict = verify(view.time(), "any", &root);
    assert!(verdict.status.success(), "{}", String::from_utf8_lossy(&verdict.stderr));
    // To OpenSSL the last second is over when it begins.
    assert!(verify(view.not_after() - 1, "any", &root).status.success());
    // It is a code signing leaf: valid for ten minutes, for no server, and under this root only.
    assert!(!verify(view.time() - 1, "any", &root).status.success());
    assert!(!verify(view.not_after() + 1, "any", &root).status.success());
    assert!(!verify(view.time(), "sslserver", &root).status.success());
    assert!(!verify(view.time(), "any", &leaf).status.success());
}
