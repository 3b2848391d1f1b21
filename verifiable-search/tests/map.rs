//! The map against a model that knows no trie: the root as a function of the set, every proof checked, and
//! every proof altered in every byte.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use sigveil_verifiable_search::key::{KeyKind, MapKey};
use sigveil_verifiable_search::map::{Digest, Map, MapError, empty_root};
use sigveil_verifiable_search::proof::{MapProof, ProofError};
use std::collections::BTreeMap;

type Model = BTreeMap<[u8; 32], Digest>;

fn bit(key: &[u8; 32], index: usize) -> bool {
    key[index / 8] >> (7 - index % 8) & 1 == 1
}

/// The root by its definition, straight from the set.
fn model_root(model: &Model) -> Digest {
    let pairs: Vec<_> = model.iter().map(|(key, value)| (*key, *value)).collect();
    if pairs.is_empty() { empty_root() } else { model_node(&pairs) }
}

fn model_node(pairs: &[([u8; 32], Digest)]) -> Digest {
    if let [(key, value)] = pairs {
        return Sha256::new_with_prefix("sigveil-map-leaf-v1")
            .chain_update(key)
            .chain_update(value)
            .finalize()
            .into();
    }
    let parts_at = (0..256).find(|i| pairs.iter().any(|p| bit(&p.0, *i) != bit(&pairs[0].0, *i))).unwrap();
    let (low, high): (Vec<_>, Vec<_>) = pairs.iter().partition(|(key, _)| !bit(key, parts_at));
    let mut prefix = [0u8; 32];
    for i in (0..parts_at).filter(|i| bit(&pairs[0].0, *i)) {
        prefix[i / 8] |= 0x80 >> (i % 8);
    }
    Sha256::new_with_prefix("sigveil-map-node-v1")
        .chain_update([parts_at as u8])
        .chain_update(prefix)
        .chain_update(model_node(&low))
        .chain_update(model_node(&high))
        .finalize()
        .into()
}

/// Keys that share long prefixes as well as keys that share none.
fn any_key() -> impl Strategy<Value = [u8; 32]> {
    prop_oneof![
        any::<[u8; 32]>(),
        (any::<u8>(), 0usize..32).prop_map(|(byte, at)| {
            let mut key = [0; 32];
            key[at] = byte;
            key
        }),
    ]
}

fn any_pairs() -> impl Strategy<Value = Vec<([u8; 32], Digest)>> {
    proptest::collection::vec((any_key(), any::<Digest>()), 0..40)
}

fn batch(pairs: &[([u8; 32], Digest)]) -> Vec<(MapKey, Digest)> {
    // Within one batch the last value of a key stands.
    pairs.iter().copied().collect::<Model>().into_iter().map(|(k, v)| (MapKey::from_bytes(k), v)).collect()
}

fn map_of(pairs: &[([u8; 32], Digest)]) -> Map {
    let mut map = Map::new();
    map.apply(&mut batch(pairs)).unwrap();
    map
}

/// True when the proof says either thing about the key.
fn verifies(bytes: &[u8], key: &MapKey, value: &Digest, root: &Digest) -> bool {
    MapProof::from_bytes(bytes).is_ok_and(|proof| {
        proof.verify_presence(key, value, root).is_ok() || proof.verify_absence(key, root).is_ok()
    })
}

proptest! {
    #[test]
    fn root_is_a_function_of_the_set(pairs in any_pairs(), cut in 1usize..10, swaps: Vec<(u8, u8)>) {
        let model: Model = pairs.iter().copied().collect();
        let expected = model_root(&model);
        let mut batched = Map::new();
        for part in pairs.chunks(cut) {
            batched.apply(&mut batch(part)).unwrap();
        }
        prop_assert_eq!(batched.root(), expected);
        prop_assert_eq!(batched.len(), model.len());

        let mut order: Vec<_> = model.into_iter().collect();
        if !order.is_empty() {
            for (a, b) in swaps {
                let len = order.len();
                order.swap(usize::from(a) % len, usize::from(b) % len);
            }
        }
        let mut one_by_one = Map::new();
        for pair in &order {
            one_by_one.apply(&mut batch(&[*pair])).unwrap();
        }
        prop_assert_eq!(one_by_one.root(), expected);
    }

    #[test]
    fn presence_and_absence_verify_and_exclude_each_other(pairs in any_pairs(), strangers in any_pairs()) {
        let map = map_of(&pairs);
        let model: Model = pairs.iter().copied().collect();
        let root = map.root();
        for key in pairs.iter().chain(&strangers).map(|pair| pair.0) {
            let map_key = MapKey::from_bytes(key);
            let proof = MapProof::from_bytes(&map.prove(&map_key).to_bytes()).unwrap();
            prop_assert_eq!(map.value(&map_key), model.get(&key).copied());
            match model.get(&key) {
                Some(value) => {
                    prop_assert_eq!(proof.verify_presence(&map_key, value, &root), Ok(()));
                    prop_assert_eq!(proof.verify_absence(&map_key, &root), Err(ProofError::WrongKind));
                    let mut other = *value;
                    other[0] ^= 1;
                    prop_assert_eq!(
                        proof.verify_presence(&map_key, &other, &root), Err(ProofError::RootMismatch));
                }
                None => {
                    prop_assert_eq!(proof.verify_absence(&map_key, &root), Ok(()));
                    prop_assert_eq!(
                        proof.verify_presence(&map_key, &[0; 32], &root), Err(ProofError::WrongKind));
                }
            }
        }
    }

    #[test]
    fn a_proof_is_of_one_key_only(pairs in any_pairs(), other in any_key()) {
        let map = map_of(&pairs);
        for (key, value) in batch(&pairs) {
            let other = MapKey::from_bytes(other);
            if other != key {
                let refused = map.prove(&key).verify_presence(&other, &value, &map.root());
                prop_assert_eq!(refused, Err(ProofError::RootMismatch));
            }
        }
    }
}

fn sample(count: u32) -> Vec<([u8; 32], Digest)> {
    (0..count).map(|i| (*MapKey::new(KeyKind::Label, &i.to_be_bytes()).as_bytes(), [i as u8; 32])).collect()
}

#[test]
fn every_changed_byte_of_every_kind_of_proof_is_refused() {
    let mut pairs = sample(40);
    // Two keys with a long common prefix, so that a key beside them ends at a node and not at a leaf.
    let mut near = pairs[0].0;
    near[31] ^= 1;
    pairs.push((near, [7; 32]));
    let map = map_of(&pairs);
    let mut beside = pairs[0].0;
    beside[16] ^= 0x10;

    let mut asked = vec![(map.prove(&MapKey::from_bytes(beside)), beside, [0; 32])];
    asked.extend(pairs.iter().map(|(key, value)| (map.prove(&MapKey::from_bytes(*key)), *key, *value)));
    asked.extend(
        sample(80).iter().skip(40).map(|(key, _)| (map.prove(&MapKey::from_bytes(*key)), *key, [0; 32])),
    );
    let empty = Map::new();
    asked.push((empty.prove(&MapKey::from_bytes(near)), near, [0; 32]));

    let mut kinds = [false; 4];
    for (proof, key, value) in asked {
        let bytes = proof.to_bytes();
        kinds[usize::from(bytes[1])] = true;
        let root = if bytes[1] == 0 { empty.root() } else { map.root() };
        let key = MapKey::from_bytes(key);
        assert!(verifies(&bytes, &key, &value, &root));
        for at in 0..bytes.len() {
            for flip in [1u8, 0x80, 0xff] {
                let mut bad = bytes.clone();
                bad[at] ^= flip;
                assert!(!verifies(&bad, &key, &value, &root), "byte {at} of {} changed", bytes.len());
            }
            assert_eq!(MapProof::from_bytes(&bytes[..at]), Err(ProofError::Malformed), "cut at {at}");
        }
        let mut long = bytes;
        long.push(0);
        assert_eq!(MapProof::from_bytes(&long), Err(ProofError::Malformed));
    }
    assert_eq!(kinds, [true; 4], "each kind of terminal was tried");
}

#[test]
fn a_key_twice_in_one_batch_changes_nothing() {
    let mut map = map_of(&sample(5));
    let (before, key) = (map.root(), MapKey::new(KeyKind::Label, b"x"));
    let refused = map.apply(&mut [(key, [1; 32]), (key, [2; 32])]);
    assert_eq!(refused, Err(MapError::DuplicateKey(key)));
    assert_eq!((map.root(), map.len()), (before, 5));
}

/// Each case is altered so that exactly the named check stands in its way.
#[test]
fn checks_of_the_wire_form_one_by_one() {
    let map = map_of(&sample(40));
    let key = MapKey::from_bytes(sample(1)[0].0);
    let good = map.prove(&key).to_bytes();
    let depth = usize::from(good[3]);
    assert!(depth >= 2);

    let mut version = good.clone();
    version[0] = 2;
    assert_eq!(MapProof::from_bytes(&version), Err(ProofError::UnknownVersion(2)));

    let mut kind = good.clone();
    kind[1] = 4;
    assert_eq!(MapProof::from_bytes(&kind), Err(ProofError::Malformed));

    let mut order = good.clone();
    order.swap(4, 5);
    assert_eq!(MapProof::from_bytes(&order), Err(ProofError::Malformed));

    // 257 levels, all bytes there: only the bound on the depth, or the order of the bits, can refuse it.
    let mut deep = vec![1, 1, 1, 1];
    deep.extend((0..=255u8).chain([255]));
    deep.extend(vec![0; 257 * 32]);
    assert_eq!(MapProof::from_bytes(&deep), Err(ProofError::Malformed));

    // A node terminal whose prefix has a bit beyond its length.
    let mut prefix = vec![1, 3, 0, 0, 8];
    prefix.extend([0, 1]);
    prefix.extend([0; 30 + 64]);
    assert_eq!(MapProof::from_bytes(&prefix), Err(ProofError::Malformed));
    // A node terminal above the last turn.
    let mut above = vec![1, 3, 0, 1, 9];
    above.extend([0; 32]);
    above.push(9);
    above.extend([0; 96]);
    assert_eq!(MapProof::from_bytes(&above), Err(ProofError::Malformed));
}

#[test]
fn terminals_off_the_keys_path_are_refused_before_any_hashing() {
    let key = MapKey::from_bytes([0; 32]);
    let step = |bit: u8| [&[bit][..], &[0; 32]].concat();
    // The leaf is the key's own: presence dressed as absence.
    let own = [&[1, 2, 0, 0][..], &[0; 64]].concat();
    // The leaf parts from the key at bit 0, before the turn at bit 3.
    let early = [&[1, 2, 0, 1][..], &step(3), &[0x80], &[0; 63]].concat();
    // The node's prefix is the key's.
    let inside = [&[1, 3, 0, 0, 8][..], &[0; 96]].concat();
    // The node's prefix parts from the key before the turn.
    let node = [&[1, 3, 0, 1][..], &step(3), &[8, 0x80], &[0; 95]].concat();
    // The empty map has no turns.
    let empty = [&[1, 0, 0, 1][..], &step(3)].concat();
    for bytes in [own, early, inside, node, empty] {
        let proof = MapProof::from_bytes(&bytes).unwrap();
        assert_eq!(proof.verify_absence(&key, &empty_root()), Err(ProofError::OffPath));
    }
}
