//! A page of QR codes for print: HTML that stands alone, eight codes on an A4 or Letter page, each with the serial and
//! the user it is for. It holds the seeds as surely as a file of key URIs does.

use super::{OutRow, Sheet};
use crate::domain::qr::{Modules, QUIET, Sturdiness};
use std::fmt::Write as _;
use zeroize::Zeroizing;

/// The most codes on one sheet: 250 pages of print.
pub const MOST: usize = 2_000;

/// The most bytes that the picture of one QR code has: half of the modules of the largest (177 on a side, and the quiet
/// zone) could begin a run, each some 14 bytes.
const PICTURE: usize = 240_000;

const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>QR codes</title>\n<style>\n\
    @page { margin: 12mm }\n\
    body { font: 11pt/1.35 \"Liberation Sans\", \"DejaVu Sans\", Arial, sans-serif; color: #000; background: #fff; margin: 0 }\n\
    .warning { border: 1.5pt solid #000; padding: 2mm 4mm; margin: 0 0 5mm; font-weight: bold }\n\
    .codes { display: grid; grid-template-columns: repeat(2, 1fr); gap: 4mm }\n\
    figure { margin: 0; padding: 3mm; border: .5pt solid #999; break-inside: avoid; display: flex; gap: 3mm; align-items: center }\n\
    figure svg { width: 44mm; height: 44mm; flex: none }\n\
    figcaption { overflow-wrap: anywhere; min-width: 0 }\n\
    .serial { font-weight: bold; font-size: 12pt }\n\
    </style>\n</head>\n<body>\n\
    <p class=\"warning\">Each of these codes is a seed: whoever sees it can make that token&#39;s codes. \
    Hand out one by one; destroy what is left over.</p>\n<div class=\"codes\">\n";

/// The row's key URI as a QR code; `None` where it is too long for any.
pub(super) fn modules(row: &OutRow<'_>) -> Option<Modules> {
    Modules::encode(&row.key_uri(), Sturdiness::Print, QUIET)
}

/// The dark modules as one path, runs row by row.
pub(super) fn path(modules: &Modules) -> Zeroizing<String> {
    let side = modules.side();
    let mut path = Zeroizing::new(String::with_capacity(PICTURE));
    path.push_str("<path fill=\"#000\" d=\"");
    for y in 0..side {
        let mut x = 0;
        while x < side {
            let run = (x..side).take_while(|x| modules.is_dark(*x, y)).count();
            if run > 0 {
                // Writing to a string does not fail.
                let _ = write!(path, "M{x} {y}h{run}v1H{x}z");
            }
            x += run.max(1);
        }
    }
    path.push_str("\"/>");
    path
}

/// The page. Rows whose URI is too long were refused before.
pub(super) fn write(rows: &[OutRow<'_>]) -> Zeroizing<Vec<u8>> {
    let codes: Vec<Modules> = rows.iter().filter_map(modules).collect();
    let pictures: Vec<Zeroizing<String>> = codes.iter().map(path).collect();
    let room = pictures.iter().map(|picture| picture.len()).sum::<usize>();
    let mut sheet = Sheet::for_rows(HEAD.len() + 64 + room, 480, 7, rows);
    sheet.push(HEAD);
    for (row, (code, picture)) in rows.iter().zip(codes.iter().zip(&pictures)) {
        let side = code.side().to_string();
        let head =
            "<figure><svg xmlns=\"http://www.w3.org/2000/svg\" shape-rendering=\"crispEdges\" viewBox=\"0 0 ";
        sheet.all(&[head, &side, " ", &side, "\">", picture, "</svg><figcaption><div class=\"serial\">"]);
        sheet.push(row.serial.as_str());
        sheet.push("</div>");
        let number = row.profile.to_string();
        let title = row.title.unwrap_or("");
        for (label, text) in [("profile ", number.as_str()), ("", title), ("", row.user().unwrap_or(""))] {
            // A token with one profile that has no title needs no number.
            if text.is_empty() || (!label.is_empty() && title.is_empty() && row.profile.number() == 0) {
                continue;
            }
            sheet.all(&["<div>", label]);
            sheet.xml(text);
            sheet.push("</div>");
        }
        sheet.push("</figcaption></figure>\n");
    }
    sheet.push("</div>\n</body>\n</html>\n");
    sheet.done()
}
