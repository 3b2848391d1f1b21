//! How many rows each gadget costs, as `docs/constraints.md` has it.
//!
//! The page also pins the shapes: a test holds it equal to what the circuits are. It changes only on purpose, by
//! `cargo run --release -p sigveil-circuits --example constraints > docs/constraints.md`.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::keys::Statement;
use crate::token::{Class, SizeClass};

/// The page.
#[must_use]
pub fn page() -> String {
    let tokens = SizeClass::ALL.map(|size| Statement::Token(Class::rsa2048(size)));
    let columns: Vec<Column> =
        [Statement::Nym, Statement::Query].into_iter().chain(tokens).map(Column::of).collect();
    let mut page = String::from(
        "# Constraints\n\nRows of each statement's circuit by the family that owns them, made by\n\
         `cargo run --release -p sigveil-circuits --example constraints > docs/constraints.md`; a test holds this page\n\
         equal to the circuits. Entries are those of the three matrices. Larger moduli change only `rsa.*` and `poseidon`.\n\n",
    );
    let families: BTreeSet<_> = columns.iter().flat_map(|column| column.families.keys()).collect();
    let mut line = |name: &str, cell: &dyn Fn(&Column) -> String| {
        let cells: Vec<String> = columns.iter().map(cell).collect();
        let _ = writeln!(page, "| {name} | {} |", cells.join(" | "));
    };
    line("family", &|column| format!("`{}`", column.statement));
    line("---", &|_| "---:".to_owned());
    for family in families {
        line(&format!("`{family}`"), &|column| {
            column.families.get(family).map_or_else(String::new, |rows| grouped(*rows))
        });
    }
    line("**rows**", &|column| format!("**{}**", grouped(column.rows)));
    line("variables", &|column| grouped(column.variables));
    line("entries", &|column| grouped(column.entries));
    page.push_str("\nSHA-256 of the shapes:\n\n");
    for column in &columns {
        let _ = writeln!(page, "- `{}` {}", column.statement, column.digest);
    }
    page
}

/// What one statement costs.
struct Column {
    statement: Statement,
    families: std::collections::BTreeMap<&'static str, usize>,
    rows: usize,
    variables: usize,
    entries: usize,
    digest: String,
}

impl Column {
    fn of(statement: Statement) -> Self {
        let shape = statement.shape();
        Self {
            statement,
            families: shape.rows_per_family(),
            rows: shape.constraints(),
            variables: shape.witnesses(),
            entries: shape.rows().iter().flatten().map(|form| form.terms().len()).sum(),
            digest: hex::encode(shape.digest()),
        }
    }
}

/// Decimal, with a comma before every third digit from the end.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let (first, rest) = digits.split_at((digits.len() - 1) % 3 + 1);
    rest.as_bytes().chunks(3).fold(first.to_owned(), |out, group| out + "," + &String::from_utf8_lossy(group))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    #[test]
    fn digits_are_grouped() {
        let numbers = [0, 12, 999, 1_000, 123_456, 1_234_567];
        assert_eq!(
            numbers.map(super::grouped),
            ["0", "12", "999", "1,000", "123,456", "1,234,567"].map(str::to_owned)
        );
    }

    /// Sizes change only on purpose: a row fewer may be a check less.
    #[test]
    fn the_page_is_what_the_circuits_are() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/constraints.md");
        assert!(super::page() == std::fs::read_to_string(path).unwrap(), "make docs/constraints.md anew");
    }
}
