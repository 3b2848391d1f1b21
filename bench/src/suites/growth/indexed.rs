//! Our log as an instance has it: with the index behind it, and entries with certificates of its own authority, so that each is
//! found under its signer's label too.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use rand_core::{OsRng, RngCore as _};

use super::Side;
use crate::baseline::Stack;
use crate::role::Variant;
use crate::suites::log::requests::{Face, prepare_certified};
use crate::suites::sign::{Ours, log_target};

const NAME: &str = "sigveil_index";
/// Entries by one signer: with as many, certificates are a small part of what is kept and of what filling takes.
const OF_ONE_SIGNER: usize = 50;
/// How long an index may stay behind its log.
const PATIENCE: Duration = Duration::from_secs(120);

/// An instance of a scheme without proofs, whose entries are as those of any other but for the length of certificates.
pub(super) fn side(stack: &mut Stack, size: Option<u64>) -> anyhow::Result<Side> {
    let ours = Rc::new(Ours::start(stack, NAME, Variant::Hashed)?);
    let signing = Rc::clone(&ours);
    Ok(Side {
        name: NAME,
        target: log_target(&ours.services.rekor, Face::Rekor2)?,
        bodies: Box::new(move |count| entries(&signing, count)),
        served: ours.served().clone(),
        filling: 64,
        sizes: size.into_iter().collect(),
        face: Some(Face::Rekor2),
        followed: true,
        settle: Some(Box::new(move |size| settle(&ours, size))),
    })
}

fn entries(ours: &Ours, count: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut entries = Vec::with_capacity(count);
    while entries.len() < count {
        let (key, certificate) = ours.certified(&format!("signer{}@example.org", OsRng.next_u64()))?;
        let of_one = OF_ONE_SIGNER.min(count - entries.len());
        entries.extend(prepare_certified(&key, &certificate, of_one)?);
    }
    Ok(entries)
}

/// Waits until the index answers for so many entries.
fn settle(ours: &Ours, size: u64) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let indexed = ours.indexed()?;
        if indexed >= size {
            return Ok(());
        }
        ensure!(begun.elapsed() < PATIENCE, "the index has read {indexed} entries of {size}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
