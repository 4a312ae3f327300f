//! Columns of text for people.

use serde_json::Value;

use crate::say::say;

/// Rows as lines, each column as wide as its widest cell. The last one is not padded.
pub(crate) fn lines<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    rows.iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

/// Prints rows.
pub(crate) fn print<const N: usize>(rows: &[[String; N]]) {
    for line in lines(rows) {
        say!("{line}");
    }
}

/// A value as a cell. Nothing in it moves a terminal's cursor.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        other => other.to_string(),
    }
    .replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [["a", "longer", "x"], ["größer", "b", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(lines(&rows), ["a       longer  x", "größer  b"]);
    }
}
