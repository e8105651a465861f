//! Microsoft Graph's hardware OATH tokens (beta, `hardwareOathDevices`): one device, a list of them, or the body of a
//! bulk upload with its `value`. Microsoft's documentation; the bulk body's wrapper is told by a third party.

use super::{
    FileError, Place, Read,
    draft::Draft,
    json::{self, List, Scalar},
};
use crate::domain::{Digits, Hash, seed_text::Encoding};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Device {
    serial_number: Scalar,
    manufacturer: Scalar,
    model: Scalar,
    secret_key: Scalar,
    time_interval_in_seconds: Scalar,
    hash_function: Scalar,
    display_name: Scalar,
    value: Option<List<Device>>,
}

pub(super) fn read(text: &str) -> Result<Read, FileError> {
    let devices = if text.trim_start().starts_with('[') {
        json::read::<List<Device>>(text)?.0
    } else {
        let mut document: Device = json::read(text)?;
        match document.value.take() {
            Some(devices) => devices.0,
            None => vec![document],
        }
    };
    let mut read = Read::default();
    for (place, device) in (1..).map(Place::Entry).zip(&devices) {
        let mut draft = Draft::new(place);
        draft.needed_serial(device.serial_number.as_str());
        draft.seed_text(device.secret_key.as_str(), Encoding::Base32);
        draft.needed_period(device.time_interval_in_seconds.as_str());
        draft.manufacturer(device.manufacturer.as_str());
        draft.model(device.model.as_str());
        draft.account(device.display_name.as_str());
        draft.hash(device.hash_function.as_str());
        if device.hash_function.as_str().is_empty() {
            // The documented default.
            draft.hash_is(Hash::Sha1);
        }
        draft.stated.digits = Some(Digits::SIX);
        draft.finish(&mut read);
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Parameters, Period},
        formats::{Field, Format, Parsed, Problem, parse},
    };

    const ONE: &str = r#"{"serialNumber":"0012345678901","manufacturer":"Token2","model":"miniOTP-2",
        "secretKey":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ","timeIntervalInSeconds":30,"hashFunction":"hmacsha1",
        "assignTo":{"id":"00000000-0000-0000-0000-000000000000"}}"#;

    fn devices(text: &str) -> Parsed {
        let parsed = parse(text.as_bytes(), None).unwrap();
        assert_eq!(parsed.format, Format::GraphJson, "{text}");
        parsed
    }

    #[test]
    fn one_device_a_list_and_a_bulk_body_are_read() {
        let bulk = format!("{{\"@context\":\"#$delta\",\"value\":[{ONE}]}}");
        for text in [ONE, &format!("[{ONE}]"), &bulk] {
            let parsed = devices(text);
            let [line] = &parsed.lines[..] else { panic!("{:?}", parsed.bad) };
            assert_eq!(line.place, Place::Entry(1));
            assert_eq!(line.serial.as_ref().unwrap().as_str(), "0012345678901");
            assert_eq!(line.seed.expose(), b"12345678901234567890");
            assert_eq!(line.stated.or_standard(), Parameters::standard());
            assert_eq!(
                (line.manufacturer.as_deref(), line.model.as_deref()),
                (Some("Token2"), Some("miniOTP-2"))
            );
        }
    }

    #[test]
    fn the_hash_is_data() {
        let parsed = devices(&ONE.replace("hmacsha1", "hmacsha256").replace(":30", ":60"));
        let expected = Parameters::totp(Hash::Sha256, Digits::SIX, Period::SIXTY);
        assert_eq!(parsed.lines[0].stated.or_standard(), expected);
        let parsed = devices(&ONE.replace(",\"hashFunction\":\"hmacsha1\"", ""));
        assert_eq!(parsed.lines[0].stated.hash, Some(Hash::Sha1));
    }

    #[test]
    fn each_fault_is_named_and_hides_no_other_entry() {
        let bad = ONE
            .replace("hmacsha1", "md5")
            .replace("\"0012345678901\"", "8.65962e13")
            .replace(":30", ":\"x\"");
        let parsed =
            devices(&format!("[{bad},{}]", ONE.replace("\"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\"", "null")));
        let found: Vec<_> =
            parsed.bad.iter().map(|bad| (bad.place, bad.field, bad.problem.clone())).collect();
        assert_eq!(
            found,
            [
                (Place::Entry(1), Some(Field::Serial), Problem::RoundedSerial),
                (Place::Entry(1), Some(Field::Interval), Problem::Period),
                (Place::Entry(1), Some(Field::Hash), Problem::Hash),
                (Place::Entry(2), Some(Field::Secret), Problem::Empty),
            ]
        );
    }
}
