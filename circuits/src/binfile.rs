//! The container of the iden3 tools: what `.r1cs`, `.wtns` and `.ptau` files are.
//!
//! ```text
//! type, 4 bytes of ASCII; version, u32; number of sections, u32
//! then each section: its number, u32; its length in bytes, u64; its bytes
//! ```
//!
//! All numbers are little-endian. Field elements are 32 bytes, little-endian: as they are in `.r1cs` and `.wtns`,
//! times 2^256 (Montgomery's form) in the points of a `.ptau`.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};

use ark_ff::{BigInteger, PrimeField};

/// More sections than any of these formats has.
const MAX_SECTIONS: u32 = 64;

/// Why a container was not read.
#[derive(Debug)]
pub(crate) enum Error {
    /// It is not what it should be.
    Malformed(&'static str),
    /// It cannot be read.
    Io(io::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        // Lengths are compared with the file's before a section is read: it was cut meanwhile.
        if error.kind() == io::ErrorKind::UnexpectedEof {
            Self::Malformed("truncated")
        } else {
            Self::Io(error)
        }
    }
}

/// A container whose table of sections was read and fits its length.
pub(crate) struct Container<R> {
    inner: R,
    sections: BTreeMap<u32, Place>,
}

#[derive(Clone, Copy)]
struct Place {
    offset: u64,
    length: u64,
}

impl<R: Read + Seek> Container<R> {
    /// Reads the table of sections.
    pub(crate) fn open(mut inner: R, kind: &[u8; 4], version: u32) -> Result<Self, Error> {
        let length = inner.seek(SeekFrom::End(0))?;
        inner.rewind()?;
        let mut magic = [0; 4];
        inner.read_exact(&mut magic)?;
        if magic != *kind {
            return Err(Error::Malformed("a file of another type"));
        }
        if read_u32(&mut inner)? != version {
            return Err(Error::Malformed("of another version"));
        }
        let count = read_u32(&mut inner)?;
        if count > MAX_SECTIONS {
            return Err(Error::Malformed("too many sections"));
        }
        let mut sections = BTreeMap::new();
        let mut offset = 12;
        for _ in 0..count {
            let number = read_u32(&mut inner)?;
            let place = Place { offset: offset + 12, length: read_u64(&mut inner)? };
            let end = place.offset.checked_add(place.length).filter(|end| *end <= length);
            offset = end.ok_or(Error::Malformed("truncated"))?;
            if sections.insert(number, place).is_some() {
                return Err(Error::Malformed("a section stands twice"));
            }
            inner.seek(SeekFrom::Start(offset))?;
        }
        if offset != length {
            return Err(Error::Malformed("trailing bytes"));
        }
        Ok(Self { inner, sections })
    }

    /// The numbers of the sections.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.sections.keys().copied()
    }

    /// The length of a section in bytes.
    pub(crate) fn length(&self, number: u32) -> Result<u64, Error> {
        Ok(self.place(number)?.length)
    }

    /// The first `length` bytes of a section.
    pub(crate) fn head(&mut self, number: u32, length: u64) -> Result<io::Take<&mut R>, Error> {
        let place = self.place(number)?;
        if place.length < length {
            return Err(Error::Malformed("a section is too short"));
        }
        self.inner.seek(SeekFrom::Start(place.offset))?;
        Ok(self.inner.by_ref().take(length))
    }

    /// A whole section, of at most `limit` bytes.
    pub(crate) fn whole(&mut self, number: u32, limit: u64) -> Result<Vec<u8>, Error> {
        let length = self.length(number)?;
        if length > limit {
            return Err(Error::Malformed("a section is too long"));
        }
        let mut bytes = vec![0; length as usize];
        self.head(number, length)?.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn place(&self, number: u32) -> Result<Place, Error> {
        self.sections.get(&number).copied().ok_or(Error::Malformed("a section is missing"))
    }
}

/// Writes the head of a container.
pub(crate) fn begin(out: &mut impl Write, kind: &[u8; 4], version: u32, sections: u32) -> io::Result<()> {
    out.write_all(kind)?;
    out.write_all(&version.to_le_bytes())?;
    out.write_all(&sections.to_le_bytes())
}

/// Writes the head of a section; `length` bytes follow.
pub(crate) fn section(out: &mut impl Write, number: u32, length: u64) -> io::Result<()> {
    out.write_all(&number.to_le_bytes())?;
    out.write_all(&length.to_le_bytes())
}

/// Reads a number.
pub(crate) fn read_u32(from: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// Reads a number.
pub(crate) fn read_u64(from: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// The 32 bytes of a field element as it is.
pub(crate) fn field_bytes<F: PrimeField>(element: &F) -> Vec<u8> {
    element.into_bigint().to_bytes_le()
}

/// The field's modulus: what the header of each of these files names.
pub(crate) fn modulus<F: PrimeField>() -> Vec<u8> {
    F::MODULUS.to_bytes_le()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn no_more_of_a_section_is_read_than_there_is_or_than_is_allowed() {
        let mut file = Vec::new();
        begin(&mut file, b"test", 1, 1).unwrap();
        section(&mut file, 7, 3).unwrap();
        file.extend([1, 2, 3]);
        let mut container = Container::open(Cursor::new(&file), b"test", 1).unwrap();
        assert_eq!(container.whole(7, 3).unwrap(), [1, 2, 3]);
        let why = |error: Error| match error {
            Error::Malformed(why) => why,
            Error::Io(error) => panic!("{error}"),
        };
        assert_eq!(why(container.whole(7, 2).unwrap_err()), "a section is too long");
        assert_eq!(why(container.head(7, 4).err().unwrap()), "a section is too short");
        assert_eq!(why(container.length(8).unwrap_err()), "a section is missing");
        // Cut after its table was read, by whoever else writes to it.
        let mut container = Container { inner: Cursor::new(&file[..26]), sections: container.sections };
        assert_eq!(why(container.whole(7, 3).unwrap_err()), "truncated");
    }
}
