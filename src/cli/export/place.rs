//! The place of an export: a file, or a directory of pictures, with the checksums and the audit anchor beside it. Whole or
//! not at all, for this account alone, and never over another.

use super::{
    pictures,
    protect::{Protection, Seal},
};
use crate::{
    cli::{
        CliError, batch_report,
        files::{Overwrite, create, may_create},
        table::count,
    },
    domain::UnixTime,
    face::{AuditHead, BatchReport, Exported, SecretBytes},
    formats::MAX_FILE_BYTES,
};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Where an export goes, other than to standard output.
#[derive(Debug, Clone)]
pub enum Place {
    /// Into a file.
    File(PathBuf),
    /// Into a directory, a picture for each line.
    Pictures(PathBuf),
}

impl Place {
    fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Pictures(path) => path,
        }
    }

    /// Refuses what could not be written, as far as that can be known beforehand.
    pub(super) fn may_be_written(&self, overwrite: Overwrite) -> Result<(), CliError> {
        match self {
            Self::File(file) => {
                may_create(file, overwrite)?;
                may_create(&checksum_name(file), overwrite)?;
            }
            Self::Pictures(dir) => may_create(&dir.join(pictures::SUMS), overwrite)?,
        }
        Ok(())
    }

    /// Protects and writes it with what lies beside it.
    pub(super) fn write(
        &self,
        content: SecretBytes,
        protection: &Protection,
        anchor: &AuditHead,
        overwrite: Overwrite,
    ) -> Result<Put, CliError> {
        match self {
            Self::File(file) => {
                let ready = protection.seal(content)?;
                let put = Put::of(ready.bytes());
                create(file, ready.bytes(), overwrite)?;
                let beside = format!("{}{}", checksum_line(&put.sha256, file), anchor_line(anchor));
                create(&checksum_name(file), beside.as_bytes(), overwrite)?;
                Ok(put)
            }
            Self::Pictures(dir) => {
                let sums = pictures::write(&content, dir, protection, overwrite)?;
                let sums = format!("{sums}{}", anchor_line(anchor));
                create(&dir.join(pictures::SUMS), sums.as_bytes(), overwrite)?;
                Ok(Put::of(sums.as_bytes()))
            }
        }
    }
}

/// A file that was written; of pictures, their list.
pub(super) struct Put {
    pub sha256: String,
    len_bytes: usize,
}

impl Put {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { sha256: digest(bytes), len_bytes: bytes.len() }
    }

    /// What to know of a file that kiln itself could not read again.
    pub(super) fn too_long_to_read(&self) -> Option<String> {
        (self.len_bytes > MAX_FILE_BYTES).then(|| {
            format!(
                "{} MiB are more than the {} MiB that kiln reads of one file: if kiln is to read it, export batch by batch",
                self.len_bytes >> 20,
                MAX_FILE_BYTES >> 20
            )
        })
    }
}

/// An export on its way to where another face of kiln wants it.
pub struct Outlet {
    place: Place,
    protection: Protection,
}

impl Outlet {
    /// To a place where there is none yet.
    pub fn new(place: Place, seal: Seal<'_>, now: UnixTime) -> Result<Self, CliError> {
        place.may_be_written(Overwrite::Refuse)?;
        Ok(Self { place, protection: Protection::of(seal, now)? })
    }

    /// Writes it, and says in a sentence what was written.
    pub fn write(&self, mut exported: Exported) -> Result<String, CliError> {
        let content = std::mem::replace(&mut exported.content, SecretBytes::new([]));
        self.put(content, &exported.anchor, &count(exported.tokens, "token"))
    }

    /// Draws a batch's report as a page and writes it likewise.
    pub fn write_report(&self, report: &BatchReport) -> Result<String, CliError> {
        let page = SecretBytes::new(batch_report::page(report));
        self.put(page, &report.anchor, "the report")
    }

    fn put(&self, content: SecretBytes, anchor: &AuditHead, what: &str) -> Result<String, CliError> {
        let put = self.place.write(content, &self.protection, anchor, Overwrite::Refuse)?;
        let protected = self.protection.told().unwrap_or_else(|| "only this account can read it".into());
        let too_long = put.too_long_to_read().map_or(String::new(), |says| format!("; {says}"));
        Ok(format!("{what} written to {}; {protected}{too_long}", self.place.path().display()))
    }
}

pub(super) fn digest(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}

fn checksum_name(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sha256");
    name.into()
}

/// As `sha256sum` writes it: a backslash in front says that some characters of the name are escaped.
pub(super) fn checksum_line(sha256: &str, file: &Path) -> String {
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    let escaped = name.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
    format!("{}{sha256}  {escaped}\n", if escaped == name { "" } else { "\\" })
}

/// A comment to `sha256sum -c`.
fn anchor_line(anchor: &AuditHead) -> String {
    format!("# audit anchor {} {}\n", anchor.entries, anchor.hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::{FileSecret, unseal};
    use std::fs;

    const NOW: UnixTime = UnixTime(1_795_780_800);

    fn exported(content: &str) -> Exported {
        Exported {
            content: SecretBytes::new(content),
            tokens: 1,
            left_out: vec![],
            cannot_carry: vec![],
            login_target: None,
            lint: vec![],
            anchor: AuditHead { entries: 17, hash: "c0ffee".into() },
        }
    }

    #[test]
    fn the_seeds_of_a_container_open_with_the_password_that_was_given() {
        let dir = tempfile::tempdir().unwrap();
        let plain = concat!(
            r#"<?xml version="1.0"?><KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc">"#,
            "\n",
            r#"<KeyPackage><DeviceInfo><Manufacturer>Token2</Manufacturer><SerialNo>17</SerialNo></DeviceInfo>"#,
            r#"<Key Id="17" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:totp"><AlgorithmParameters>"#,
            r#"<ResponseFormat Length="6" Encoding="DECIMAL"/></AlgorithmParameters><Data><Secret><PlainValue>"#,
            "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=",
            r#"</PlainValue></Secret></Data></Key></KeyPackage></KeyContainer>"#
        );
        for for_privacyidea in [false, true] {
            let file = dir.path().join(format!("{for_privacyidea}.xml"));
            let seal = Seal::Password { password: "blue horse", for_privacyidea };
            let outlet = Outlet::new(Place::File(file.clone()), seal, NOW).unwrap();
            let said = outlet.write(exported(plain)).unwrap();
            assert!(said.contains("the seeds in it are encrypted with the password"), "{said}");
            let written = fs::read(&file).unwrap();
            assert!(!String::from_utf8_lossy(&written).contains("MTIzNDU2"), "no seed in plain");
            assert!(unseal(&written, &FileSecret::passphrase("red horse")).is_err());
            let opened = unseal(&written, &FileSecret::passphrase("blue horse")).unwrap();
            assert!(String::from_utf8_lossy(&opened).contains("MTIzNDU2Nzg5MDEyMzQ1Njc4OTA="));
        }
    }

    #[test]
    fn pictures_have_a_list_of_their_checksums_and_none_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let pictures = dir.path().join("pictures");
        let lines = "17\t0\totpauth://totp/ann?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n";
        let outlet = Outlet::new(Place::Pictures(pictures.clone()), Seal::None, NOW).unwrap();
        outlet.write(exported(lines)).unwrap();
        let picture = fs::read(pictures.join("17-0.png")).unwrap();
        let sums = fs::read_to_string(pictures.join(pictures::SUMS)).unwrap();
        assert_eq!(sums, format!("{}  17-0.png\n# audit anchor 17 c0ffee\n", digest(&picture)));
        let again =
            Outlet::new(Place::Pictures(pictures), Seal::None, NOW).err().expect("it is there already");
        assert!(again.to_failure().remedy.len() > 10);
    }

    #[test]
    fn a_file_that_kiln_could_not_read_again_is_called_so() {
        let put = |len_bytes| Put { sha256: String::new(), len_bytes }.too_long_to_read();
        assert_eq!(put(MAX_FILE_BYTES), None);
        let says = put(MAX_FILE_BYTES + (5 << 20)).unwrap();
        assert!(
            says.starts_with("101 MiB are more than the 96 MiB") && says.contains("batch by batch"),
            "{says}"
        );
    }

    #[test]
    fn odd_names_are_escaped_as_sha256sum_does() {
        assert_eq!(checksum_line("00", Path::new("/x/a b.csv")), "00  a b.csv\n");
        assert_eq!(checksum_line("00", Path::new("a\nb\\c")), "\\00  a\\nb\\\\c\n");
    }
}
