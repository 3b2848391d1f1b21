//! Entry bundles: up to 256 entries, each with its length (C2SP tlog-tiles), or as static-ct-api tile leaves.

/// A bundle that cannot be split into its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the entry bundle is truncated or holds another number of entries than its width")]
pub struct BundleError;

impl BundleError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        "bundle-malformed"
    }
}

/// Appends `entry` with its big-endian 16-bit length.
///
/// # Errors
/// [`BundleError`] if it is longer than 65,535 bytes.
pub fn push(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), BundleError> {
    let length = u16::try_from(entry.len()).map_err(|_| BundleError)?;
    bundle.extend(length.to_be_bytes());
    bundle.extend(entry);
    Ok(())
}

/// Splits a bundle of exactly `width` entries.
///
/// # Errors
/// [`BundleError`] for a truncated bundle or another number of entries.
pub fn split(bundle: &[u8], width: usize) -> Result<Vec<&[u8]>, BundleError> {
    let (entries, rest) = split_prefix(bundle, width)?;
    if rest.is_empty() { Ok(entries) } else { Err(BundleError) }
}

/// The first `width` entries, and the bytes after them.
pub(crate) fn split_prefix(bundle: &[u8], width: usize) -> Result<(Vec<&[u8]>, &[u8]), BundleError> {
    let mut rest = bundle;
    let mut entries = Vec::with_capacity(width);
    for _ in 0..width {
        let (length, tail) = rest.split_first_chunk::<2>().ok_or(BundleError)?;
        let (entry, tail) =
            tail.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(BundleError)?;
        entries.push(entry);
        rest = tail;
    }
    Ok((entries, rest))
}
