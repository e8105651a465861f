//! A list of serials (an order confirmation, a delivery note): one in each line, or a table whose header names the
//! column. What it says is compared with a seed file.

use super::{
    BadLine, Field, FileError, Place, Problem,
    row::{self, clean, is_scientific},
    text,
};
use crate::domain::Serial;
use std::collections::HashMap;

/// The serials of a list, in its order, and what is wrong with its other lines.
#[derive(Debug)]
pub struct SerialList {
    /// The serials.
    pub serials: Vec<Serial>,
    /// The lines that hold none.
    pub bad: Vec<BadLine>,
}

/// Reads such a list. Blank lines, and lines that begin with `#`, are passed over.
pub fn read(bytes: &[u8]) -> Result<SerialList, FileError> {
    if bytes.len() > super::MAX_FILE_BYTES {
        return Err(FileError::TooLarge { bytes: bytes.len() });
    }
    if let Some(content) = super::recognise::binary(bytes) {
        return Err(FileError::Unreadable { content });
    }
    let (text, _) = text::decode(bytes)?;
    let mut list = SerialList { serials: Vec::new(), bad: Vec::new() };
    let mut first_places = HashMap::new();
    let mut column = None;
    let data = |line: &str| !line.is_empty() && !line.starts_with('#');
    for (place, line) in (1..).map(Place::Line).zip(text.lines()).filter(|(_, line)| data(clean(line))) {
        let separator =
            [',', ';', '\t'].into_iter().find(|separator| line.contains(*separator)).unwrap_or(',');
        let Ok(cells) = row::split(line, separator) else {
            list.bad.push(BadLine { place, field: None, problem: Problem::Quote });
            continue;
        };
        if column.is_none() {
            let named = cells.iter().position(|cell| is_serial_name(cell));
            column = Some(named.unwrap_or(0));
            if named.is_some() {
                continue;
            }
        }
        let cell = cells.get(column.unwrap_or(0)).map_or("", |cell| cell.as_str());
        let problem = match cell.parse::<Serial>() {
            _ if cell.is_empty() => Problem::Empty,
            _ if is_scientific(cell) => Problem::RoundedSerial,
            Err(_) => Problem::Serial,
            Ok(serial) => match first_places.get(&serial) {
                Some(other) => Problem::SerialTwice { other: *other },
                None => {
                    first_places.insert(serial.clone(), place);
                    list.serials.push(serial);
                    continue;
                }
            },
        };
        list.bad.push(BadLine { place, field: Some(Field::Serial), problem });
        if list.bad.len() > super::MAX_LINES {
            return Err(FileError::TooManyLines);
        }
    }
    if list.serials.is_empty() && list.bad.is_empty() { Err(FileError::NoLines) } else { Ok(list) }
}

pub(super) fn is_serial_name(cell: &str) -> bool {
    let folded: String =
        cell.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).take(24).collect();
    matches!(folded.as_str(), "serial" | "serialnumber" | "serialno" | "serials" | "sn" | "tokenserial")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serials(text: &str) -> Vec<String> {
        let list = read(text.as_bytes()).unwrap();
        assert_eq!(list.bad, [], "{text}");
        list.serials.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn serials_stand_in_lines_or_in_the_column_of_their_name() {
        let expected = ["0012345678901", "0012345678902"];
        for text in [
            "0012345678901\r\n\r\n0012345678902\r\n",
            "# order 17\nSerial Number\n0012345678901\n0012345678902",
            "model;serial\nC301;0012345678901\nC301;\"0012345678902\"\n",
            "0012345678901,C301\n0012345678902,C301\n",
        ] {
            assert_eq!(serials(text), expected, "{text}");
        }
    }

    #[test]
    fn spoiled_and_repeated_serials_are_named() {
        let list = read(b"1000\n8.65962E+13\n1 2\n1000\n").unwrap();
        let found: Vec<_> = list.bad.iter().map(|bad| (bad.place.number(), bad.problem.clone())).collect();
        let twice = Problem::SerialTwice { other: Place::Line(1) };
        assert_eq!(found, [(2, Problem::RoundedSerial), (3, Problem::Serial), (4, twice)]);
        assert_eq!(read(b"# nothing\n").unwrap_err(), FileError::NoLines);
    }
}
