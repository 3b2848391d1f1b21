//! Provers that lie: every value is forced.

use super::*;

/// A payload and expectation under which every claim that there can be is read.
pub(super) fn everything(modulus: &Modulus) -> (String, Expectation<'_>) {
    let (bind, salt) = (Fr::from(77u64), BindingSalt(Fr::from(99u64)));
    let nonce = binding_string(Usage::Certificate, audience_digest(AUDIENCE).unwrap(), bind, salt);
    let changes =
        [("nonce", format!("\"{nonce}\"")), ("nbf", TIME.to_string()), ("aud", format!("[\"{AUDIENCE}\"]"))];
    let changes = changes.each_ref().map(|(key, value)| (*key, value.as_str()));
    let binding = Binding::Nonce { bind, salt };
    let expected = Expectation { binding, ..expectation(modulus, Kind::WorkflowProtected) };
    (with(Kind::WorkflowProtected, &changes), expected)
}

/// A prover who lies about one value, and from there on computes on: either some row fails, or the value is one that
/// no other depends on. That every family alone stops some lie says that none can be dropped.
#[test]
fn every_value_is_forced() {
    let modulus = modulus();
    let (payload, expected) = everything(&modulus);
    let (instance, witness) = favourable(payload.as_bytes(), &expected);
    let run = |lie: Option<usize>| {
        Assignment::tampered(
            move |_, i, honest| if lie == Some(i) { honest + Fr::from(1u64) } else { honest },
            |cs| claims_circuit(cs, payload.as_bytes(), 0, POSITIONS, &instance, &witness),
        )
    };
    let honest = run(None);
    assert!(honest.is_satisfied());
    let honest_values = honest.full();
    // The statement's own values and the payload's bits come first, outside every family: a lie there is another
    // statement.
    let families = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let seen = std::rc::Rc::clone(&families);
    let note = move |family, _, honest| {
        seen.borrow_mut().push(family);
        honest
    };
    Assignment::tampered(note, |cs| {
        claims_circuit(cs, payload.as_bytes(), 0, POSITIONS, &instance, &witness)
    });
    let seen_in = |i: usize| families.borrow()[i];
    let first = families.borrow().iter().position(|family| *family == "json.scan").unwrap();
    let mut alone = std::collections::BTreeSet::new();
    // Of each family as many values, whatever its size.
    let mut of_family = std::collections::BTreeMap::<_, Vec<_>>::new();
    for (i, family) in families.borrow().iter().enumerate().skip(first) {
        of_family.entry(*family).or_default().push(i);
    }
    let tried = of_family.values().flat_map(|values| values.iter().step_by(values.len().div_ceil(40)));
    for i in tried.copied() {
        let values = run(Some(i));
        let mut families: Vec<_> = values.violations().iter().map(|violation| violation.family).collect();
        families.dedup();
        if families.is_empty() {
            // Where a group's start is, is the prover's to say; of a group that no claim is read from, all else goes unread.
            let changed = values.full().iter().zip(&honest_values).filter(|(a, b)| a != b).count();
            assert!(changed == 1 || seen_in(i) == "strings.starts", "value {i}");
        }
        if let [family] = families[..] {
            alone.insert(family);
        }
    }
    for family in [
        "base64.encode",
        "canonical-bits",
        "claims.audience",
        "claims.binding",
        "claims.flags",
        "claims.identity",
        "claims.issuer",
        "claims.names",
        "claims.nonce",
        "claims.time",
        "json.scan",
        "poseidon",
        "strings.elements",
        "strings.starts",
    ] {
        assert!(alone.contains(family), "{family} alone stops no lie that was tried");
    }
}

/// The families that no single lie runs into alone.
#[test]
fn count_and_kind_stop_what_nothing_else_does() {
    let modulus = modulus();
    let expected = expectation(&modulus, Kind::Email);
    let twice = format!("{},\"iat\":1}}", object(&good(Kind::Email)).trim_end_matches('}'));
    let values = claims_values(twice.as_bytes(), 0, &expected, POSITIONS);
    assert!(!values.is_satisfied() && values.violations().iter().all(|v| v.family == "claims.once"));
    // A protected workflow's token, said to be of the kind that does not ask for protection.
    let payload = object(&good(Kind::Workflow));
    let (mut instance, witness) = favourable(payload.as_bytes(), &expectation(&modulus, Kind::Workflow));
    let mut kinds = 0;
    instance.kind = Kind::Workflow;
    let stated = Instance { kind: Kind::CiConfig, ..instance };
    let values = Assignment::tampered(
        move |family, _, honest| {
            // The flags follow the token; only the stated kind is another.
            if family == "claims.kind" {
                kinds += 1;
                return Fr::from(kinds == usize::from(Kind::Workflow.byte()));
            }
            honest
        },
        |cs| claims_circuit(cs, payload.as_bytes(), 0, POSITIONS, &stated, &witness),
    );
    assert!(values.violations().iter().any(|violation| violation.family == "claims.kind"));
}
