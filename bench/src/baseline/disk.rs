//! Bytes that a server has on disk.

use std::fs::DirEntry;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Of `stat`, whatever the file system's own.
const BLOCK: f64 = 512.0;

/// Bytes that the files under a folder occupy: some are longer than what is in them.
///
/// Of partial tiles (C2SP tlog-tiles: `N.p/WIDTH`) only the widest counts, and none beside the full one: ours removes the
/// others at once and Rekor v2 once a minute, so that they would count by when one looks.
pub(crate) fn stored(folder: &Path) -> f64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0.0 };
    entries.flatten().map(|entry| of_entry(folder, &entry)).sum()
}

fn of_entry(folder: &Path, entry: &DirEntry) -> f64 {
    match entry.metadata() {
        Ok(data) if data.is_dir() => {
            match entry.file_name().to_str().and_then(|name| name.strip_suffix(".p")) {
                Some(tile) if folder.join(tile).exists() => 0.0,
                Some(_) => widest(&entry.path()),
                None => stored(&entry.path()),
            }
        }
        Ok(data) => data.blocks() as f64 * BLOCK,
        // Gone in between.
        Err(_) => 0.0,
    }
}

/// Of the widest of a tile's partial ones.
fn widest(partials: &Path) -> f64 {
    let Ok(entries) = std::fs::read_dir(partials) else { return 0.0 };
    let width = |entry: &DirEntry| entry.file_name().to_str().and_then(|name| name.parse::<u16>().ok());
    let widest = entries.flatten().max_by_key(width);
    widest.and_then(|entry| entry.metadata().ok()).map_or(0.0, |data| data.blocks() as f64 * BLOCK)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    fn write(path: &Path, length: usize) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, vec![1; length]).unwrap();
    }

    #[test]
    fn a_sparse_file_counts_by_what_it_occupies() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("below/full"), 1 << 16);
        std::fs::File::create(folder.path().join("sparse")).unwrap().set_len(1 << 30).unwrap();
        let bytes = stored(folder.path());
        assert!((65_536.0..1_000_000.0).contains(&bytes), "{bytes}");
    }

    #[test]
    fn partial_tiles_that_are_not_needed_any_more_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let tiles = folder.path().join("tile/entries");
        write(&tiles.join("000"), 1 << 16);
        write(&tiles.join("001.p/9"), 1 << 14);
        let needed = stored(folder.path());
        assert!(needed >= f64::from((1 << 16) + (1 << 14)), "{needed}");
        // Beside the full one, and narrower than another, though its name sorts behind.
        write(&tiles.join("000.p/255"), 1 << 20);
        write(&tiles.join("001.p/8"), 1 << 20);
        assert_eq!(stored(folder.path()), needed);
        write(&tiles.join("001.p/10"), 1 << 15);
        assert_eq!(stored(folder.path()), needed + f64::from((1 << 15) - (1 << 14)));
    }
}
