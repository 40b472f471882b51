//! Columns that a source takes from its first file instead of naming them.

use std::path::Path;

use indexmap::IndexMap;

use crate::definition::{Column, Entity, FileFormat, Origin, Source};
use crate::ids::EntityName;
use crate::source::infer::undeclared_columns;
use crate::value::ValueType;

/// The columns of the source's first file (by name) that it does not declare; keys of entities as text.
///
/// # Errors
/// Why they cannot be told, in words.
pub(super) fn infer(
    source: &Source,
    root: &Path,
    entities: &IndexMap<EntityName, Entity>,
) -> Result<Vec<Column>, String> {
    if source.format == FileFormat::Parquet {
        return Err("Parquet columns must be declared".to_owned());
    }
    let path = source.path.as_deref().ok_or("there is no `path`")?;
    let pattern = root.join(path);
    let mut files: Vec<_> = glob::glob(&pattern.to_string_lossy())
        .map_err(|error| error.to_string())?
        .filter_map(Result::ok)
        .filter(|file| file.is_file())
        .collect();
    files.sort();
    let first = files.first().ok_or_else(|| format!("no file fits `{path}`"))?;
    let mut columns = undeclared_columns(source, first).map_err(|error| error.to_string())?;
    for column in &mut columns {
        let is_key = entities.values().any(|entity| entity.key == column.name);
        if let (true, Origin::Read { format, .. }) = (is_key, &mut column.origin) {
            column.value_type = ValueType::Text;
            *format = None;
        }
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use crate::definition::Project;

    const TEXT: &str = "[project]\nname = \"x\"\n[entity.customer]\nkey = \"customer_id\"\n[source.orders]\npath = \"orders*.csv\"\nevent_time = \"ordered\"\ninfer = true\ncolumns = { unit_price = { type = \"float\", header = \"Price\" } }\ncompute = { amount = \"quantity * unit_price\" }\n";

    #[test]
    fn columns_of_the_first_file_join_the_declared_ones() {
        let folder = tempfile::tempdir().unwrap();
        let rows = "Customer ID,ordered,Quantity,Price\n17,2025-01-01,3,5\n18,2025-01-02,4,6\n";
        std::fs::write(folder.path().join("orders_1.csv"), rows).unwrap();
        let project = Project::parse(TEXT, folder.path()).unwrap();
        let told: Vec<String> = project.sources["orders"]
            .columns
            .iter()
            .map(|column| format!("{} {}", column.name, column.value_type))
            .collect();
        assert_eq!(
            told,
            ["unit_price float", "customer_id text", "ordered time", "quantity int", "amount float"]
        );
    }

    #[test]
    fn without_a_file_nothing_can_be_inferred() {
        let folder = tempfile::tempdir().unwrap();
        let found = Project::parse(TEXT, folder.path()).unwrap_err();
        let told = found[0].to_string();
        assert!(told.contains("8:9: columns cannot be inferred: no file fits `orders*.csv`"), "{told}");
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
