//! Content that is withheld: with its record, and without one.

use sigveil_log::bundle;
use sigveil_log::entry::Withheld;
use sigveil_log::merkle::leaf_hash;

use super::*;

const REASON: &str = "withheld-without-record";
const BUNDLE: &str = "tile/entries/000";

/// Puts a tombstone in the place of an entry, as whoever serves a bundle can.
fn forge(bundle: &Path, width: usize, index: usize, record: u64) {
    let bytes = fs::read(bundle).unwrap();
    let items = bundle::split(&bytes, width).unwrap();
    let tombstone = Withheld { leaf_hash: leaf_hash(items[index]), record }.body();
    let mut forged = Vec::new();
    for (place, item) in items.into_iter().enumerate() {
        bundle::push(&mut forged, if place == index { &tombstone } else { item }).unwrap();
    }
    fs::write(bundle, forged).unwrap();
}

fn holds(bundle: &Path, body: &[u8]) -> bool {
    contains(&fs::read(bundle).unwrap(), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tombstone_without_its_record_is_taken_by_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let log = stopped(folder.path(), 300).await;
    let [lying, to, honest] = ["lying", "copy", "honest"].map(|name| folder.path().join(name));
    LocalCopy::open(&honest, identity()).unwrap().follow(&Reader::new(&log)).unwrap();
    copy(&log, &lying);
    forge(&lying.join(BUNDLE), 256, 7, 299);
    let (source, whole) = (Reader::new(&lying), files(&log));

    assert_eq!(verify(&source, &identity()).unwrap_err().reason(), REASON);
    let refused = LocalCopy::open(&to, identity()).unwrap().follow(&source).unwrap_err();
    assert_eq!(refused.reason(), REASON);
    assert!(!to.join(BUNDLE).exists() && !to.join("checkpoint").exists());
    let named = |folder: &Path| {
        let found = examine(folder, &identity()).unwrap().findings;
        found.into_iter().map(|finding| (finding.path, finding.reason)).collect::<Vec<_>>()
    };
    assert_eq!(named(&lying), [(BUNDLE.to_owned(), REASON)]);

    // The log's own folder does not take it, however little is left there.
    fs::remove_file(log.join(BUNDLE)).unwrap();
    assert_eq!(complete(&log, &identity(), &source).unwrap_err().reason(), REASON);
    assert!(!log.join(BUNDLE).exists());
    // Where it has come by another way, it is no more than what is damaged.
    fs::copy(lying.join(BUNDLE), log.join(BUNDLE)).unwrap();
    assert_eq!(named(&log), [(BUNDLE.to_owned(), REASON)]);
    assert_eq!(complete(&log, &identity(), &Reader::new(&honest)).unwrap().written, 1);
    assert!(files(&log) == whole && named(&log).is_empty());
}

/// A log of ten entries: the fourth is withheld by the fifth, and by no other.
async fn with_records(folder: &Path) -> PathBuf {
    let log = Log::open(config(folder)).unwrap();
    let bodies: Vec<_> = (0..10).map(|n| format!("entry {n}").into_bytes()).collect();
    let [other, leaf] = [2, 3].map(|n: usize| leaf_hash(&bodies[n]));
    let fitting = record(3, leaf, Withholding::WholeBody);
    let mut of_another_log = fitting.clone();
    of_another_log.statement.origin = "other.example".to_owned();
    let records = [
        (0, fitting.clone()),
        (4, fitting),
        (5, of_another_log),
        (6, record(2, leaf, Withholding::WholeBody)),
        (7, record(3, other, Withholding::WholeBody)),
        (8, record(3, leaf, Withholding::Fields(vec![0]))),
    ];
    for (index, mut body) in (0..).zip(bodies) {
        if let Some((_, record)) = records.iter().find(|(at, _)| *at == index) {
            let mut record = record.clone();
            // A log takes nothing twice, and does not look into what is opaque.
            record.statement.time += index;
            body = Entry::Redaction(record).body();
        }
        assert_eq!(log.append_opaque(body).await.unwrap().index, index);
    }
    log.stop().await;
    folder.join("log")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_explains_the_one_entry_of_its_log_that_it_withholds_whole() {
    let folder = tempfile::tempdir().unwrap();
    let log = with_records(folder.path()).await;
    // Before the entry, of another log, of another entry, of another leaf, of a field; no record, and nothing at all.
    for number in [0, 5, 6, 7, 8, 9, 3, 10, 255, 256, u64::MAX] {
        let forged = folder.path().join(number.to_string());
        copy(&log, &forged);
        forge(&forged.join("tile/entries/000.p/10"), 10, 3, number);
        let refused = verify(&Reader::new(&forged), &identity()).unwrap_err();
        assert_eq!(refused.reason(), REASON, "{number}");
    }
    let fits = folder.path().join("fits");
    copy(&log, &fits);
    forge(&fits.join("tile/entries/000.p/10"), 10, 3, 4);
    assert_eq!(verify(&Reader::new(&fits), &identity()).unwrap().1.withheld, 1);
}

/// A log whose first entry is withheld, with so many after the record, which has stopped.
async fn redacted(folder: &Path, after: u32) -> PathBuf {
    let log = Log::open(witnessed(folder)).unwrap();
    let receipt = log.append(&rekord(b"artifact")).await.unwrap();
    let fill = async |names: std::ops::Range<u32>| {
        let append = |n: u32| {
            let log = log.clone();
            tokio::spawn(async move { log.append_opaque(format!("entry {n}").into_bytes()).await.unwrap() })
        };
        for task in names.map(append).collect::<Vec<_>>() {
            task.await.unwrap();
        }
    };
    fill(0..300).await;
    let record = record(receipt.index, receipt.leaf_hash, Withholding::WholeBody);
    let record = log.append(&Entry::Redaction(record)).await.unwrap().index;
    fill(300..300 + after).await;
    log.redact(record, Covered).await.unwrap();
    log.stop().await;
    folder.join("log")
}

/// The record in a bundle that is not full, and in one that is.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_log_has_withheld_is_read_copied_examined_and_put_back() {
    for after in [0, 600] {
        let folder = tempfile::tempdir().unwrap();
        let log = redacted(folder.path(), after).await;
        let (to, body) = (folder.path().join("copy"), rekord(b"artifact").body());
        assert_eq!(verify(&Reader::new(&log), &identity()).unwrap().1.withheld, 1);
        let copied = LocalCopy::open(&to, identity()).unwrap().follow(&Reader::new(&log)).unwrap();
        assert_eq!((copied.tally.withheld, copied.tally.to_withhold.len()), (1, 0));
        for place in [&log, &to] {
            assert_eq!(examine(place, &identity()).unwrap().findings, []);
        }
        fs::remove_file(log.join(BUNDLE)).unwrap();
        assert_eq!(complete(&log, &identity(), &Reader::new(&to)).unwrap().written, 1);
        assert_eq!(examine(&log, &identity()).unwrap().findings, []);
        assert!(!holds(&log.join(BUNDLE), &body));
    }
}

/// Bundles that a copy has are read again only to erase what was withheld since: nothing else in them is believed either.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_erases_no_more_than_there_are_records_of() {
    let folder = tempfile::tempdir().unwrap();
    let [lying, to, before] = ["lying", "copy", "before"].map(|name| folder.path().join(name));
    let log = redacted(folder.path(), 0).await;
    // The log as it was before the record, and with the content.
    let body = rekord(b"artifact").body();
    copy(&log, &before);
    restore(&before.join(BUNDLE), &body);
    publish(&before, 301, root(&TileTree::new(Reader::new(&log), 302), 301).unwrap());
    let mut copied = LocalCopy::open(&to, identity()).unwrap();
    assert_eq!(copied.follow(&Reader::new(&before)).unwrap().tally.to_withhold.len(), 0);
    assert!(holds(&to.join(BUNDLE), &body));

    copy(&log, &lying);
    forge(&lying.join(BUNDLE), 256, 7, 301);
    assert_eq!(copied.follow(&Reader::new(&lying)).unwrap_err().reason(), REASON);
    assert!(holds(&to.join(BUNDLE), &body) && copied.size().unwrap() == 301);
    assert_eq!(copied.follow(&Reader::new(&log)).unwrap().tally.to_withhold.len(), 1);
    assert!(!holds(&to.join(BUNDLE), &body));
    assert_eq!(verify(copied.reader(), &identity()).unwrap().1.withheld, 1);
}

/// Puts a body back in the first place of a full bundle.
fn restore(bundle: &Path, body: &[u8]) {
    let bytes = fs::read(bundle).unwrap();
    let mut items = bundle::split(&bytes, 256).unwrap();
    items[0] = body;
    let mut restored = Vec::new();
    items.into_iter().for_each(|item| bundle::push(&mut restored, item).unwrap());
    fs::write(bundle, restored).unwrap();
}
