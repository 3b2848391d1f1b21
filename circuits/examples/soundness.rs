use sigveil_circuits::soundness::*;
use sigveil_circuits::token::SizeClass;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let n: usize = a.get(3).map_or(20, |a| a.parse().unwrap());
    let e = mutation::Effort {
        rows_per_family: n,
        patience: a.get(4).map_or(100_000, |a| a.parse().unwrap()),
        seed: 1,
    };
    let t = std::time::Instant::now();
    match (a[1].as_str(), a[2].as_str()) {
        ("mutate", "nym") => show(mutation::examine(&[NymSubject::drawn(1), NymSubject::drawn(2)], e)),
        ("mutate", c) => {
            let c = SizeClass::from_bytes(c.parse().unwrap()).unwrap();
            show(mutation::examine(&[1, 2, 3].map(|s| TokenSubject::drawn(c, s)), e))
        }
        ("isolate", "nym") => println!("{:#?}", isolation::examine(&NymSubject::drawn(1))),
        (_, c) => println!(
            "{:#?}",
            isolation::examine(&TokenSubject::drawn(SizeClass::from_bytes(c.parse().unwrap()).unwrap(), 1))
        ),
    }
    println!("{:?}", t.elapsed());
}
fn show(r: mutation::Report) {
    for (f, x) in &r.families {
        println!(
            "{f:24} rows {:6} caught {} mutants {} w {} d {} {:?} left {}",
            x.rows,
            x.caught,
            x.mutants,
            x.by_witness,
            x.by_determinism,
            x.explained,
            x.mutants - x.by_witness - x.by_determinism - x.explained.values().sum::<usize>()
        );
    }
    println!("{:?} {:?}", r.whole(), r.single());
    println!("{:?}", r.unexplained);
}
