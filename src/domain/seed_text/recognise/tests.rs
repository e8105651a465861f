use super::*;
use crate::{
    domain::seed_text::encode,
    remedy::{Remedy, Retry},
};
use proptest::prelude::*;

proptest! {
    /// Asking is allowed, another seed is not. (Base64 of a few bytes can look like base32 by chance.)
    #[test]
    fn a_recognised_seed_is_the_seed_that_was_written(bytes in proptest::collection::vec(any::<u8>(), 1..48)) {
        let seed = Seed::new(bytes);
        for encoding in Encoding::ALL {
            let text = encode(&seed, encoding);
            if let Recognised::Seed { seed: read, .. } = recognise(&text) {
                prop_assert!(seed.len_bytes() < Seed::RFC_MIN_BYTES || read.same_as(&seed), "{}", encoding);
            }
            let (declared, _) = decode(&text, encoding).unwrap();
            prop_assert!(declared.same_as(&seed));
        }
    }

    #[test]
    fn no_text_makes_the_classifier_panic(text in any::<String>(), near in "[A-Za-z2-7=:%&+ 0x\\-\u{A0}\u{41E}]{0,40}") {
        for text in [&text, &near] {
            let _ = recognise(text);
            for encoding in Encoding::ALL {
                let _ = decode(text, encoding);
            }
        }
    }
}

const TWENTY: &str = "CZU6XXGHCCGCOL6YO3WW472WEWB34FVJ";

fn refused(text: &str) -> WrongInput {
    match recognise(text) {
        Recognised::Refused(wrong) => wrong,
        taken => panic!("{text:?} was taken as {taken:?}"),
    }
}

fn taken(text: &str) -> (Encoding, usize) {
    match recognise(text) {
        Recognised::Seed { seed, encoding, .. } => (encoding, seed.len_bytes()),
        other => panic!("{text:?} gave {other:?}"),
    }
}

#[test]
fn what_is_scanned_by_mistake_is_called_by_its_name() {
    let enrols = |application| WrongInput::ForeignEnrolment { application };
    let cases = [
        (" \r\n", WrongInput::Nothing),
        ("phonefactor://activate_account?code=1", WrongInput::PushEnrolment),
        ("OTPAUTH-MIGRATION://offline?data=CjoK", WrongInput::Migration),
        ("FIDO:/0123456789", WrongInput::PasskeyCode),
        ("microsoft-authenticator://activate", enrols("Microsoft Authenticator")),
        ("msauth.com.example://auth", enrols("Microsoft Authenticator")),
        ("oktaverify://x", enrols("Okta Verify")),
        ("duo://abc-def", enrols("Duo Mobile")),
        ("steam://ABCD", enrols("Steam Guard")),
        ("motp://x", enrols("Mobile-OTP")),
        ("unheard-of://activate?x=1", WrongInput::OtherLink),
        ("com.rsa.securid://ctf?ctfData=1", WrongInput::ForeignEnrolment { application: "RSA SecurID" }),
        ("https://example.com/qr", WrongInput::WebLink),
        ("www.example.com", WrongInput::WebLink),
        ("WIFI:S:net;T:WPA;P:pass;;", WrongInput::OtherQr { what: "a Wi-Fi network's QR code" }),
        ("BEGIN:VCARD\nFN:A\nEND:VCARD", WrongInput::OtherQr { what: "a contact's QR code" }),
        ("mailto:a@example.com", WrongInput::OtherQr { what: "a mail address" }),
        ("tel:+123", WrongInput::OtherQr { what: "a telephone number" }),
        ("{\"db\":1}", WrongInput::FileContent { what: "a JSON file" }),
        ("<?xml version=\"1.0\"?>", WrongInput::FileContent { what: "an XML file" }),
        ("<data><header/></data>", WrongInput::FileContent { what: "an XML file" }),
        ("-----BEGIN PGP MESSAGE-----", WrongInput::FileContent { what: "an encrypted file" }),
        ("a,b,c", WrongInput::Table { lines: 1 }),
        ("JBSWY3DP\nJBSWY3DQ\n", WrongInput::Table { lines: 2 }),
        ("8.65962E+13", WrongInput::SpoiledSerial),
        ("8e+13", WrongInput::SpoiledSerial),
        ("8,65962E+13", WrongInput::SpoiledSerial),
        ("otpauth://totp/a?secret=A\notpauth://totp/b?secret=B", WrongInput::Table { lines: 2 }),
    ];
    for (text, expected) in cases {
        assert_eq!(refused(text), expected, "{text}");
    }
    assert!(matches!(recognise(" OTPAUTH://totp/x?secret=A"), Recognised::KeyUri));
}

#[test]
fn a_seed_that_begins_like_a_scheme_is_still_a_seed() {
    for start in ["OKTA", "DUOA", "HTTP", "STEA"] {
        assert_eq!(taken(&format!("{start}{}", &TWENTY[4..])), (Encoding::Base32, 20), "{start}");
    }
}

#[test]
fn digits_are_numbers_first() {
    let cases = [
        ("86596220001234", WrongInput::TokenSerial { digits: 14 }),
        ("8659 6220 0012 34", WrongInput::TokenSerial { digits: 14 }),
        ("86100000000012", WrongInput::SecurityKeySerial),
        ("72102935780528", WrongInput::SecurityKeySerial),
        ("123456789012345", WrongInput::MoltoSerialOrImei),
        ("4012345678901", WrongInput::ArticleNumber { digits: 13 }),
        ("123456", WrongInput::OneTimeCode { digits: 6 }),
        ("1234 5678", WrongInput::OneTimeCode { digits: 8 }),
        ("3132333435363738393031323334353637383930", WrongInput::DigitsLikeHex { digits: 40, bytes: 20 }),
        ("2345672", WrongInput::Number { digits: 7 }),
    ];
    for (text, expected) in cases {
        assert_eq!(refused(text), expected, "{text}");
    }
    let serial: Serial = "99112233445566".parse().unwrap();
    let beside = recognise_beside("9911-2233-445566", &serial);
    assert!(matches!(beside, Recognised::Refused(WrongInput::SerialOnReader)));
}

#[test]
fn the_encoding_follows_from_the_characters() {
    assert_eq!(taken(TWENTY), (Encoding::Base32, 20));
    assert_eq!(taken(&TWENTY.to_lowercase()), (Encoding::Base32, 20));
    assert_eq!(taken("1669ebdcc7108c272fd876ed6e7f562583be16a9"), (Encoding::Hex, 20));
    assert_eq!(taken("16:69:EB:DC:C7:10:8C:27:2F:D8"), (Encoding::Hex, 10));
    assert_eq!(taken("0x1669ebdcc7108c272fd876ed6e7f562583be16a9"), (Encoding::Hex, 20));
    assert_eq!(taken("Fmnr3McQjCcv2Hbtbn9WJYO+Fqk="), (Encoding::Base64, 20));
    assert_eq!(taken("COSVODKLroMODbFKgjQRALwjuEA="), (Encoding::Base64, 20));
    assert_eq!(taken("COSVODKLroMODbFKgjQRALwjuEA"), (Encoding::Base64, 20));
    // Base32 with its padding also has a length that is a multiple of four.
    assert_eq!(taken("AAAQEAYEAUDAOCAJBIFQYDIOB4======"), (Encoding::Base32, 16));
}

#[test]
fn hex_or_base32_is_asked_with_both_lengths() {
    let text = "A2B3C4D5E6F7A2B3C4D5E6F7A2B3C4D5E6F7A2A4";
    let wrong = refused(text);
    assert_eq!(wrong.to_string(), "40 characters that can be read as hex (20 bytes) or as base32 (25 bytes)");
    let cut = refused(&text[..39]);
    assert!(cut.to_string().contains("hex with a character missing"), "{cut}");
    // 38 characters can't be base32 at all.
    assert_eq!(taken(&text[..38]), (Encoding::Hex, 19));
}

#[test]
fn mixed_case_that_both_can_read_is_asked() {
    let wrong = refused("CosvodkLromodbFkgjqRaLwjueaA");
    let Some(Reading { encoding, bytes }) = (match wrong {
        WrongInput::Ambiguous { likelier, .. } => Some(likelier),
        _ => None,
    }) else {
        panic!("{wrong}")
    };
    assert_eq!((encoding, bytes), (Encoding::Base64, Some(21)));
}

#[test]
fn damage_is_explained() {
    let typed = "CZU6XXGHCCGC0L6YO3WW472WEWB34FVJ";
    let error = SeedTextError::MisreadDigit { position: 13, digit: '0', others: 0 };
    assert_eq!(refused(typed), WrongInput::Damaged { encoding: Encoding::Base32, error });
    assert!(matches!(refused(&TWENTY[..30]), WrongInput::Damaged { .. }));
    assert_eq!(refused(&format!("secret={TWENTY}")), WrongInput::Labelled { label: "secret" });
    assert_eq!(refused(&format!("Secret key: {TWENTY}")), WrongInput::Labelled { label: "secret key" });
    assert_eq!(strip_label(&format!("Key: {TWENTY}")), Some(("key", TWENTY)));
    assert_eq!(refused(&format!("secret={TWENTY}&issuer=x")), WrongInput::UriPiece);
    let Recognised::Seed { notes, .. } = recognise(&format!("{TWENTY}\n{TWENTY}\n")) else { panic!() };
    assert!(notes.contains(&Note::Twice { characters: 32 }));
    let look_alike = refused(&TWENTY.replace('C', "\u{421}"));
    assert!(look_alike.to_string().contains("U+0421"), "{look_alike}");
    assert_eq!(refused("Hallo, Welt!"), WrongInput::Table { lines: 1 });
    assert_eq!(refused("alice@example.com"), WrongInput::Unusable { position: 6, character: '@' });
}

#[test]
fn every_wrong_input_has_a_cure_and_none_shows_the_seed() {
    let reading = Reading { encoding: Encoding::Hex, bytes: Some(20) };
    let all = [
        WrongInput::Nothing,
        WrongInput::PushEnrolment,
        WrongInput::Migration,
        WrongInput::PasskeyCode,
        WrongInput::ForeignEnrolment { application: "Okta Verify" },
        WrongInput::WebLink,
        WrongInput::OtherLink,
        WrongInput::OtherQr { what: "a mail address" },
        WrongInput::FileContent { what: "a JSON file" },
        WrongInput::Table { lines: 2 },
        WrongInput::SpoiledSerial,
        WrongInput::SerialOnReader,
        WrongInput::TokenSerial { digits: 14 },
        WrongInput::SecurityKeySerial,
        WrongInput::MoltoSerialOrImei,
        WrongInput::ArticleNumber { digits: 13 },
        WrongInput::OneTimeCode { digits: 6 },
        WrongInput::DigitsLikeHex { digits: 40, bytes: 20 },
        WrongInput::Number { digits: 7 },
        WrongInput::Ambiguous { characters: 40, likelier: reading, other: reading },
        WrongInput::Damaged { encoding: Encoding::Base32, error: SeedTextError::UriPiece },
        WrongInput::Labelled { label: "key" },
        WrongInput::UriPiece,
        WrongInput::Unusable { position: 1, character: '@' },
    ];
    for wrong in all {
        assert!(wrong.remedy().len() > 10 && !wrong.remedy().ends_with('.'), "{wrong}");
        assert_eq!(wrong.retry(), Retry::AfterOperator);
    }
    let shown = format!("{:?}", recognise(TWENTY));
    assert!(!shown.contains("CZU6") && !shown.to_lowercase().contains("1669eb"), "{shown}");
}
