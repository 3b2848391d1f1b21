//! Trust data: one change, one reason.

use sigveil_circuits::token::{Class, ModulusSize, SizeClass};
use sigveil_vrf_identity::label::Epoch;
use sigveil_zk_ca::trust::{
    Base64Bytes, Binding, CheckedTrust, Interval, ProofTrust, TokenCircuit, VrfEpochs,
};

use crate::world::World;

fn reason(trust: &ProofTrust) -> &'static str {
    CheckedTrust::new(trust).map_or_else(|error| error.reason(), |_| "accepted")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_rule_refuses_alone() {
    let good = World::start().await.trust;
    assert_eq!(reason(&good), "accepted");
    let changed = |change: &dyn Fn(&mut ProofTrust)| {
        let mut trust = good.clone();
        change(&mut trust);
        reason(&trust)
    };
    assert_eq!(changed(&|t| t.issuers.push(t.issuers[0].clone())), "trust-issuer-duplicate");
    for issuer in
        [String::new(), "i".repeat(368), "https://a\"b".into(), "https://a\\b".into(), "a\nb".into()]
    {
        assert_eq!(
            changed(&|t| t.issuers[0].issuer = issuer.clone()),
            "trust-issuer-malformed",
            "{issuer:?}"
        );
    }
    let audiences = [
        String::new(),
        "a".repeat(249),
        "sigveil".into(),
        "sigveil:x".into(),
        "a\"b".into(),
        "a\\b".into(),
        "a\tb".into(),
    ];
    for audience in audiences {
        assert_eq!(
            changed(&|t| t.issuers[0].audience = audience.clone()),
            "trust-audience-malformed",
            "{audience:?}"
        );
    }
    assert_eq!(changed(&|t| t.issuers[0].audience = "a".repeat(248)), "accepted");
    assert_eq!(changed(&|t| t.issuers[0].binding = Binding::Audience), "binding-unsupported");
    assert_eq!(changed(&|t| t.issuers[0].binding = Binding::None), "accepted");
    let modulus = |change: &dyn Fn(&mut Vec<u8>)| changed(&|t| change(&mut t.issuers[0].keys[0].modulus.0));
    assert_eq!(modulus(&|n| n.truncate(255)), "trust-issuer-modulus");
    assert_eq!(modulus(&|n| n.push(1)), "trust-issuer-modulus");
    assert_eq!(modulus(&|n| n[255] &= 0xfe), "trust-issuer-modulus");
    assert_eq!(modulus(&|n| n[0] = 0x7f), "trust-issuer-modulus");
    assert_eq!(modulus(&Vec::clear), "trust-issuer-modulus");
    assert_eq!(modulus(&|n| n.resize(320, 0xff)), "trust-issuer-modulus");
    assert_eq!(modulus(&|n| n.resize(384, 0xff)), "accepted");
    assert_eq!(modulus(&|n| n.resize(512, 0xff)), "accepted");
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"RS256","alg":"RS256"}"#,
        r#"{"alg":"RS256","jku":"https://example.org"}"#,
        r#"{"typ":"JWT"}"#,
        "[]",
        "",
    ] {
        let with = |t: &mut ProofTrust| t.issuers[0].keys[0].header = Base64Bytes(header.as_bytes().to_vec());
        assert_eq!(changed(&with), "trust-issuer-header", "{header}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn periods_are_disjoint_and_number_no_epoch_twice() {
    let good = World::start().await.trust;
    let (key, start, day) = (good.vrf[0].public_key.clone(), good.vrf[0].valid_for.start, 86_400);
    let one = |change: &dyn Fn(&mut VrfEpochs)| {
        let mut trust = good.clone();
        change(&mut trust.vrf[0]);
        reason(&trust)
    };
    assert_eq!(one(&|v| v.public_key = Base64Bytes(vec![0xff; 32])), "trust-vrf-key");
    assert_eq!(one(&|v| v.public_key = Base64Bytes(vec![])), "trust-vrf-key");
    assert_eq!(one(&|v| v.slots = 0), "trust-vrf-epochs");
    assert_eq!(one(&|v| v.slots = 65_537), "trust-vrf-epochs");
    assert_eq!(one(&|v| v.slots = 65_536), "accepted");
    assert_eq!(one(&|v| v.epoch_seconds = 0), "trust-vrf-epochs");
    // Two days and a bit: epochs 1, 2 and 3.
    let first = |end| VrfEpochs {
        public_key: key.clone(),
        slots: 300,
        epoch_seconds: day,
        first_epoch: 1,
        valid_for: Interval { start, end },
    };
    let second =
        |start, first_epoch| VrfEpochs { first_epoch, valid_for: Interval::from(start), ..first(None) };
    let two = |one: VrfEpochs, other: VrfEpochs| {
        let orders = [vec![one.clone(), other.clone()], vec![other, one]];
        let verdicts = orders.map(|vrf| reason(&ProofTrust { vrf, ..good.clone() }));
        assert_eq!(verdicts[0], verdicts[1], "order does not count");
        verdicts[0]
    };
    let end = start + 2 * day + 1;
    assert_eq!(two(first(Some(end)), second(end, 4)), "accepted");
    assert_eq!(two(first(Some(end)), second(end, 3)), "trust-epoch-reused");
    assert_eq!(two(first(Some(end - 1)), second(end, 3)), "accepted");
    assert_eq!(two(first(Some(end)), second(end - 1, 4)), "trust-vrf-overlap");
    assert_eq!(two(first(None), second(end, 4)), "trust-vrf-overlap");

    let trust = ProofTrust { vrf: vec![second(end, 4), first(Some(end))], ..good.clone() };
    let trust = CheckedTrust::new(&trust).unwrap();
    let epoch = |time| trust.vrf_at(time).map(|period| period.epoch(time));
    assert_eq!(epoch(start - 1), None);
    assert_eq!(epoch(start), Some(Epoch(1)));
    assert_eq!(epoch(start + day - 1), Some(Epoch(1)));
    assert_eq!(epoch(end - 1), Some(Epoch(3)));
    assert_eq!(epoch(end), Some(Epoch(4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_keys_are_sound_and_one_to_a_class() {
    let good = World::start().await.trust;
    let changed = |change: &dyn Fn(&mut ProofTrust)| {
        let mut trust = good.clone();
        change(&mut trust);
        reason(&trust)
    };
    assert_eq!(changed(&|t| _ = t.circuits.nym.0.pop()), "trust-verifying-key");
    assert_eq!(changed(&|t| t.circuits.token[0].verifying_key.0.fill(0xff)), "trust-verifying-key");
    assert_eq!(
        changed(&|t| t.circuits.token.push(t.circuits.token[0].clone())),
        "trust-size-class-duplicate"
    );
    let second = |bits: u16| {
        let mut circuit = good.circuits.token[0].clone();
        circuit.modulus_bits = bits;
        changed(&|t| t.circuits.token.push(circuit.clone()))
    };
    assert_eq!(second(4096), "accepted");
    let mut more = good.clone();
    for (size_class, modulus_bits) in [(2048, 4096), (2048, 2048), (1536, 2048)] {
        let circuit = TokenCircuit { size_class, modulus_bits, ..good.circuits.token[0].clone() };
        more.circuits.token.push(circuit);
    }
    let checked = CheckedTrust::new(&more).unwrap();
    let smallest = |size, modulus| checked.smallest_class(Class { size, modulus }).map(|class| class.size);
    assert_eq!(smallest(SizeClass::B768, ModulusSize::Rsa2048), Some(SizeClass::B768));
    assert_eq!(smallest(SizeClass::B1024, ModulusSize::Rsa2048), Some(SizeClass::B1536));
    assert_eq!(smallest(SizeClass::B2560, ModulusSize::Rsa2048), None);
    assert_eq!(smallest(SizeClass::B768, ModulusSize::Rsa4096), Some(SizeClass::B2048));
    assert_eq!(smallest(SizeClass::B768, ModulusSize::Rsa3072), None);
    assert_eq!(second(1024), "trust-size-class-unknown");
    assert_eq!(changed(&|t| t.circuits.token[0].size_class = 700), "trust-size-class-unknown");
    let json = serde_json::to_string(&good).unwrap();
    let unknown = json.replacen('{', r#"{"surplus":1,"#, 1);
    assert!(serde_json::from_str::<ProofTrust>(&unknown).is_err());
    assert!(serde_json::from_str::<ProofTrust>(&json.replace(r#""email""#, r#""e-mail""#)).is_err());
}
