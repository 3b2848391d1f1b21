//! The rows of a report as an Apache Parquet file. What cannot be a number is NaN.
//!
//! Columns, as in the CSV: `suite`, `name`, `metric`, `unit` (s, bytes, 1/s or 1), `n`, `median`, `low`, `high`, `commit`.
//! The file's key-value metadata have `workload`, `cpu`, `cores`, `memory`, and `version:PROGRAM` of others that took part.

use std::collections::BTreeMap;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::Result;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::data::{Data, Recorded, Row};

const SCHEMA: &str = "message rows {
    required binary suite (UTF8);
    required binary name (UTF8);
    required binary metric (UTF8);
    required binary unit (UTF8);
    required int64 n;
    required double median;
    required double low;
    required double high;
    required binary commit (UTF8);
}";

/// The file: one row group, none of its columns nullable.
pub(crate) fn file(data: &Data) -> Result<Vec<u8>> {
    let properties = WriterProperties::builder()
        .set_created_by("sigveil-bench".to_owned())
        .set_key_value_metadata(Some(facts(data)))
        .build();
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    let rows = Rows(data.outcomes.iter().flat_map(|of| of.rows.iter().map(move |row| (of, row))).collect());
    let mut group = file.next_row_group()?;
    // In the order of the schema.
    rows.texts(&mut group, |(of, _)| &of.suite)?;
    rows.texts(&mut group, |(_, row)| &row.name)?;
    rows.texts(&mut group, |(_, row)| &row.metric)?;
    rows.texts(&mut group, |(_, row)| &row.unit)?;
    rows.column::<Int64Type>(&mut group, |(_, row)| row.n as i64)?;
    rows.column::<DoubleType>(&mut group, |(_, row)| row.median.unwrap_or(f64::NAN))?;
    rows.column::<DoubleType>(&mut group, |(_, row)| row.low.unwrap_or(f64::NAN))?;
    rows.column::<DoubleType>(&mut group, |(_, row)| row.high.unwrap_or(f64::NAN))?;
    rows.texts(&mut group, |(of, _)| &of.commit)?;
    group.close()?;
    file.into_inner()
}

/// Rows, each with the outcome that it is of.
struct Rows<'a>(Vec<(&'a Recorded, &'a Row)>);

type Group<'w> = SerializedRowGroupWriter<'w, Vec<u8>>;

impl<'a> Rows<'a> {
    fn texts(
        &self,
        group: &mut Group<'_>,
        value: impl Fn(&(&'a Recorded, &'a Row)) -> &'a str,
    ) -> Result<()> {
        self.column::<ByteArrayType>(group, |row| ByteArray::from(value(row)))
    }

    /// Writes the schema's next column.
    fn column<T: DataType>(
        &self,
        group: &mut Group<'_>,
        value: impl Fn(&(&'a Recorded, &'a Row)) -> T::T,
    ) -> Result<()> {
        let values: Vec<T::T> = self.0.iter().map(value).collect();
        let mut column = group.next_column()?.expect("as many columns as the schema has");
        column.typed::<T>().write_batch(&values, None, None)?;
        column.close()
    }
}

fn facts(data: &Data) -> Vec<KeyValue> {
    let first = data.first();
    let mut facts = BTreeMap::from([
        ("workload".to_owned(), first.workload.clone()),
        ("cpu".to_owned(), first.machine.cpu.clone()),
        ("cores".to_owned(), first.machine.cores.to_string()),
        ("memory".to_owned(), first.machine.memory.to_string()),
    ]);
    let versions = data.outcomes.iter().flat_map(|outcome| &outcome.versions);
    facts.extend(versions.map(|(name, version)| (format!("version:{name}"), version.clone())));
    facts.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::super::data::tests::outcome;
    use super::*;
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    #[test]
    fn a_reader_finds_the_rows_the_types_and_the_facts() {
        let folder = tempfile::tempdir().unwrap();
        let figures = [("a,\"b\"", "p50", "s", 0.25), ("ç", "p99", "bytes", 7.0)];
        let mut written = outcome("log", &figures);
        written["rows"][1]["low"] = serde_json::Value::Null;
        std::fs::write(folder.path().join("log.json"), written.to_string()).unwrap();
        let path = folder.path().join("rows.parquet");
        std::fs::write(&path, file(&Data::read(folder.path()).unwrap()).unwrap()).unwrap();

        let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(
            rows[0].to_string(),
            "{suite: \"log\", name: \"a,\"b\"\", metric: \"p50\", unit: \"s\", n: 6, median: 0.25, low: 0.225, \
             high: 0.275, commit: \"abc\"}"
        );
        assert!(
            rows[1]
                .to_string()
                .contains("name: \"ç\", metric: \"p99\", unit: \"bytes\", n: 6, median: 7.0, low: NaN")
        );
        assert_eq!(rows.len(), 2);
        let facts = reader.metadata().file_metadata().key_value_metadata().unwrap();
        let facts: Vec<_> =
            facts.iter().map(|fact| (fact.key.as_str(), fact.value.as_deref().unwrap())).collect();
        let expected = [
            ("cores", "2"),
            ("cpu", "<x>"),
            ("memory", "1"),
            ("version:rekor2", "v2"),
            ("workload", "quick"),
        ];
        assert_eq!(facts, expected);
    }
}
