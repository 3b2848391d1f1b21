//! snarkjs, unmodified, takes what is exported here, and what it makes is taken here.
//!
//! It is installed below target/ by npm on first use. Without node the tests say so and pass; with CI=true that is a
//! failure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sigveil_circuits::Fr;
use sigveil_circuits::ceremony::{Beacon, Ceremony, Powers, points};
use sigveil_circuits::export::{
    publics_from_snarkjs, publics_to_snarkjs, read_r1cs, write_r1cs, write_witness,
};
use sigveil_circuits::groth16::{self, Matrices, Proof, VerifyingKey};
use sigveil_circuits::r1cs::{Assignment, Cs, Num, Shape};
use tempfile::TempDir;

const SNARKJS: &str = "snarkjs@0.7.6";

/// Whether node is there; if not, whether that may be passed over.
fn available() -> bool {
    if Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs node");
    eprintln!("skipped: node is not installed");
    false
}

/// The program, installed once.
fn program() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("snarkjs");
        let program = folder.join("node_modules/snarkjs/build/cli.cjs");
        if !program.exists() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("package.json"), "{}").unwrap();
            let mut install = Command::new("npm");
            let output = install.current_dir(&folder).args(["install", "--no-audit", "--no-fund", SNARKJS]);
            let output = output.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        program
    })
}

/// A folder in which snarkjs works on files.
pub struct Desk(TempDir);

impl Desk {
    /// `None` where there is no node.
    pub fn open() -> Option<Self> {
        available().then(|| Self(tempfile::tempdir().unwrap()))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Runs a command line of snarkjs.
    pub fn run(&self, line: &str) -> Output {
        let mut command = Command::new("node");
        command.arg(program()).args(line.split(' ')).current_dir(self.0.path());
        command.output().unwrap()
    }

    pub fn succeed(&self, line: &str) {
        let output = self.run(line);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{line}: {said} {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Powers of τ as snarkjs makes them, of one contribution, enough for 2^`power` rows, in `name`.
    pub fn powers(&self, power: u32, name: &str) {
        self.succeed(&format!("powersoftau new bn128 {power} first.ptau"));
        self.succeed(&format!("powersoftau contribute first.ptau {name} --name=first -e=entropy"));
    }
}

/// Rows with constants, public inputs and forms of many terms in each place.
fn circuit<C: Cs>(cs: &mut C, x: u64) {
    let x = cs.hint(&[], |_| Fr::from(x));
    let y = cs.product(&x.plus(&C::Num::constant(Fr::from(7u64))), &x.times(-Fr::from(3u64)));
    let mut z = cs.product(&y.minus(&x), &x.plus(&y).not());
    for _ in 0..9 {
        z = cs.product(&z.plus(&x), &y);
    }
    cs.public(&z);
}

fn shape() -> Shape {
    Shape::of(|cs| circuit(cs, 0))
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

#[test]
fn it_verifies_our_proof_with_our_key() {
    let Some(desk) = Desk::open() else { return };
    let key = groth16::setup(&shape(), &mut rng(), &mut |_| {}).unwrap();
    let values = Assignment::of(|cs| circuit(cs, 5));
    let proof = groth16::prove(&key, &Matrices::new(&shape()), &values, &mut rng()).unwrap();
    let public = values.publics()[0];
    desk.write("key.json", key.verifying_key().to_snarkjs());
    desk.write("proof.json", proof.to_snarkjs());
    desk.write("public.json", publics_to_snarkjs(&[public]));
    desk.write("other.json", publics_to_snarkjs(&[public + Fr::from(1u64)]));
    desk.succeed("groth16 verify key.json public.json proof.json");
    assert!(!desk.run("groth16 verify key.json other.json proof.json").status.success());
    // And back, to the same values.
    assert_eq!(&VerifyingKey::from_snarkjs(&desk.text("key.json")).unwrap(), key.verifying_key());
    assert_eq!(Proof::from_snarkjs(&desk.text("proof.json")).unwrap(), proof);
    assert_eq!(publics_from_snarkjs(&desk.text("public.json")).unwrap(), [public]);
}

#[test]
fn its_setup_and_proof_over_our_rows_hold_here() {
    let Some(desk) = Desk::open() else { return };
    let mut file = Vec::new();
    write_r1cs(&shape(), &mut file).unwrap();
    desk.write("circuit.r1cs", &file);
    let values = Assignment::of(|cs| circuit(cs, 5));
    let mut witness = Vec::new();
    write_witness(&values, &mut witness).unwrap();
    desk.write("witness.wtns", &witness);
    desk.succeed("wtns check circuit.r1cs witness.wtns");
    desk.powers(5, "powers.ptau");
    desk.succeed("powersoftau prepare phase2 powers.ptau prepared.ptau");
    desk.succeed("groth16 setup circuit.r1cs prepared.ptau start.zkey");
    desk.succeed("zkey contribute start.zkey circuit.zkey --name=second -e=entropy");
    desk.succeed("zkey export verificationkey circuit.zkey key.json");
    desk.succeed("groth16 prove circuit.zkey witness.wtns proof.json public.json");
    let key = VerifyingKey::from_snarkjs(&desk.text("key.json")).unwrap();
    let proof = Proof::from_snarkjs(&desk.text("proof.json")).unwrap();
    assert_eq!(publics_from_snarkjs(&desk.text("public.json")).unwrap(), values.publics());
    let public = values.publics()[0];
    groth16::verify(&key, public, &proof).unwrap();
    assert!(groth16::verify(&key, public + Fr::from(1u64), &proof).is_err());
    // Their spelling of the key is ours, member for member.
    let (ours, theirs) = (key.to_snarkjs(), desk.text("key.json"));
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(json(&ours), json(&theirs));
}

#[test]
fn rows_read_back_are_the_rows_written() {
    let mut file = Vec::new();
    write_r1cs(&shape(), &mut file).unwrap();
    let read = read_r1cs(std::io::Cursor::new(&file)).unwrap();
    assert_eq!(read.digest(), shape().digest());
}

#[test]
fn a_ceremony_on_its_powers_makes_keys_that_prove() {
    let Some(desk) = Desk::open() else { return };
    desk.powers(5, "powers.ptau");
    let points = points(&shape()).unwrap();
    let read = |name: &str| {
        let file = fs::File::open(desk.path(name)).unwrap();
        Powers::read(file, points, &mut rng()).unwrap()
    };
    // Before anybody contributed, τ is one: whoever likes can forge proofs under such keys.
    let first = Powers::read(fs::File::open(desk.path("first.ptau")).unwrap(), points, &mut rng());
    assert_eq!(first.err().map(|error| error.reason()), Some("ptau-inconsistent"));
    let powers = read("powers.ptau");
    let mut begun = Ceremony::begin("toy", &shape(), &powers).unwrap();
    begun.contribute("one", &mut rng()).unwrap();
    let mut ceremony = begun.into_ceremony();
    ceremony.close("beacon", Beacon::new(vec![7; 32], 10).unwrap()).unwrap();
    let (key, _) = ceremony.verify(&shape(), &powers, &mut rng()).unwrap().into_key().unwrap();
    let values = Assignment::of(|cs| circuit(cs, 5));
    let proof = groth16::prove(&key, &Matrices::new(&shape()), &values, &mut rng()).unwrap();
    groth16::verify(key.verifying_key(), values.publics()[0], &proof).unwrap();
    // What it prepares for its own setup changes none of the powers.
    desk.succeed("powersoftau prepare phase2 powers.ptau prepared.ptau");
    assert_eq!(read("prepared.ptau").digest(), powers.digest());
}
