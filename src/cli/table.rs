//! What people read: tables with a heading, sizes in round numbers. Scripts take `--json`.

use comfy_table::{Table, presets};
use serde_json::Value;

/// A column: its heading, and the member that it shows.
pub type Column = (&'static str, &'static str);

/// Prints records as a table, or as they are.
pub fn records(records: &[Value], columns: &[Column], as_json: bool) {
    if as_json {
        println!("{:#}", Value::Array(records.to_vec()));
        return;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(columns.iter().map(|(heading, _)| heading.to_uppercase()));
    for record in records {
        table.add_row(columns.iter().map(|(_, member)| cell(member, &record[*member])));
    }
    println!("{}", trimmed(&table.to_string()));
}

/// Prints one record, a member in each line, or as it is.
pub fn record(record: &Value, as_json: bool) {
    if as_json {
        println!("{record:#}");
        return;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for (member, value) in record.as_object().into_iter().flatten() {
        if member != "files" && !value.is_null() {
            table.add_row([member.replace('_', " "), cell(member, value)]);
        }
    }
    println!("{}", trimmed(&table.to_string()));
    if let Some(files) = record["files"].as_array() {
        println!();
        records(files, &[("file", "name"), ("size", "size_bytes"), ("sha256", "sha256")], false);
    }
}

/// Lines without the spaces that fill the last column.
fn trimmed(text: &str) -> String {
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn cell(member: &str, value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) if member.ends_with("_bytes") => size(number.as_u64().unwrap_or(0)),
        Value::Array(values) => values.iter().map(|value| cell("", value)).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// A size in the largest unit of which there is one.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut whole, mut unit) = (bytes as f64, 0);
    while whole >= 1024.0 && unit + 1 < UNITS.len() {
        whole /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{whole:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_round() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1024), "1.0 KiB");
        assert_eq!(size(5 << 30), "5.0 GiB");
    }
}
