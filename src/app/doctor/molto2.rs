//! Whether the reader driver (libccid) knows the Molto2, which is its own reader. Older lists lack it; ids and names
//! stand in three arrays of the driver's `Info.plist`, bound together by their places (protocol page `molto2`).

use crate::face::{Check, Finding, Side};
use quick_xml::{Reader, events::Event};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const VENDOR: u32 = 0x349E;
const PRODUCT: u32 = 0x0300;

/// Where distributions put the driver's list. Some of these are links to another.
const LISTS: &[&str] = &[
    "/usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist",
    "/usr/lib64/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist",
    "/usr/local/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist",
    "/etc/libccid_Info.plist",
];

/// What there is.
#[derive(Debug)]
pub struct Facts {
    /// The driver's list that was found first, and what it holds.
    pub list: Option<(PathBuf, io::Result<Listed>)>,
    /// Whether a Molto2 hangs on USB right now.
    pub plugged_in: bool,
}

/// What a list says of the Molto2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// It is there.
    Yes,
    /// It is not.
    No,
    /// The arrays are of different length, or the file can't be made sense of: somebody's edit went wrong.
    Broken,
}

/// Looks for the driver's list and for a Molto2.
pub fn look() -> Facts {
    let found = LISTS.iter().map(PathBuf::from).find(|path| path.exists());
    let list = found.map(|path| {
        let listed = fs::read_to_string(&path).map(|text| listed(&text));
        (path, listed)
    });
    Facts { list, plugged_in: plugged_in(Path::new("/sys/bus/usb/devices")) }
}

fn plugged_in(devices: &Path) -> bool {
    let id = |device: &Path, name: &str| {
        let text = fs::read_to_string(device.join(name)).ok()?;
        u32::from_str_radix(text.trim(), 16).ok()
    };
    fs::read_dir(devices).into_iter().flatten().flatten().any(|entry| {
        let device = entry.path();
        (id(&device, "idVendor"), id(&device, "idProduct")) == (Some(VENDOR), Some(PRODUCT))
    })
}

/// What `plist`, the driver's `Info.plist`, says of the Molto2.
fn listed(plist: &str) -> Listed {
    let Some([vendors, products, names]) = arrays(plist) else { return Listed::Broken };
    if vendors.is_empty() || vendors.len() != products.len() || vendors.len() != names.len() {
        return Listed::Broken;
    }
    let number = |text: &String| u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok();
    let has = vendors
        .iter()
        .zip(&products)
        .any(|(vendor, product)| (number(vendor), number(product)) == (Some(VENDOR), Some(PRODUCT)));
    if has { Listed::Yes } else { Listed::No }
}

/// The strings of the three arrays; none where the text is no XML.
fn arrays(plist: &str) -> Option<[Vec<String>; 3]> {
    const KEYS: [&str; 3] = ["ifdVendorID", "ifdProductID", "ifdFriendlyName"];
    let mut found: [Vec<String>; 3] = Default::default();
    let mut reader = Reader::from_str(plist);
    let (mut key, mut text) = (String::new(), String::new());
    loop {
        match reader.read_event().ok()? {
            Event::Start(_) => text.clear(),
            Event::Text(part) => text.push_str(&part),
            Event::GeneralRef(_) => text.push('?'),
            Event::End(tag) => match tag.name().as_ref() {
                "key" => key = std::mem::take(&mut text),
                "string" => {
                    if let Some(at) = KEYS.iter().position(|known| *known == key.trim()) {
                        found[at].push(std::mem::take(&mut text));
                    }
                }
                _ => {}
            },
            Event::Eof => return Some(found),
            _ => {}
        }
    }
}

/// What it means.
pub fn judge(side: Side, facts: &Facts) -> Finding {
    let check = Check::Molto2;
    let lost = if facts.plugged_in {
        "the Molto2 that is plugged in is not seen"
    } else {
        "a Molto2 that is plugged in will not be seen"
    };
    let finding = |found: String, remedy: String| {
        if facts.plugged_in {
            Finding::fail(side, check, found, lost, remedy)
        } else {
            Finding::warn(side, check, found, lost, remedy)
        }
    };
    let Some((path, listed)) = &facts.list else {
        return finding(
            "the driver for USB readers (libccid) is not installed".into(),
            "install it: apt install libccid (Fedora: dnf install pcsc-lite-ccid)".into(),
        );
    };
    let path = path.display();
    match listed {
        Ok(Listed::Yes) => Finding::ok(side, check, "the reader driver (libccid) knows the Molto2"),
        Ok(Listed::No) => finding(
            format!("{path} does not list the Molto2 (349E:0300)"),
            format!(
                "update libccid; where that is impossible, add each of the lines below to {path} as the last of the \
                 array that it names, so that all three have the same place; then: systemctl restart pcscd"
            ),
        )
        .with_lines([
            "<!-- ifdVendorID -->     <string>0x349E</string>",
            "<!-- ifdProductID -->    <string>0x0300</string>",
            "<!-- ifdFriendlyName --> <string>TOKEN2 Molto2</string>",
        ]),
        Ok(Listed::Broken) => finding(
            format!("the arrays ifdVendorID, ifdProductID and ifdFriendlyName in {path} do not match"),
            "put the original back (apt install --reinstall -o Dpkg::Options::=--force-confnew libccid), then add \
             what is needed at the same place in all three"
                .into(),
        ),
        Err(error) => finding(
            format!("{path} cannot be read: {error}"),
            "make it readable for everybody: chmod a+r on it".into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::Health;

    fn plist(vendors: &[&str], products: &[&str], names: &[&str]) -> String {
        let array = |key: &str, of: &[&str]| {
            let strings: String = of.iter().map(|s| format!("<string>{s}</string>\n")).collect();
            format!("<key>{key}</key>\n<array>\n<!-- <string>0x349E</string> -->\n{strings}</array>\n")
        };
        format!(
            "<?xml version=\"1.0\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple\" \"x\">\n<plist version=\"1.0\"><dict>\n\
             <key>CFBundleName</key><string>CCIDCLASSDRIVER</string>\n{}{}{}</dict></plist>\n",
            array("ifdVendorID", vendors),
            array("ifdProductID", products),
            array("ifdFriendlyName", names)
        )
    }

    #[test]
    fn the_molto2_is_known_by_both_ids_at_one_place() {
        let names = ["A &amp; B", "TOKEN2 Molto2"];
        assert_eq!(listed(&plist(&["0x08E6", "0x349E"], &["0x3437", "0x0300"], &names)), Listed::Yes);
        assert_eq!(listed(&plist(&["0x08e6", "0x349e"], &["0x3437", "0x300"], &names)), Listed::Yes);
        assert_eq!(listed(&plist(&["0x349E", "0x08E6"], &["0x3437", "0x0300"], &names)), Listed::No);
        assert_eq!(listed(&plist(&["0x349E", "0x08E6"], &["0x0013", "0x3437"], &names)), Listed::No);
    }

    #[test]
    fn arrays_out_of_step_are_told_as_such() {
        assert_eq!(listed(&plist(&["0x349E"], &["0x0300"], &["A", "B"])), Listed::Broken);
        assert_eq!(listed(&plist(&["0x349E", "0x08E6"], &["0x0300"], &["A", "B"])), Listed::Broken);
        assert_eq!(listed("<plist><dict><key>"), Listed::Broken);
        assert_eq!(listed("no plist"), Listed::Broken);
    }

    #[test]
    fn a_missing_entry_fails_when_a_molto2_hangs_there() {
        let judged = |listed, plugged_in| {
            judge(Side::Station, &Facts { list: Some(("/etc/l".into(), Ok(listed))), plugged_in })
        };
        assert_eq!(judged(Listed::Yes, true).health, Health::Ok);
        assert_eq!(judged(Listed::No, false).health, Health::Warn);
        let missing = judged(Listed::No, true);
        assert_eq!((missing.health, missing.lines.len()), (Health::Fail, 3));
        for (line, (array, value)) in missing.lines.iter().zip([
            ("ifdVendorID", "0x349E"),
            ("ifdProductID", "0x0300"),
            ("ifdFriendlyName", "TOKEN2 Molto2"),
        ]) {
            assert!(line.contains(array) && line.ends_with(&format!("<string>{value}</string>")), "{line}");
        }
        assert_eq!(judged(Listed::Broken, true).health, Health::Fail);
        let none = judge(Side::Station, &Facts { list: None, plugged_in: false });
        assert!(none.remedy.unwrap().contains("apt install libccid"));
    }

    #[test]
    fn the_lines_that_are_printed_make_the_driver_know_it() {
        let facts = Facts { list: Some(("/etc/l".into(), Ok(Listed::No))), plugged_in: true };
        let lines = judge(Side::Client, &facts).lines;
        let strings: Vec<String> = arrays(&format!("<key>ifdVendorID</key>{}", lines.join("")))
            .map(|[strings, ..]| strings)
            .unwrap();
        let [vendor, product, name] = &strings[..] else { panic!("{strings:?}") };
        assert_eq!(listed(&plist(&["1", vendor], &["2", product], &["A", name])), Listed::Yes);
    }

    #[test]
    fn a_molto2_on_usb_is_found_by_its_ids() {
        let devices = tempfile::tempdir().unwrap();
        for (device, vendor, product) in [("1-1", "349e\n", "0013\n"), ("1-2", "046d\n", "0300\n")] {
            let dir = devices.path().join(device);
            fs::create_dir(&dir).unwrap();
            fs::write(dir.join("idVendor"), vendor).unwrap();
            fs::write(dir.join("idProduct"), product).unwrap();
        }
        assert!(!plugged_in(devices.path()));
        fs::write(devices.path().join("1-1/idProduct"), "0300\n").unwrap();
        assert!(plugged_in(devices.path()));
        assert!(!plugged_in(Path::new("/not/there")));
    }
}
