//! `ceremony`: keys made by many, each on a machine of their own, with files that go from hand to hand.

use std::fs::File;
use std::path::Path;

use rand_core::OsRng;
use serde_json::{Value, json};
use sigveil_circuits::ceremony::{self, Beacon, Ceremony, Error, Powers, Record, Transcript, Verified};
use sigveil_circuits::export::read_r1cs;
use sigveil_circuits::keys::{KeyStore, Statement};
use sigveil_circuits::r1cs::Shape;

use super::args::{
    self, CeremonyContribute, CeremonyFinalize, CeremonyInit, CeremonyKeys, CeremonyOf, CeremonyVerify,
};
use super::output::{Progress, Report};
use crate::failure::Failure;
use crate::files;

crate::failure::failures!(Error);

/// Largest file of a ceremony that is read, bytes: that of a circuit with several million variables.
const LIMIT: u64 = 2 << 30;
/// What a ceremony for a circuit of others is called.
const R1CS: &str = "r1cs";

/// Runs a step.
pub fn run(step: &args::Ceremony, progress: &Progress) -> Result<Report, Failure> {
    match step {
        args::Ceremony::Init(arguments) => init(arguments, progress),
        args::Ceremony::Contribute(arguments) => contribute(arguments, progress),
        args::Ceremony::Verify(arguments) => verify(arguments, progress),
        args::Ceremony::Finalize(arguments) => finalize(arguments, progress),
    }
}

/// The circuit of a statement, or one of others.
struct Circuit {
    name: String,
    statement: Option<Statement>,
    shape: Shape,
}

impl Circuit {
    /// The one that the arguments name, or else the ceremony does.
    fn of(arguments: &CeremonyOf, ceremony: Option<&Ceremony>) -> Result<Self, Failure> {
        if let Some(path) = &arguments.r1cs {
            return Ok(Self { name: R1CS.into(), statement: None, shape: r1cs(path)? });
        }
        let named = arguments.statement.as_deref().or(ceremony.map(|ceremony| ceremony.name.as_str()));
        let name = named.ok_or_else(|| Failure::new("usage", "name a circuit: --statement or --r1cs"))?;
        let statement = super::export::statement(name)?;
        Ok(Self { name: name.to_owned(), statement: Some(statement), shape: statement.shape() })
    }

    fn powers(&self, arguments: &CeremonyOf, progress: &Progress) -> Result<Powers, Failure> {
        progress.line("checking the powers of tau");
        let points = ceremony::points(&self.shape).ok_or_else(|| {
            Failure::new("unsupported-circuit", "no key can be made for a circuit of this size")
        })?;
        Ok(Powers::read(open(&arguments.ptau)?, points, &mut OsRng)?)
    }

    fn verify(
        &self,
        ceremony: Ceremony,
        arguments: &CeremonyOf,
        progress: &Progress,
    ) -> Result<Verified, Failure> {
        // What needs no powers is said first.
        if ceremony.shape != self.shape.digest() {
            return Err(Error::OtherCircuit.into());
        }
        ceremony.check_transcript()?;
        let powers = self.powers(arguments, progress)?;
        progress.line("checking every point");
        Ok(ceremony.verify(&self.shape, &powers, &mut OsRng)?)
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    files::check_readable(path)?;
    File::open(path).map_err(|error| Failure::new("file-unreadable", format!("{}: {error}", path.display())))
}

fn r1cs(path: &Path) -> Result<Shape, Failure> {
    let file = open(path)?;
    if file.metadata().is_ok_and(|metadata| metadata.len() > LIMIT) {
        return Err(files::FileError::TooLarge { path: path.to_owned(), limit: LIMIT }.into());
    }
    Ok(read_r1cs(file)?)
}

fn read(path: &Path) -> Result<Ceremony, Failure> {
    Ok(Ceremony::read(&files::read(path, LIMIT)?)?)
}

fn write(path: &Path, ceremony: &Ceremony) -> Result<(), Failure> {
    Ok(files::write_with(path, |out| ceremony.write(out))?)
}

fn init(arguments: &CeremonyInit, progress: &Progress) -> Result<Report, Failure> {
    let circuit = Circuit::of(&arguments.of, None)?;
    let powers = circuit.powers(&arguments.of, progress)?;
    progress.line("computing the points of the key: minutes for a large circuit, once per ceremony");
    let begun = Ceremony::begin(&circuit.name, &circuit.shape, &powers)?;
    let ceremony = begun.ceremony();
    write(&arguments.out, ceremony)?;
    let digest = ceremony.transcript.digest().to_string();
    let object = json!({
        "out": arguments.out, "name": circuit.name, "shape": hex::encode(ceremony.shape),
        "powers": hex::encode(ceremony.powers.0), "digest": digest,
    });
    let text = format!(
        "{} begun, transcript {digest}\nIts keys are worth nothing before somebody has contributed.",
        circuit.name
    );
    Ok(Report::done(object, text))
}

fn contribute(arguments: &CeremonyContribute, progress: &Progress) -> Result<Report, Failure> {
    let ceremony = read(&arguments.ceremony)?;
    ceremony.transcript.accepts(&arguments.name)?;
    let circuit = Circuit::of(&arguments.of, Some(&ceremony))?;
    let mut verified = circuit.verify(ceremony, &arguments.of, progress)?;
    progress.line("multiplying every point");
    let digest = verified.contribute(&arguments.name, &mut OsRng)?.to_string();
    write(&arguments.out, verified.ceremony())?;
    let number = verified.ceremony().transcript.contributions();
    let object = json!({"out": arguments.out, "contribution": digest, "number": number});
    let text = format!(
        "contribution {number}: {digest}\n\
         Keep this digest and publish it: `sigveil ceremony verify --includes` finds it in the final transcript.\n\
         Every point was checked before your secret was multiplied into it. The secret was in this process's memory\n\
         only, and is gone. If it is, nobody can forge proofs under the final key, whatever all others do."
    );
    Ok(Report::done(object, text))
}

fn verify(arguments: &CeremonyVerify, progress: &Progress) -> Result<Report, Failure> {
    let ceremony = read(&arguments.ceremony)?;
    let announced =
        arguments.beacon.as_deref().map(|value| beacon(value, arguments.iterations)).transpose()?;
    let circuit = Circuit::of(&arguments.of, Some(&ceremony))?;
    let statement = storable(&arguments.stored, circuit.statement)?;
    demand(&ceremony.transcript, arguments, announced.as_ref())?;
    let verified = circuit.verify(ceremony, &arguments.of, progress)?;
    let transcript = &verified.ceremony().transcript;
    let mut object = summary(verified.ceremony());
    let mut text = format!("verified: {}, transcript {}\n", verified.ceremony().name, transcript.digest());
    for (record, digest) in transcript.records().iter().zip(transcript.digests()) {
        text += &format!("  {digest}  {}{}\n", record.name, value_of(record));
    }
    text += match (transcript.contributions(), transcript.is_closed()) {
        (0, _) => "nobody has contributed: whoever likes can forge proofs under this key",
        (_, false) => "open: no beacon yet",
        (_, true) => {
            "closed: nobody can forge proofs under this key, if one of those above, and one of those who made the \
             powers of tau, was honest"
        }
    };
    let key = verified.ceremony().parts.verifying.to_snarkjs();
    store(verified, &arguments.stored, statement, &mut object, &mut text)?;
    if let Some(path) = &arguments.verifying_key {
        files::write(path, key.as_bytes())?;
    }
    Ok(Report::done(object, text))
}

/// What is asked of the transcript, before minutes go by with the points.
fn demand(
    transcript: &Transcript,
    arguments: &CeremonyVerify,
    announced: Option<&Beacon>,
) -> Result<(), Failure> {
    includes(transcript, &arguments.includes)?;
    // δ of an open one is known to somebody, or to all.
    let of_closed =
        announced.is_some() || arguments.verifying_key.is_some() || arguments.stored.keys.is_some();
    if of_closed && !transcript.is_closed() {
        return Err(Error::Open.into());
    }
    if announced.is_some() && transcript.records().last().and_then(Record::beacon) != announced {
        return Err(Failure::new(
            "ceremony-other-beacon",
            "the ceremony has not the beacon that was announced",
        ));
    }
    Ok(())
}

/// Of a beacon's record, what everybody can look up.
fn value_of(record: &Record) -> String {
    record.beacon().map_or_else(String::new, |beacon| {
        format!(": beacon {}, hashed 2^{} times", hex::encode(beacon.value()), beacon.exponent())
    })
}

fn beacon(value: &str, iterations: u8) -> Result<Beacon, Failure> {
    let value =
        hex::decode(value).map_err(|_| Failure::new("usage", "the beacon's value is not hexadecimal"))?;
    Ok(Beacon::new(value, iterations)?)
}

/// The statement whose key is to be stored.
fn storable(stored: &CeremonyKeys, statement: Option<Statement>) -> Result<Option<Statement>, Failure> {
    match (&stored.keys, statement) {
        (Some(_), None) => Err(Failure::new("usage", "only a statement's key can be stored in --keys")),
        (_, statement) => Ok(statement),
    }
}

/// Stores the proving key, if that was asked for.
fn store(
    verified: Verified,
    stored: &CeremonyKeys,
    statement: Option<Statement>,
    object: &mut Value,
    text: &mut String,
) -> Result<(), Failure> {
    let (Some(folder), Some(statement)) = (&stored.keys, statement) else { return Ok(()) };
    let (key, transcript) = verified.into_key()?;
    let keys = KeyStore::new(folder).install(statement, key, transcript, stored.force)?;
    object["key"] = json!({"folder": folder, "digest": keys.digest().to_string()});
    *text += &format!("\n{keys}");
    Ok(())
}

fn finalize(arguments: &CeremonyFinalize, progress: &Progress) -> Result<Report, Failure> {
    let beacon = beacon(&arguments.beacon, arguments.iterations)?;
    let mut ceremony = read(&arguments.ceremony)?;
    let circuit = Circuit::of(&arguments.of, Some(&ceremony))?;
    let statement = storable(&arguments.stored, circuit.statement)?;
    ceremony.close(&arguments.beacon_name, beacon)?;
    let verified = circuit.verify(ceremony, &arguments.of, progress)?;
    write(&arguments.out, verified.ceremony())?;
    let mut object = summary(verified.ceremony());
    let mut text = format!(
        "closed: transcript {}, verifying key {}",
        verified.ceremony().transcript.digest(),
        verified.ceremony().parts.verifying.digest()
    );
    store(verified, &arguments.stored, statement, &mut object, &mut text)?;
    Ok(Report::done(object, text))
}

fn includes(transcript: &Transcript, wanted: &[String]) -> Result<(), Failure> {
    for digest in wanted {
        if !transcript.digests().any(|found| found.to_string() == *digest) {
            return Err(Failure::new(
                "ceremony-contribution-missing",
                format!("contribution {digest} is not in the transcript"),
            ));
        }
    }
    Ok(())
}

fn summary(ceremony: &Ceremony) -> Value {
    let transcript = &ceremony.transcript;
    let records = transcript.records().iter().zip(transcript.digests());
    let records: Vec<Value> = records
        .map(|(record, digest)| {
            let mut object = json!({"name": record.name, "digest": digest.to_string()});
            if let Some(beacon) = record.beacon() {
                object["beacon"] =
                    json!({"value": hex::encode(beacon.value()), "iterations": beacon.exponent()});
            }
            object
        })
        .collect();
    json!({
        "verified": true,
        "name": ceremony.name,
        "shape": hex::encode(ceremony.shape),
        "powers": hex::encode(ceremony.powers.0),
        "records": records,
        "contributions": transcript.contributions(),
        "closed": transcript.is_closed(),
        "digest": transcript.digest().to_string(),
        "verifyingKey": ceremony.parts.verifying.digest().to_string(),
    })
}
