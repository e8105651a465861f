//! Deepnet's files. Of `tseeds.csv` and `hseeds.csv` no public page shows the columns; two columns, serial and seed,
//! without a header, are what its programming tool loads. The XML is the publisher's current form, which states nothing
//! but serial and seed: what kind of token it is, its server knows by the product code.

use super::{DeepnetKind, OutRow, Sheet};
use crate::{domain::seed_text::Encoding, formats::dualshield::TIME_BASED_PRODUCT};
use zeroize::Zeroizing;

/// What stands in the header of a DualShield XML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DualShieldCodes {
    /// The manufacturer's code; `DN` is Deepnet.
    pub manufacturer: String,
    /// The product's code. `ST` is SafeID, time-based; the other codes are not published.
    pub product: String,
    /// What kind of tokens the product code stands for.
    pub kind: DeepnetKind,
}

impl Default for DualShieldCodes {
    fn default() -> Self {
        Self { manufacturer: "DN".into(), product: TIME_BASED_PRODUCT.into(), kind: DeepnetKind::Time }
    }
}

pub(super) fn csv(rows: &[OutRow<'_>], encoding: Encoding) -> Zeroizing<Vec<u8>> {
    let mut sheet = Sheet::for_rows(0, 16, 1, rows);
    for row in rows {
        sheet.all(&[row.serial.as_str(), ","]);
        sheet.seed(row.seed, encoding);
        sheet.push("\r\n");
    }
    sheet.done()
}

pub(super) fn xml(rows: &[OutRow<'_>], codes: &DualShieldCodes) -> Zeroizing<Vec<u8>> {
    let head = 512 + 6 * (codes.manufacturer.len() + codes.product.len());
    let mut sheet = Sheet::for_rows(head, 96, 1, rows);
    sheet.push("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<data>\n  <header>\n    <manufacturerCode>");
    sheet.xml(&codes.manufacturer);
    sheet.push("</manufacturerCode>\n    <productCode>");
    sheet.xml(&codes.product);
    sheet.push(
        "</productCode>\n    <encode>HEX</encode>\n    <encrypt>NONE</encrypt>\n  </header>\n  <tokens>\n",
    );
    for row in rows {
        sheet.all(&["    <token><serial>", row.serial.as_str(), "</serial><seed>"]);
        sheet.seed(row.seed, Encoding::Hex);
        sheet.push("</seed></token>\n");
    }
    sheet.push("  </tokens>\n</data>\n");
    sheet.done()
}
