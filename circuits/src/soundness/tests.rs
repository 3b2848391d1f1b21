//! The examinations in a short form; at length they are the commands of the example `soundness`.

use std::collections::BTreeMap;

use super::differential::{Judges, REASONS, Tally, compare_drawn, compare_payload};
use super::mutation::{Effort, Examination, Report, examine, shape};
use super::records::{Record, page};
use super::{NymSubject, QuerySubject, Subject, TokenSubject, isolation};
use crate::testing::Issuer;
use crate::token::SizeClass;

/// No survivor without a reason, and of the families none but these all explained.
fn complete(report: &Report, explained: &[&str]) {
    assert_eq!(report.unexplained, []);
    let survivors: Vec<_> =
        report.families.iter().filter(|(_, f)| !f.caught).map(|(name, _)| &name[..]).collect();
    assert!(survivors.iter().all(|name| explained.contains(name)), "{survivors:?}");
}

#[test]
fn a_row_less_of_query_is_caught() {
    complete(
        &examine(
            &[QuerySubject::drawn(1)],
            Effort { rows_per_family: 6, patience: 4_000, alterations: 1, seed: 1 },
        ),
        &[],
    );
}

#[test]
fn a_row_less_of_nym_is_caught() {
    let subjects = [0, 1, 2].map(NymSubject::drawn);
    let report = examine(&subjects, Effort { rows_per_family: 4, patience: 4_000, alterations: 1, seed: 2 });
    complete(&report, &["point-on-curve"]);
}

/// What a false evaluation hashes to is fitted to it where a row of the hash's last round is left out.
#[test]
fn an_evaluation_under_another_key_is_refused_by_each_row_of_the_last_round() {
    let subject = NymSubject::drawn(0);
    let rows = subject.rows_of_the_last_round();
    assert_eq!(rows.len(), 3 * 11);
    let caught: Vec<usize> = rows.iter().copied().filter(|row| subject.is_missed(*row)).collect();
    assert_eq!(caught, rows);
    let first = *rows.iter().min().unwrap();
    assert!(!subject.is_missed(first - 1));
}

/// One row of each family.
#[test]
fn a_row_less_of_token_is_caught() {
    let subjects = [0, 2, 3].map(|seed| TokenSubject::drawn(SizeClass::B768, seed));
    let effort = Effort { rows_per_family: 1, patience: 4_000, alterations: 16, seed: 3 };
    let report = examine(&subjects, effort);
    let (caught, mutants) = report.single();
    assert!(10 * caught >= 7 * mutants, "{caught} of {mutants}: {report:?}");
    complete(&report, &["rsa.identity", "rsa.product", "rsa.quotient-product"]);
}

/// A record of an examination that stopped is all that it needs to go on, also with more rows than before.
#[test]
fn an_examination_goes_on_where_it_stopped() {
    let subjects = [QuerySubject::drawn(1)];
    let (shape, elements) = shape(&subjects);
    let effort = Effort { rows_per_family: 12, patience: 1_000, alterations: 1, seed: 5 };
    let go_on = |effort, report: &str| {
        Examination::new(&subjects, &shape, &elements, effort, serde_json::from_str(report).unwrap())
    };
    let mut stopped = Examination::new(&subjects, &shape, &elements, effort, Report::default());
    assert!(stopped.go_on() && stopped.report.decided < stopped.rows());
    let mut examination = go_on(effort, &serde_json::to_string(&stopped.report).unwrap());
    while examination.go_on() {}
    assert_eq!(examination.report, examine(&subjects, effort));

    let more = Effort { rows_per_family: 13, ..effort };
    let mut longer = go_on(more, &serde_json::to_string(&examination.report).unwrap());
    while longer.go_on() {}
    let mutants = |report: &Report| report.single().1;
    assert_eq!(mutants(&longer.report), mutants(&examine(&subjects, more)));
    assert!(mutants(&longer.report) > mutants(&examination.report));
}

/// Where only the parts of `token` that a lie reaches are evaluated, the same row refuses it as where all are.
#[test]
fn what_no_lie_reaches_need_not_be_evaluated() {
    use crate::Fr;
    use crate::r1cs::{Assignment, Cs, Told};
    struct Whole<'a>(&'a TokenSubject);
    impl Subject for Whole<'_> {
        fn name(&self) -> String {
            self.0.name()
        }
        fn synthesize<C: Cs>(&self, cs: &mut C) -> Vec<C::Num> {
            self.0.synthesize(cs)
        }
        fn with_an_accomplice(&self, values: &[Fr]) -> Option<Assignment> {
            self.0.with_an_accomplice(values)
        }
        fn in_reach_of_an_accomplice(&self, family: &str) -> bool {
            self.0.in_reach_of_an_accomplice(family)
        }
    }
    let subject = TokenSubject::drawn(SizeClass::B768, 0);
    let variables = std::rc::Rc::new(std::cell::RefCell::new(BTreeMap::<_, Vec<usize>>::new()));
    let record = variables.clone();
    let note = move |family, at, value| {
        record.borrow_mut().entry(family).or_default().push(at);
        value
    };
    assert!(Assignment::tampered(note, |cs| subject.synthesize(cs)).is_satisfied());
    let variables = variables.borrow();
    let mut lies: Vec<Vec<(usize, Told)>> = Vec::new();
    for of_family in variables.values() {
        lies.push(vec![(of_family[of_family.len() / 3], Told::By(Fr::from(1u64)))]);
    }
    // Of message and signature at once, and what nothing refuses.
    let (bit, limb) = (variables["message.bits"][9], variables["rsa.signature-range"][5]);
    lies.push(vec![(bit, Told::By(Fr::from(1u64))), (limb, Told::By(Fr::from(1u64)))]);
    lies.push(vec![(bit, Told::By(Fr::from(0u64)))]);
    let refusals: Vec<_> = lies.iter().map(|lies| subject.only_refusal_of_what_is_true(lies)).collect();
    assert_eq!(refusals, lies.iter().map(|lies| Whole(&subject).only_refusal(lies)).collect::<Vec<_>>());
    assert!(refusals.iter().flatten().count() >= 10, "{refusals:?}");
}

/// Idle are inverses of zero and, in `base64.decode`, ratios of zeros, which no row depends on, and what a claim that is
/// not read would say.
#[test]
fn honest_witnesses_are_isolated() {
    let none = BTreeMap::new();
    for seed in 1..=3 {
        let report = isolation::examine(&NymSubject::drawn(seed));
        assert_eq!((&report.moving, &report.idle), (&none, &none));
        let report = isolation::examine(&QuerySubject::drawn(seed));
        assert_eq!((&report.moving, &report.idle), (&none, &none));
    }
    let report = isolation::examine(&TokenSubject::drawn(SizeClass::B768, 1));
    assert_eq!(report.moving, none);
    let idle: Vec<_> = report.idle.into_keys().collect();
    assert_eq!(idle, ["base64.decode", "claims.binding", "claims.identity", "claims.names", "json.scan"]);
}

/// The search sees a variable that moves: a number that nothing holds, and one of two whose sum is held.
#[test]
fn what_can_move_is_seen() {
    use super::Subject;
    use crate::Fr;
    use crate::r1cs::{Assignment, Cs, Num};
    struct Loose(bool);
    impl Subject for Loose {
        fn name(&self) -> String {
            "loose".to_owned()
        }
        fn synthesize<C: Cs>(&self, cs: &mut C) -> Vec<C::Num> {
            let numbers =
                cs.family("numbers", |cs| cs.hint_many(2, &[], |_| vec![Fr::from(3u64), Fr::from(4u64)]));
            let (sum, product) = (numbers[0].plus(&numbers[1]), cs.product(&numbers[0], &numbers[1]));
            cs.public(&sum);
            if self.0 { vec![sum, product] } else { vec![sum] }
        }
        fn with_an_accomplice(&self, _: &[Fr]) -> Option<Assignment> {
            None
        }
        fn in_reach_of_an_accomplice(&self, _: &str) -> bool {
            false
        }
    }
    assert_eq!(isolation::examine(&Loose(true)).moving, BTreeMap::new());
    assert_eq!(isolation::examine(&Loose(false)).moving, [("numbers", 2), ("", 1)].into());
}

/// At least 500 tokens of a class.
fn agree(class: SizeClass) {
    let mut tally = Tally::new(class, 7);
    tally
        .go_on(&mut Judges::new(Issuer::generate(), 2), 500)
        .unwrap_or_else(|disagreement| panic!("{disagreement}"));
    let refused: u64 = tally.refused.values().sum();
    assert_eq!(tally.accepted + refused, 500);
    assert!(tally.accepted >= 150 && tally.whole >= 8 && tally.refused.len() >= 20, "{tally:?}");
    assert!(tally.refused.keys().all(|reason| REASONS.contains(&&reason[..])), "{tally:?}");
}

#[test]
fn native_check_and_circuit_agree_at_768() {
    agree(SizeClass::B768);
}

#[test]
fn native_check_and_circuit_agree_at_1024() {
    agree(SizeClass::B1024);
}

#[test]
fn native_check_and_circuit_agree_at_1536() {
    agree(SizeClass::B1536);
}

#[test]
fn native_check_and_circuit_agree_at_2048() {
    agree(SizeClass::B2048);
}

#[test]
fn native_check_and_circuit_agree_at_2560() {
    agree(SizeClass::B2560);
}

/// What the fuzzer's targets run, on the corpus that they begin with, and on changes of it.
#[test]
fn the_corpus_is_agreed_on() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let files = |target: &str| {
        let files = std::fs::read_dir(corpus.join(target)).unwrap().map(|file| file.unwrap().path());
        files.map(|file| std::fs::read(file).unwrap()).collect::<Vec<_>>()
    };
    let payloads = files("payload");
    assert!(payloads.iter().filter(|payload| compare_payload(payload) == Some(true)).count() >= 6);
    for (i, payload) in payloads.iter().enumerate() {
        for change in 0..4 {
            let mut changed = payload.clone();
            let at = (i * 31 + change * 17) % changed.len();
            changed[at] = b"\",:}"[change];
            let _ = compare_payload(&changed);
        }
    }
    let issuer = Issuer::generate();
    for drawn in files("drawn") {
        let number = drawn.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        compare_drawn(&issuer, SizeClass::B768, 1, number);
    }
}

#[test]
fn a_fuzzers_messages_are_read() {
    use super::differential::{Fuzzed, Target};
    let messages = "#2\tINITED\nDone 29245 runs in 301 second(s)\nstat::number_of_executed_units: 29245\n";
    let run = Fuzzed::of_messages(Target::Payload, "libFuzzer", messages).unwrap();
    assert_eq!((run.seconds, run.inputs, run.findings), (301, 29_245, 0));
    let found = format!("artifact_prefix='./'; Test unit written to ./crash-1\n{messages}");
    assert_eq!(Fuzzed::of_messages(Target::Payload, "libFuzzer", &found).unwrap().findings, 1);
    assert_eq!(Fuzzed::of_messages(Target::Drawn, "libFuzzer", "#2\tINITED\n"), None);
}

/// The page is what the records are, and of 200,000 tokens each class's holds every reason a thousand times.
#[test]
fn the_page_is_what_the_records_say() {
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut paths: Vec<_> =
        std::fs::read_dir(docs.join("soundness")).unwrap().map(|file| file.unwrap().path()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let records: Vec<Record> = paths.iter().map(read).collect();
    assert!(page(&records) == std::fs::read_to_string(docs.join("soundness.md")).unwrap(), "make it anew");
    for record in records {
        match record {
            Record::Agreement { tally, .. } if tally.next >= 200_000 => {
                assert!(tally.accepted * 10 >= tally.next * 3, "{tally:?}");
                assert!(REASONS.iter().all(|reason| tally.refused.get(*reason) >= Some(&1000)), "{tally:?}");
            }
            Record::Mutation { report, .. } => assert_eq!(report.unexplained, []),
            Record::Fuzzed { run, .. } => assert_eq!(run.findings, 0),
            _ => {}
        }
    }
}
