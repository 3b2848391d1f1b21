//! The rows of a report as an Apache Parquet file: one row group, one uncompressed PLAIN page for each column, none
//! nullable. What cannot be a number is NaN. Written here, as the form that rows need is a page of code and a library of
//! the format is a hundred crates.
//!
//! Columns, as in the CSV: `suite`, `name`, `metric`, `unit` (s, bytes, 1/s or 1), `n`, `median`, `low`, `high`, `commit`.
//! The file's key-value metadata have `workload`, `cpu`, `cores`, `memory`, and `version:PROGRAM` of others that took part.

use super::data::Data;

const MAGIC: &[u8] = b"PAR1";
/// Numbers of the format's types, repetitions and encodings (parquet.thrift).
const INT64: i64 = 2;
const DOUBLE: i64 = 5;
const BYTE_ARRAY: i64 = 6;
const REQUIRED: i64 = 0;
const UTF8: i64 = 0;
const PLAIN: i64 = 0;
const RLE: i64 = 3;

/// A column's values in the PLAIN encoding.
struct Column {
    name: &'static str,
    kind: i64,
    plain: Vec<u8>,
}

impl Column {
    fn texts<'a>(name: &'static str, values: impl Iterator<Item = &'a str>) -> Self {
        let mut plain = Vec::new();
        for value in values {
            plain.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
            plain.extend_from_slice(value.as_bytes());
        }
        Self { name, kind: BYTE_ARRAY, plain }
    }

    fn numbers(name: &'static str, values: impl Iterator<Item = Option<f64>>) -> Self {
        let plain = values.flat_map(|value| value.unwrap_or(f64::NAN).to_le_bytes()).collect();
        Self { name, kind: DOUBLE, plain }
    }

    fn counts(name: &'static str, values: impl Iterator<Item = usize>) -> Self {
        let plain = values.flat_map(|value| (value as u64).to_le_bytes()).collect();
        Self { name, kind: INT64, plain }
    }
}

/// The file.
pub(crate) fn file(data: &Data) -> Vec<u8> {
    let rows: Vec<_> =
        data.outcomes.iter().flat_map(|outcome| outcome.rows.iter().map(move |row| (outcome, row))).collect();
    let columns = [
        Column::texts("suite", rows.iter().map(|(outcome, _)| outcome.suite.as_str())),
        Column::texts("name", rows.iter().map(|(_, row)| row.name.as_str())),
        Column::texts("metric", rows.iter().map(|(_, row)| row.metric.as_str())),
        Column::texts("unit", rows.iter().map(|(_, row)| row.unit.as_str())),
        Column::counts("n", rows.iter().map(|(_, row)| row.n)),
        Column::numbers("median", rows.iter().map(|(_, row)| row.median)),
        Column::numbers("low", rows.iter().map(|(_, row)| row.low)),
        Column::numbers("high", rows.iter().map(|(_, row)| row.high)),
        Column::texts("commit", rows.iter().map(|(outcome, _)| outcome.commit.as_str())),
    ];
    let mut out = MAGIC.to_vec();
    let mut chunks = Vec::new();
    for column in &columns {
        let offset = out.len() as i64;
        page_header(column.plain.len() as i64, rows.len() as i64).write(&mut out);
        out.extend_from_slice(&column.plain);
        chunks.push(chunk(column, offset, out.len() as i64 - offset, rows.len() as i64));
    }
    let footer = metadata(data, &columns, chunks, rows.len() as i64, out.len() as i64);
    let start = out.len();
    footer.write(&mut out);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(MAGIC);
    out
}

fn page_header(bytes: i64, values: i64) -> Thrift {
    let data = Thrift::structure([
        (1, Thrift::I32(values)),
        (2, Thrift::I32(PLAIN)),
        (3, Thrift::I32(RLE)),
        (4, Thrift::I32(RLE)),
    ]);
    Thrift::structure([(1, Thrift::I32(0)), (2, Thrift::I32(bytes)), (3, Thrift::I32(bytes)), (5, data)])
}

fn chunk(column: &Column, offset: i64, bytes: i64, values: i64) -> Thrift {
    let metadata = Thrift::structure([
        (1, Thrift::I32(column.kind)),
        (2, Thrift::List(vec![Thrift::I32(PLAIN)])),
        (3, Thrift::List(vec![Thrift::text(column.name)])),
        (4, Thrift::I32(0)),
        (5, Thrift::I64(values)),
        (6, Thrift::I64(bytes)),
        (7, Thrift::I64(bytes)),
        (9, Thrift::I64(offset)),
    ]);
    Thrift::structure([(2, Thrift::I64(offset)), (3, metadata)])
}

fn metadata(data: &Data, columns: &[Column], chunks: Vec<Thrift>, rows: i64, bytes: i64) -> Thrift {
    let root = Thrift::structure([(4, Thrift::text("rows")), (5, Thrift::I32(columns.len() as i64))]);
    let leaf = |column: &Column| {
        let mut fields =
            vec![(1, Thrift::I32(column.kind)), (3, Thrift::I32(REQUIRED)), (4, Thrift::text(column.name))];
        if column.kind == BYTE_ARRAY {
            fields.push((6, Thrift::I32(UTF8)));
        }
        Thrift::structure(fields)
    };
    let schema = std::iter::once(root).chain(columns.iter().map(leaf)).collect();
    let group =
        Thrift::structure([(1, Thrift::List(chunks)), (2, Thrift::I64(bytes)), (3, Thrift::I64(rows))]);
    let machine = &data.first().machine;
    let mut facts = vec![
        ("workload".to_owned(), data.first().workload.clone()),
        ("cpu".to_owned(), machine.cpu.clone()),
        ("cores".to_owned(), machine.cores.to_string()),
        ("memory".to_owned(), machine.memory.to_string()),
    ];
    let versions = data.outcomes.iter().flat_map(|outcome| &outcome.versions);
    let versions: std::collections::BTreeMap<_, _> = versions.collect();
    facts.extend(versions.into_iter().map(|(name, version)| (format!("version:{name}"), version.clone())));
    let fact = |(key, value): (String, String)| {
        Thrift::structure([(1, Thrift::text(&key)), (2, Thrift::text(&value))])
    };
    Thrift::structure([
        (1, Thrift::I32(1)),
        (2, Thrift::List(schema)),
        (3, Thrift::I64(rows)),
        (4, Thrift::List(vec![group])),
        (5, Thrift::List(facts.into_iter().map(fact).collect())),
        (6, Thrift::text("sigveil-bench")),
    ])
}

/// A value in Thrift's compact protocol, as far as Parquet's metadata need it.
enum Thrift {
    I32(i64),
    I64(i64),
    Binary(Vec<u8>),
    /// Of values of one type, at least one.
    List(Vec<Self>),
    /// By field number, rising by at most 15.
    Struct(Vec<(u8, Self)>),
}

impl Thrift {
    fn text(text: &str) -> Self {
        Self::Binary(text.as_bytes().to_vec())
    }

    fn structure(fields: impl IntoIterator<Item = (u8, Self)>) -> Self {
        Self::Struct(fields.into_iter().collect())
    }

    /// The protocol's number of the type.
    fn kind(&self) -> u8 {
        match self {
            Self::I32(_) => 5,
            Self::I64(_) => 6,
            Self::Binary(_) => 8,
            Self::List(_) => 9,
            Self::Struct(_) => 12,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::I32(value) | Self::I64(value) => {
                varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned())
            }
            Self::Binary(bytes) => {
                varint(out, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
            Self::List(values) => {
                let kind = values.first().map_or(0, Self::kind);
                match u8::try_from(values.len()) {
                    Ok(few) if few < 15 => out.push(few << 4 | kind),
                    _ => {
                        out.push(0xf0 | kind);
                        varint(out, values.len() as u64);
                    }
                }
                values.iter().for_each(|value| value.write(out));
            }
            Self::Struct(fields) => {
                let mut last = 0;
                for (number, value) in fields {
                    out.push((number - last) << 4 | value.kind());
                    value.write(out);
                    last = *number;
                }
                out.push(0);
            }
        }
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::super::data::tests::outcome;
    use super::*;

    #[test]
    fn the_compact_protocol_is_as_its_specification_has_it() {
        let mut out = Vec::new();
        Thrift::structure([(1, Thrift::I32(-1)), (5, Thrift::text("ab")), (6, Thrift::I64(300))])
            .write(&mut out);
        assert_eq!(out, [0x15, 1, 0x48, 2, b'a', b'b', 0x16, 0xd8, 4, 0]);
        let mut long = Vec::new();
        Thrift::List((0..20).map(Thrift::I32).collect()).write(&mut long);
        assert_eq!(&long[..4], [0xf5, 20, 0, 2]);
    }

    /// Read by another implementation, if Python has one; else only the frame is looked at.
    #[test]
    fn another_reader_finds_the_rows() {
        let folder = tempfile::tempdir().unwrap();
        let rows = [("a,\"b\"", "p50", "s", 0.25), ("c", "p99", "bytes", 7.0)];
        std::fs::write(folder.path().join("log.json"), outcome("log", &rows).to_string()).unwrap();
        let bytes = file(&Data::read(folder.path()).unwrap());
        assert!(bytes.starts_with(MAGIC) && bytes.ends_with(MAGIC));
        let footer = u32::from_le_bytes(bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap());
        assert!((footer as usize) < bytes.len() - 12);
        let path = folder.path().join("rows.parquet");
        std::fs::write(&path, bytes).unwrap();
        let script = "import sys, pyarrow.parquet as p; t = p.read_table(sys.argv[1]); \
                      print(t.column_names, t.to_pydict()['name'], t.to_pydict()['median'])";
        let said = std::process::Command::new("python3").args(["-c", script]).arg(&path).output();
        let Some(said) =
            said.ok().filter(|said| !String::from_utf8_lossy(&said.stderr).contains("No module"))
        else {
            eprintln!("skipped: python3 has no pyarrow");
            return;
        };
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(
            text.contains("['a,\"b\"', 'c'] [0.25, 7.0]"),
            "{text} {}",
            String::from_utf8_lossy(&said.stderr)
        );
    }
}
