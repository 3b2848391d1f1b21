//! `export`: circuits, keys and proofs in the formats of snarkjs, and a proof of its back.

use serde_json::json;
use sigveil_circuits::export::{publics_from_snarkjs, publics_to_snarkjs};
use sigveil_circuits::groth16::{Proof, VerifyingKey, verify_inputs};
#[cfg(feature = "service")]
use sigveil_circuits::keys::Statement;
use sigveil_zk_ca::profile::CertificateView;
use sigveil_zk_ca::verify::statements;
#[cfg(feature = "service")]
use zeroize::Zeroizing;

use super::args::{ExportCheck, ExportProofs};
#[cfg(feature = "service")]
use super::args::{ExportKey, ExportR1cs, ExportWitness};
use super::output::Report;
use super::roots;
use crate::failure::Failure;
#[cfg(feature = "service")]
use crate::files::Replace;
use crate::files::{self, JSON_LIMIT};
use crate::stock::Bundle;

/// The statement of a name.
#[cfg(feature = "service")]
pub fn statement(name: &str) -> Result<Statement, Failure> {
    Statement::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Statement::ALL.iter().map(|statement| statement.name()).collect();
        Failure::new("usage", format!("{name:?} is no statement: {}", names.join(", ")))
    })
}

/// `export r1cs`.
#[cfg(feature = "service")]
pub fn r1cs(arguments: &ExportR1cs) -> Result<Report, Failure> {
    let shape = statement(&arguments.statement)?.shape();
    files::write_with(&arguments.out, |out| sigveil_circuits::export::write_r1cs(&shape, out))?;
    let (rows, digest) = (shape.constraints(), hex::encode(shape.digest()));
    let text = format!("{} rows, shape {digest}", rows);
    Ok(Report::done(json!({"out": arguments.out, "constraints": rows, "shape": digest}), text))
}

/// `export witness`, of a token that is accepted, unbound, with a fresh ρ_1.
#[cfg(feature = "service")]
pub fn witness(arguments: &ExportWitness) -> Result<Report, Failure> {
    use sigveil_circuits::export::write_witness;
    use sigveil_circuits::token::{LinkingRandomness, circuit::assign};
    let token = super::token::Given::read(&arguments.expected)?.check()?;
    let statement = Statement::Token(token.class());
    let randomness = LinkingRandomness::random(&mut rand_core::OsRng);
    let values = assign(token.class(), &token.instance(randomness), &token.witness(randomness));
    let mut file = Zeroizing::new(Vec::with_capacity(1 << 26));
    write_witness(&values, &mut *file).expect("writing to a vector does not fail");
    let replace = if arguments.force { Replace::Always } else { Replace::Never };
    files::write_secret(&arguments.out, &file, replace)?;
    let object = json!({"out": arguments.out, "statement": statement.name(), "public": values.publics()[0].to_string()});
    Ok(Report::done(object, format!("the values of {statement}: whoever reads them has the whole token")))
}

/// `export key`.
#[cfg(feature = "service")]
pub fn key(arguments: &ExportKey, cache: Option<&std::path::Path>) -> Result<Report, Failure> {
    use sigveil_circuits::keys::KeyStore;
    let statement = statement(&arguments.statement)?;
    let folder = crate::service::circuits::cache_folder(cache)?;
    let missing =
        || Failure::new("proving-key-missing", format!("{statement} has no keys in {}", folder.display()));
    let keys = KeyStore::new(&folder).load(statement)?.ok_or_else(missing)?;
    files::write(&arguments.out, keys.verifying_key().to_snarkjs().as_bytes())?;
    let object = json!({
        "out": arguments.out,
        "verifyingKey": keys.verifying_key().digest().to_string(),
        "provenance": keys.provenance().to_string(),
    });
    Ok(Report::done(object, keys.to_string()))
}

/// `export proofs`: for each statement NAME.key.json, NAME.proof.json and NAME.public.json. The public input is
/// recomputed from certificate and trust root, as every verifier does.
pub fn proofs(arguments: &ExportProofs) -> Result<Report, Failure> {
    let bundle = Bundle::from_json(&files::read_text(&arguments.bundle, JSON_LIMIT)?)?;
    let trust = roots::whole(&arguments.roots)?;
    let certificate = CertificateView::parse(bundle.certificate())?;
    files::make_folder(&arguments.out)?;
    let mut written = Vec::new();
    for (name, statement) in ["token", "nym"].into_iter().zip(statements(&certificate, &trust.proofs)?) {
        for (part, text) in [
            ("key", statement.key.to_snarkjs()),
            ("proof", statement.proof.to_snarkjs()),
            ("public", publics_to_snarkjs(&[statement.public])),
        ] {
            let path = arguments.out.join(format!("{name}.{part}.json"));
            files::write(&path, text.as_bytes())?;
            written.push(path);
        }
    }
    let text: Vec<_> = written.iter().map(|path| path.display().to_string()).collect();
    Ok(Report::done(json!({"files": written}), text.join("\n")))
}

/// `export check`.
pub fn check(arguments: &ExportCheck) -> Result<Report, Failure> {
    let read = |path| files::read_text(path, JSON_LIMIT);
    let key = VerifyingKey::from_snarkjs(&read(&arguments.key)?)?;
    let proof = Proof::from_snarkjs(&read(&arguments.proof)?)?;
    let publics = publics_from_snarkjs(&read(&arguments.public)?)?;
    verify_inputs(&key, &publics, &proof)?;
    let digest = key.digest().to_string();
    let text = format!("the proof holds under the key {digest}");
    Ok(Report::done(json!({"verified": true, "verifyingKey": digest}), text))
}
