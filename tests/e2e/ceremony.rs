//! A ceremony by the command line: three who contribute, a beacon, keys that prove; and everybody who cheats found out.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::Value;
use sigveil_circuits::Fr;
use sigveil_circuits::ceremony::{Ceremony, Powers, Secret};
use sigveil_circuits::export::write_r1cs;
use sigveil_circuits::groth16;
use sigveil_circuits::keys::{KeyStore, Provenance, Statement};
use sigveil_circuits::query::{self, Instance, Witness};
use sigveil_circuits::r1cs::{Cs, Shape};
use sigveil_circuits::token::LinkingRandomness;
use sigveil_vrf_identity::identity::{Identity, Kind};
use sigveil_vrf_identity::label::Mode;
use sigveil_vrf_identity::vrf::{Blinded, Blinding};

use crate::support::{run_json, scratch};

/// The smallest statement.
const STATEMENT: &str = "query.v1";
const POINTS: usize = 4_096;
const BEACON: &str = "00112233445566778899aabbccddeeff";

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A folder with powers of tau, the ceremony as begun, and as each of three contributors left it.
struct Table {
    folder: tempfile::TempDir,
    contributions: Vec<String>,
}

impl Table {
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.file(name)).unwrap()
    }

    fn contribute(&self, from: &str, name: &str, to: &str) -> (i32, Value) {
        let (from, to, ptau) = (self.path(from), self.path(to), self.path("powers.ptau"));
        run_json(["ceremony", "contribute", &from, "--ptau", &ptau, "--name", name, "--out", &to])
    }

    fn verify(&self, name: &str, extra: &[&str]) -> (i32, Value) {
        let (path, ptau) = (self.path(name), self.path("powers.ptau"));
        run_json([&["ceremony", "verify", &path, "--ptau", &ptau][..], extra].concat())
    }

    fn finalize(&self, from: &str, to: &str, keys: &Path) -> (i32, Value) {
        let (from, to, ptau) = (self.path(from), self.path(to), self.path("powers.ptau"));
        let keys = keys.to_str().unwrap();
        run_json([
            "ceremony",
            "finalize",
            &from,
            "--ptau",
            &ptau,
            "--beacon",
            BEACON,
            "--beacon-name",
            "block 7",
            "--out",
            &to,
            "--keys",
            keys,
        ])
    }

    /// The reason for which a file is refused.
    fn refusal(&self, file: &[u8]) -> String {
        std::fs::write(self.file("bad"), file).unwrap();
        let (status, answer) = self.verify("bad", &[]);
        assert_eq!(status, 1, "{answer}");
        answer["reason"].as_str().unwrap().to_owned()
    }
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let folder = tempfile::tempdir_in(scratch("ceremony")).unwrap();
        let mut table = Table { folder, contributions: Vec::new() };
        for (name, seed) in [("powers.ptau", 1), ("other.ptau", 2)] {
            let mut file = Vec::new();
            Powers::development(POINTS, &mut rng(seed)).write(&mut file).unwrap();
            std::fs::write(table.file(name), file).unwrap();
        }
        let (ptau, begun) = (table.path("powers.ptau"), table.path("0"));
        let (status, answer) =
            run_json(["ceremony", "init", "--statement", STATEMENT, "--ptau", &ptau, "--out", &begun]);
        assert_eq!(status, 0, "{answer}");
        for (i, name) in ["ada", "blaise", "carl"].into_iter().enumerate() {
            let (status, answer) = table.contribute(&i.to_string(), name, &(i + 1).to_string());
            assert_eq!((status, answer["number"].as_u64()), (0, Some(i as u64 + 1)), "{answer}");
            table.contributions.push(answer["contribution"].as_str().unwrap().to_owned());
        }
        table
    })
}

#[test]
fn three_contributors_and_a_beacon_make_keys_that_prove() {
    let table = table();
    let keys = table.file("keys");
    let (status, closed) = table.finalize("3", "closed", &keys);
    assert_eq!((status, closed["closed"].as_bool()), (0, Some(true)), "{closed}");
    // Anybody finds every contribution in the transcript, and the verifying key that it stands for.
    let key = table.path("key.json");
    let includes = table.contributions.iter().flat_map(|digest| ["--includes", digest]);
    let extra: Vec<&str> = includes.chain(["--verifying-key", &key, "--beacon", BEACON]).collect();
    let (status, verified) = table.verify("closed", &extra);
    assert_eq!((status, verified["contributions"].as_u64()), (0, Some(3)), "{verified}");
    assert_eq!(verified["digest"], closed["digest"]);
    let names: Vec<_> =
        verified["records"].as_array().unwrap().iter().map(|record| &record["name"]).collect();
    assert_eq!(names, ["ada", "blaise", "carl", "block 7"]);
    let beacon = serde_json::json!({"value": BEACON, "iterations": 10});
    assert_eq!(verified["records"][3]["beacon"], beacon);
    // Not the value that was announced, or hashed otherwise.
    for other in [&["--beacon", &BEACON.replace('0', "1")][..], &["--beacon", BEACON, "--iterations", "9"]] {
        let (status, answer) = table.verify("closed", other);
        assert_eq!((status, answer["reason"].as_str()), (1, Some("ceremony-other-beacon")), "{answer}");
    }
    // Who verifies has the proving key from the transcript, and from nobody's hand.
    let own = table.path("own-keys");
    let (status, installed) = table.verify("closed", &["--keys", &own]);
    assert_eq!((status, &installed["key"]["digest"]), (0, &closed["key"]["digest"]), "{installed}");

    let stored = KeyStore::new(&keys).load(Statement::Query).unwrap().unwrap();
    let Provenance::Ceremony(transcript) = stored.provenance() else { panic!("{stored}") };
    assert_eq!(hex::encode(transcript), verified["digest"].as_str().unwrap());
    assert_eq!(stored.verifying_key().digest().to_string(), verified["verifyingKey"].as_str().unwrap());
    // A proof with the stored key holds under the key that the transcript's verifier wrote.
    let idf = Identity::new("https://issuer.example", Kind::Email, "a@b.example").unwrap().idf();
    let (blinding, linking) = (Blinding::random(&mut rng(3)), LinkingRandomness(Fr::from(77u64)));
    let blinded = Blinded::new(Mode::Blind, &idf, &blinding).unwrap();
    let instance = Instance { linking_commitment: linking.commit(idf), blinded };
    let values = query::circuit::assign(&instance, &Witness::new(idf, linking, &blinding));
    let proof = stored.prove(&values, &mut rng(4)).unwrap();
    let verifying = groth16::VerifyingKey::from_snarkjs(&std::fs::read_to_string(&key).unwrap()).unwrap();
    groth16::verify(&verifying, instance.digest(), &proof).unwrap();

    // It is over: nobody may add to it, and no other key takes its place by accident.
    let (status, answer) = table.contribute("closed", "dora", "late");
    assert_eq!((status, answer["reason"].as_str()), (1, Some("ceremony-closed")));
    assert!(!table.file("late").exists());
    let (status, answer) = table.finalize("3", "again", &keys);
    assert_eq!((status, answer["reason"].as_str()), (1, Some("proving-key-exists")));
}

/// Where the records are in a file: each of a contribution with this name.
fn record(names: &[&str], at: usize) -> std::ops::Range<usize> {
    let head = 20 + 1 + STATEMENT.len() + 2 * 32 + 3 * 8 + 32 + 4;
    let length = |name: &str| 2 + name.len() + 2 * 32 + 64 + 3 * 32;
    let start = head + names[..at].iter().map(|name| length(name)).sum::<usize>();
    start..start + length(names[at])
}

#[test]
fn a_fourth_who_cheats_is_found_out() {
    let table = table();
    let names = ["ada", "blaise", "carl"];
    let count = record(&names, 0).start - 1;
    let third = table.bytes("3");
    // One point is not divided by its secret, in an otherwise sound contribution.
    let mut ceremony = Ceremony::read(&third).unwrap();
    let secret = Secret::random(&mut rng(5));
    let kept = ceremony.parts.h[9];
    ceremony.multiply(&secret);
    ceremony.parts.h[9] = kept;
    ceremony.transcript.contribute("dora", &secret, &ceremony.parts, &mut rng(6)).unwrap();
    let mut cheated = Vec::new();
    ceremony.write(&mut cheated).unwrap();
    assert_eq!(table.refusal(&cheated), "ceremony-parameters");
    // Nobody multiplies a secret into it.
    let (status, answer) = table.contribute("bad", "emil", "after-cheat");
    assert_eq!((status, answer["reason"].as_str()), (1, Some("ceremony-parameters")), "{answer}");
    assert!(!table.file("after-cheat").exists());
    // It does not know the secret that it claims: the proof is of something else.
    let mut unknown = third.clone();
    let response = record(&names, 2).end - 1;
    unknown[response] ^= 1;
    assert_eq!(table.refusal(&unknown), "ceremony-knowledge");
    // It repeats the contribution of another.
    let mut repeated = third.clone();
    let first = third[record(&names, 0)].to_vec();
    let end = record(&names, 2).end;
    repeated.splice(end..end, first);
    repeated[count] = 4;
    assert_eq!(table.refusal(&repeated), "ceremony-knowledge");
    // δ is multiplied by another secret than the record's.
    let mut ceremony = Ceremony::read(&third).unwrap();
    ceremony.multiply(&Secret::random(&mut rng(7)));
    ceremony.transcript.contribute("dora", &secret, &ceremony.parts, &mut rng(6)).unwrap();
    let mut other = Vec::new();
    ceremony.write(&mut other).unwrap();
    assert_eq!(table.refusal(&other), "ceremony-delta");
}

#[test]
fn what_was_cut_altered_or_left_out_is_found() {
    let table = table();
    let names = ["ada", "blaise", "carl"];
    let count = record(&names, 0).start - 1;
    let third = table.bytes("3");
    // The last contribution is cut off, and so is the first.
    for at in [2, 0] {
        let mut cut = third.clone();
        cut.drain(record(&names, at));
        cut[count] = 2;
        assert_eq!(table.refusal(&cut), if at == 2 { "ceremony-altered" } else { "ceremony-knowledge" });
    }
    // Two points change places; a byte is lost.
    let mut swapped = third.clone();
    let end = swapped.len();
    let (one, two) = swapped[end - 128..].split_at_mut(64);
    one.swap_with_slice(two);
    assert_eq!(table.refusal(&swapped), "ceremony-altered");
    std::fs::write(table.file("swapped"), &swapped).unwrap();
    let (status, answer) = table.contribute("swapped", "dora", "never");
    assert_eq!((status, answer["reason"].as_str()), (1, Some("ceremony-altered")));
    assert!(!table.file("never").exists());
    assert_eq!(table.refusal(&third[..end - 1]), "ceremony-malformed");
    assert_eq!(table.refusal(b"sigveil"), "ceremony-malformed");
    // An earlier state is sound in itself, but not for who contributed later.
    let (status, answer) = table.verify("2", &["--includes", &table.contributions[2]]);
    assert_eq!((status, answer["reason"].as_str()), (1, Some("ceremony-contribution-missing")));
    assert_eq!(table.verify("2", &["--includes", &table.contributions[1]]).0, 0);
}

#[test]
fn the_wrong_circuit_powers_or_moment_is_refused() {
    let table = table();
    let (third, other) = (table.path("3"), table.path("other.ptau"));
    let reason = |arguments: &[&str]| {
        let (status, answer) = run_json(arguments);
        assert_eq!(status, 1, "{answer}");
        answer["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(reason(&["ceremony", "verify", &third, "--ptau", &other]), "ceremony-other-powers");
    assert_eq!(reason(&["ceremony", "verify", &third, "--ptau", &third]), "ptau-malformed");
    let ptau = table.path("powers.ptau");
    let nym = ["ceremony", "init", "--statement", "nym.v1", "--ptau", &ptau, "--out", &other];
    assert_eq!(reason(&nym), "ptau-too-small");
    // Powers of which one was replaced by another.
    let mut altered = table.bytes("powers.ptau");
    let first = 12 + 12 + 44 + 12;
    altered.copy_within(first + 64..first + 128, first + 5 * 64);
    std::fs::write(table.file("altered.ptau"), altered).unwrap();
    let altered = table.path("altered.ptau");
    assert_eq!(reason(&["ceremony", "verify", &third, "--ptau", &altered]), "ptau-inconsistent");
    // An open ceremony gives no key, neither to verify nor to prove with; and it has no beacon.
    for (file, extra, why) in [
        ("3", ["--verifying-key", "open-key"], "ceremony-open"),
        ("0", ["--keys", "open-keys"], "ceremony-open"),
        ("3", ["--beacon", BEACON], "ceremony-open"),
    ] {
        let value = if extra[1] == BEACON { BEACON.to_owned() } else { table.path(extra[1]) };
        let (status, answer) = table.verify(file, &[extra[0], &value]);
        assert_eq!((status, answer["reason"].as_str()), (1, Some(why)), "{answer}");
    }
    assert!(!table.file("open-key").exists() && !table.file("open-keys").exists());
    // Nobody has contributed.
    let (status, answer) = table.finalize("0", "too-early", &table.file("no-keys"));
    assert_eq!((status, answer["reason"].as_str()), (1, Some("ceremony-no-contribution")));
    assert!(!table.file("too-early").exists() && !table.file("no-keys").exists());
}

#[test]
fn a_ceremony_for_a_circuit_of_others_is_made_from_its_r1cs() {
    let folder = tempfile::tempdir_in(scratch("ceremony")).unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (r1cs, ptau, begun, one) = (path("circuit.r1cs"), path("powers.ptau"), path("0"), path("1"));
    let shape = Shape::of(|cs| {
        let x = cs.hint(&[], |_| Fr::from(3u64));
        let y = cs.product(&x, &x);
        cs.public(&y);
    });
    let (mut circuit, mut powers) = (Vec::new(), Vec::new());
    write_r1cs(&shape, &mut circuit).unwrap();
    Powers::development(4, &mut rng(1)).write(&mut powers).unwrap();
    std::fs::write(&r1cs, &circuit).unwrap();
    std::fs::write(&ptau, powers).unwrap();
    let (status, answer) = run_json(["ceremony", "init", "--r1cs", &r1cs, "--ptau", &ptau, "--out", &begun]);
    let digest = hex::encode(shape.digest());
    assert_eq!((status, answer["shape"].as_str()), (0, Some(digest.as_str())), "{answer}");
    let of = ["--r1cs", &r1cs, "--ptau", &ptau, "--name", "ada", "--out", &one];
    let (status, answer) = run_json([&["ceremony", "contribute", &begun][..], &of].concat());
    assert_eq!(status, 0, "{answer}");
    let verify = || run_json(["ceremony", "verify", &one, "--r1cs", &r1cs, "--ptau", &ptau]);
    let (status, answer) = verify();
    assert_eq!((status, answer["closed"].as_bool()), (0, Some(false)), "{answer}");
    circuit.pop();
    std::fs::write(&r1cs, &circuit).unwrap();
    let (status, answer) = verify();
    assert_eq!((status, answer["reason"].as_str()), (1, Some("r1cs-malformed")));
}
