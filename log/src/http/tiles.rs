//! Tiles and bundles, and what caches may do with them.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::{IMMUTABLE, answer, optional};
use crate::hash::Hash;
use crate::store::{ReadError, Reader};
use crate::tile::{TileKind, TilePath, TileSource as _};

/// For caches: to be kept, and asked for again before it is handed on.
const ASK_AGAIN: &str = "no-cache";

/// The tiles of a log that a face serves.
pub(crate) struct Tiles {
    pub reader: Reader,
    /// Entries that its tree has at least.
    pub published: u64,
    pub bundles: TileKind,
    /// Whether what stands in its bundles may be erased.
    pub may_withhold: bool,
}

impl Tiles {
    /// What is at this path; `None` where this face serves nothing there.
    fn read(&self, path: &TilePath) -> Result<Option<Vec<u8>>, ReadError> {
        if !matches!(path.kind, TileKind::Hashes(_)) && path.kind != self.bundles {
            return Ok(None);
        }
        // What nobody has published is not looked for. A checkpoint is there a moment before it is known here.
        let within = |size| {
            TilePath::in_tree(path.kind, path.number, size).is_some_and(|widest| path.width <= widest.width)
        };
        if !within(self.published) && !within(self.reader.size()?) {
            return Ok(None);
        }
        optional(self.reader.read_tile(path).map_err(ReadError::from))
    }
}

/// Answers with a tile.
pub(crate) async fn tile(tiles: Tiles, path: String, asked: &HeaderMap) -> Response {
    let path = TilePath::parse(&path);
    let changes = tiles.may_withhold && path.is_some_and(|path| path.kind == TileKind::Entries);
    let read = move || {
        let Some(path) = path else { return Ok(None) };
        let tagged = |bytes: Vec<u8>| (changes.then(|| tag(&bytes)), bytes);
        Ok(tiles.read(&path)?.map(tagged))
    };
    let known = asked.get_all(IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    let known: Vec<String> =
        known.flat_map(|tags| tags.split(',')).map(|tag| tag.trim().to_owned()).collect();
    let found = move |(tag, bytes): (Option<String>, Vec<u8>)| {
        let kind = [(CONTENT_TYPE, "application/octet-stream")];
        let Some(tag) = tag else { return (kind, [(CACHE_CONTROL, IMMUTABLE)], bytes).into_response() };
        // Compared weakly, as RFC 9110 §13.1.2 says.
        let is_known = known.iter().any(|known| known == "*" || known.trim_start_matches("W/") == tag);
        let headers = [(CACHE_CONTROL, ASK_AGAIN), (ETAG, tag.as_str())];
        if is_known {
            (StatusCode::NOT_MODIFIED, headers).into_response()
        } else {
            (kind, headers, bytes).into_response()
        }
    };
    answer(read, found, ("tile-unavailable", "there is no such tile")).await
}

/// A bundle's own: another one as soon as something in it is withheld.
fn tag(bytes: &[u8]) -> String {
    format!("\"{}\"", Hash::of(&[bytes]).to_hex())
}
