//! Each way in which a note, its lines, its keys and what a witness is asked are refused.

use sigveil_log::witness::{AddCheckpoint, MAX_PROOF, Refusal, authenticate};

use super::*;

/// A line of the shortest signature there is.
const LINE: &str = "— log.example AAAAAAE=";

#[test]
fn each_way_of_being_no_note_is_refused() {
    let lines = |lines: &str| format!("text\n\n{lines}\n").into_bytes();
    SignedNote::parse(&lines(LINE)).unwrap();
    let text = |text: &[u8]| [text, b"\n", LINE.as_bytes(), b"\n"].concat();
    let with = |encoded: &str| lines(&format!("— log.example {encoded}"));
    for (bytes, cause) in [
        (text(b"text\n"), None),
        (text(b"te\xffxt\n"), Some("not UTF-8")),
        (text(b"text"), Some("no blank line before signatures")),
        (text(b"te\txt\n"), Some("control character")),
        (text(b"te\0xt\n"), Some("control character")),
        (text(b"text\r\n"), Some("control character")),
        (format!("text\n\n{LINE}").into_bytes(), Some("no newline at the end")),
        (b"text\n\n".to_vec(), Some("no newline at the end")),
        (lines("- log.example AAAAAAE="), Some("signature line without em dash")),
        (lines("—log.example AAAAAAE="), Some("signature line without em dash")),
        (lines(&format!("{LINE}\nmore")), Some("signature line without em dash")),
        (lines("— log.example"), Some("signature line without name")),
        (lines("—  AAAAAAE="), Some("key name")),
        (lines("— log+example AAAAAAE="), Some("key name")),
        (lines("— log\u{a0}example AAAAAAE="), Some("key name")),
        (lines("— log\u{7f}example AAAAAAE="), Some("key name")),
        (with("AAAAAAE"), Some("signature base64")),
        (with("AAAAAAF="), Some("signature base64")),
        (with("AAAA AAE="), Some("signature base64")),
        (with("AAAAAAE=\r"), Some("signature base64")),
        (with("AAAAAA=="), Some("signature too short")),
        (with(""), Some("signature too short")),
    ] {
        let refused = SignedNote::parse(&bytes).err();
        let text = String::from_utf8_lossy(&bytes);
        assert_eq!(refused, cause.map(NoteError::Malformed), "{text:?}");
        assert!(refused.is_none_or(|error| error.reason() == "note-malformed"));
    }
    let new = |text: &str| SignedNote::new(text.to_owned()).map(drop);
    assert_eq!(new("text"), Err(NoteError::Malformed("text does not end in a newline")));
    assert_eq!(new("te\txt\n"), Err(NoteError::Malformed("control character")));
}

#[test]
fn notes_are_read_up_to_a_length_and_a_number_of_lines() {
    let sized = |length: usize| {
        let rest = format!("\n\n{LINE}\n");
        SignedNote::parse(("x".repeat(length - rest.len()) + &rest).as_bytes()).map(drop)
    };
    assert_eq!((sized(MAX_NOTE), sized(MAX_NOTE + 1)), (Ok(()), Err(NoteError::TooLarge)));
    let lines = |count: usize| {
        let lines = format!("{LINE}\n").repeat(count);
        SignedNote::parse(format!("text\n\n{lines}").as_bytes()).map(|note| note.signatures().len())
    };
    let most = MAX_SIGNATURES;
    assert_eq!((lines(most), lines(most + 1)), (Ok(most), Err(NoteError::TooLarge)));
    assert_eq!(NoteError::TooLarge.reason(), "note-too-large");
}

#[test]
fn a_cosigner_counts_once_however_many_lines_it_has() {
    let (note, log, witnesses) = signed(1);
    let checkpoint = Checkpoint::parse(note.text()).unwrap();
    let text = format!("{note}{}\n", witnesses[0].sign(&checkpoint, 1_700_000_500_000));
    let cosigner = witnesses[0].public().clone();
    // Nor does it count twice where it is known twice.
    for known in [vec![cosigner.clone()], vec![cosigner.clone(), cosigner]] {
        let open = |required| {
            let opened = VerifiedCheckpoint::open_witnessed(text.as_bytes(), log.public(), &known, required);
            opened.map(|opened| opened.cosignatures().len())
        };
        let refused = CheckpointError::TooFewCosignatures { required: 2, actual: 1 };
        assert_eq!((open(1), open(2)), (Ok(1), Err(refused)));
    }
}

/// A verifier key of this type, whose hint is that of what it says.
fn key_text(kind: u8, key: &[u8]) -> String {
    let hint = Hash::of(&[b"log.example\n", &[kind], key]);
    format!("log.example+{}+{}", hex::encode(&hint.0[..4]), STANDARD.encode([&[kind], key].concat()))
}

#[test]
fn ed25519_keys_are_points_in_32_bytes_of_a_known_type() {
    let point = SigningKey::from_bytes(&[1; 32]).verifying_key().to_bytes();
    let is_point = |bytes: &[u8; 32]| ed25519_dalek::VerifyingKey::from_bytes(bytes).is_ok();
    let no_point = (0..=255).map(|byte| [byte; 32]).find(|bytes| !is_point(bytes)).unwrap();
    let longer = [&point[..], &[0]].concat();
    for kind in [1, 4] {
        let key = NoteKey::parse(&key_text(kind, &point)).unwrap();
        assert_eq!(key.encode(), key_text(kind, &point));
        for refused in [&no_point[..], &point[..31], &longer, &[]] {
            assert_eq!(NoteKey::parse(&key_text(kind, refused)), Err(KeyError::Encoding), "{refused:?}");
        }
    }
    for kind in [0, 3, 5, 6, 255] {
        assert_eq!(NoteKey::parse(&key_text(kind, &point)), Err(KeyError::Encoding), "type {kind}");
    }
    assert_eq!(NoteKey::parse("log.example+00000000+"), Err(KeyError::Encoding));
    assert_eq!(NoteKey::parse(&(key_text(1, &point) + "=")), Err(KeyError::Encoding));
    let upper = "sum.golang.org+033DE0AE+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    assert_eq!(NoteKey::parse(upper), Err(KeyError::Hint));
}

/// Opens a checkpoint with one line, whose signature is changed so.
fn opened_after(
    signer: &NoteSigner,
    change: impl FnOnce(&mut Vec<u8>),
) -> Result<VerifiedCheckpoint, CheckpointError> {
    let checkpoint = Checkpoint::new("log.example", 7, Hash([7; 32]));
    let mut note = SignedNote::new(checkpoint.to_string()).unwrap();
    let mut line = signer.sign(&checkpoint, 5000);
    change(&mut line.signature);
    note.add(line);
    VerifiedCheckpoint::open(note.to_string().as_bytes(), signer.public(), &[])
}

fn bad_signature() -> Result<VerifiedCheckpoint, CheckpointError> {
    Err(NoteError::BadSignature("log.example".to_owned()).into())
}

#[test]
fn tree_heads_are_signed_in_one_form() {
    let key = p256::ecdsa::SigningKey::from_slice(&[8; 32]).unwrap();
    let log = NoteSigner::rfc6962("log.example", key).unwrap();
    assert_eq!(opened_after(&log, |_| {}).unwrap().log_time(), Some(5000));
    // Time in eight bytes, hash and signature algorithm, length in two bytes, DER (RFC 5246 §4.7).
    let changes: [fn(&mut Vec<u8>); 10] = [
        |bytes| bytes[7] ^= 1,
        |bytes| bytes[8] = 2,
        |bytes| bytes[9] = 1,
        |bytes| bytes[10] = 1,
        |bytes| bytes[11] += 1,
        |bytes| bytes[11] -= 1,
        |bytes| bytes.push(0),
        |bytes| {
            bytes.push(0);
            bytes[11] += 1;
        },
        |bytes| bytes.truncate(11),
        |bytes| bytes.truncate(7),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        assert_eq!(opened_after(&log, change), bad_signature(), "change {n}");
    }
}

#[test]
fn ed25519_signatures_have_one_length_and_cosignatures_are_over_their_time() {
    let key = || SigningKey::from_bytes(&[7; 32]);
    let plain = NoteSigner::ed25519("log.example", key()).unwrap();
    let timed = NoteSigner::cosignature("log.example", key()).unwrap();
    for signer in [plain, timed.clone()] {
        opened_after(&signer, |_| {}).unwrap();
        assert_eq!(opened_after(&signer, |bytes| bytes.push(0)), bad_signature());
        assert_eq!(opened_after(&signer, |bytes| bytes.truncate(bytes.len() - 1)), bad_signature());
        assert_eq!(opened_after(&signer, |bytes| bytes.truncate(7)), bad_signature());
    }
    assert_eq!(opened_after(&timed, |bytes| bytes[7] ^= 1), bad_signature());
}

#[test]
fn what_a_witness_is_asked_has_one_form() {
    let (note, ..) = signed(0);
    let parse = |head: &str| AddCheckpoint::parse(format!("{head}\n{note}").as_bytes());
    let hash = Hash([1; 32]).to_base64();
    let most = format!("old 1\n{}", format!("{hash}\n").repeat(MAX_PROOF));
    assert_eq!(parse(&most).unwrap().to_text(), format!("{most}\n{note}"));
    let [shorter, longer] = [31, 33].map(|length| STANDARD.encode(vec![1; length]));
    let unpadded = hash.trim_end_matches('=');
    for head in [
        "old 01\n".to_owned(),
        "old +1\n".to_owned(),
        "old -1\n".to_owned(),
        "old  1\n".to_owned(),
        "old 1 \n".to_owned(),
        "old 1\r\n".to_owned(),
        "old \n".to_owned(),
        "old 18446744073709551616\n".to_owned(),
        "Old 1\n".to_owned(),
        "1\n".to_owned(),
        "old 1\n!\n".to_owned(),
        format!("old 1\n{unpadded}\n"),
        format!("old 1\n{shorter}\n"),
        format!("old 1\n{longer}\n"),
        format!("old 1\n{hash} \n"),
        format!("{most}{hash}\n"),
    ] {
        assert_eq!(parse(&head), Err(Refusal::Malformed), "{head:?}");
    }
    // A note that is none, none at all, and one that is no text.
    for bytes in [&b"old 1\n\nlog.example\n"[..], b"old 1\n", b"old 1"] {
        assert_eq!(AddCheckpoint::parse(bytes), Err(Refusal::Malformed));
    }
    let text = format!("old 1\n\n{}", note.to_string().replacen("\n\n", "\nextension ?\n\n", 1));
    let bytes = |byte| text.bytes().map(|b| if b == b'?' { byte } else { b }).collect::<Vec<_>>();
    AddCheckpoint::parse(&bytes(b'!')).unwrap();
    assert_eq!(AddCheckpoint::parse(&bytes(0xff)), Err(Refusal::Malformed));
}

/// What the log signs is its affair; what a witness cosigns has to be a checkpoint.
#[test]
fn a_good_note_that_is_no_checkpoint_is_not_cosigned() {
    use ed25519_dalek::Signer as _;
    let key = SigningKey::from_bytes(&[7; 32]);
    let log = NoteKey::ed25519("log.example", key.verifying_key()).unwrap();
    let root = Hash([3; 32]).to_base64();
    let ask = |text: String| {
        let signature = key.sign(text.as_bytes()).to_vec();
        let mut note = SignedNote::new(text).unwrap();
        note.add(NoteSignature { name: log.name().to_owned(), key_id: log.key_id(), signature });
        assert_eq!(note.verify(std::slice::from_ref(&log)).unwrap().len(), 1);
        authenticate(std::slice::from_ref(&log), &AddCheckpoint { old_size: 0, proof: vec![], note })
            .map(drop)
    };
    assert_eq!(ask(format!("log.example\n1\n{root}\n")), Ok(()));
    for text in
        [format!("log.example\n01\n{root}\n"), format!("log.example\n0\n{root}\n"), "any text\n".into()]
    {
        assert_eq!(ask(text), Err(Refusal::Malformed));
    }
}
