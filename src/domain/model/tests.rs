use super::*;
use crate::{
    domain::catalog::Catalog,
    remedy::{Remedy, Retry},
};

fn model(name: &str) -> Model {
    Catalog::built_in().model(name).unwrap().clone()
}

fn check_of(name: &str, parameters: Parameters) -> Result<(), Misfit> {
    model(name).check(Profile::ZERO, &parameters, 20, None, Touch::Free, 30)
}

fn totp(hash: Hash, digits: u64, period: u64) -> Parameters {
    Parameters::totp(hash, Digits::new(digits).unwrap(), Period::from_secs(period).unwrap())
}

#[test]
fn a_single_profile_token_takes_what_its_firmware_takes() {
    assert_eq!(check_of("c301-i", Parameters::standard()), Ok(()));
    assert_eq!(check_of("c301-i", totp(Hash::Sha256, 6, 60)), Ok(()));
    assert!(matches!(check_of("c301-i", totp(Hash::Sha512, 6, 30)), Err(Misfit::Hash { .. })));
    assert!(matches!(check_of("c301-i", totp(Hash::Sha1, 8, 30)), Err(Misfit::Digits { .. })));
    assert!(matches!(check_of("c301-i", totp(Hash::Sha1, 6, 15)), Err(Misfit::Period { .. })));
}

#[test]
fn hotp_and_another_start_time_are_refused() {
    let mut parameters = Parameters::standard();
    parameters.mode = Mode::Hotp { counter: 0 };
    assert!(matches!(check_of("molto2-v2", parameters), Err(Misfit::Hotp { .. })));
    parameters.mode = Mode::Totp { period: Period::THIRTY, t0: UnixTime(1) };
    assert!(matches!(check_of("molto2-v2", parameters), Err(Misfit::StartTime { .. })));
}

#[test]
fn a_misfit_says_what_would_fit() {
    let error = check_of("molto2-v2", totp(Hash::Sha1, 7, 30)).unwrap_err();
    assert_eq!(error.to_string(), "Molto2 v2 cannot show 7 digits: 4, 6, 8 or 10 would fit");
    let error = model("molto2-v1").check_profile(Profile::new(50)).unwrap_err();
    assert_eq!(error.to_string(), "Molto2 v1 has no profile 50: its profiles are 0 to 49");
}

#[test]
fn seeds_have_1_to_63_bytes() {
    let model = model("otpc-p1-i");
    assert!(model.check_seed_length(0).is_err() && model.check_seed_length(1).is_ok());
    assert!(model.check_seed_length(63).is_ok() && model.check_seed_length(64).is_err());
}

#[test]
fn titles_are_counted_in_bytes_and_never_cut() {
    let molto = model("molto2-v2");
    assert_eq!(molto.check_title("Office 365 x"), Ok(()));
    assert!(matches!(molto.check_title("Office 365 xy"), Err(Misfit::TitleLength { len_bytes: 13, .. })));
    assert!(matches!(molto.check_title(""), Err(Misfit::TitleLength { .. })));
    assert!(matches!(molto.check_title("Büro"), Err(Misfit::TitleCharacter { character: 'ü', .. })));
    assert!(matches!(model("c302-i").check_title("x"), Err(Misfit::NoTitles { .. })));
}

#[test]
fn a_molto2_is_its_own_reader_and_a_security_key_is_not() {
    let molto = model("molto2-v2");
    assert!(molto.is_reader("TOKEN2 Molto2 [CCID Interface] 00 00"));
    assert!(!molto.is_reader("Token2 PIN+R3 00 00"));
    assert_eq!(molto.recognised_by.usb_ids, [UsbId { vendor: 0x349E, product: 0x0300 }]);
    assert_eq!(molto.factory_filled(Profile::ZERO).unwrap().title.as_deref(), Some("Token2"));
    assert_eq!(molto.factory_filled(Profile::new(1)), None);
}

#[test]
fn a_key_takes_what_its_applet_takes_under_a_title() {
    let check = |name: &str, parameters: Parameters, title: Option<&str>, touch| {
        model(name).check(Profile::ZERO, &parameters, 20, title, touch, 30)
    };
    let standard = Parameters::standard();
    assert_eq!(check("yubikey-5", standard, Some("Büro:ann"), Touch::Required), Ok(()));
    assert!(matches!(check("yubikey-5", standard, None, Touch::Free), Err(Misfit::TitleNeeded { .. })));
    assert_eq!(check("yubikey-5", totp(Hash::Sha512, 8, 15), Some("x"), Touch::Free), Ok(()));
    let sha512 = check("nitrokey-3", totp(Hash::Sha512, 8, 30), Some("x"), Touch::Free);
    assert!(matches!(sha512, Err(Misfit::Hash { .. })));
    let counted = Parameters { mode: Mode::Hotp { counter: 0 }, ..standard };
    assert_eq!(check("solo-2", counted, Some("x"), Touch::Free), Ok(()));
    assert!(matches!(check("c301-i", standard, None, Touch::Required), Err(Misfit::Touch { .. })));
}

#[test]
fn the_period_counts_towards_the_length_of_a_name() {
    let check = |period, len: usize| {
        let parameters = totp(Hash::Sha1, 6, period);
        model("yubikey-5").check(Profile::ZERO, &parameters, 20, Some(&"x".repeat(len)), Touch::Free, 30)
    };
    assert_eq!((check(30, 64), check(60, 61)), (Ok(()), Ok(())));
    assert!(matches!(check(30, 65), Err(Misfit::TitleLength { len_bytes: 65, .. })));
    assert!(matches!(check(60, 62), Err(Misfit::TitleLength { len_bytes: 65, .. })));
}

#[test]
fn a_token2_key_takes_two_names_of_plain_text() {
    let check = |title: &str| {
        let parameters = totp(Hash::Sha256, 10, 60);
        model("token2-pin-plus").check(Profile::ZERO, &parameters, 64, Some(title), Touch::Required, 30)
    };
    assert_eq!((check("Acme:ann"), check("ann")), (Ok(()), Ok(())));
    assert_eq!(check(&format!("{0}:{0}", "x".repeat(64))), Ok(()));
    let long = check(&format!("a:{}", "x".repeat(65)));
    assert!(matches!(long, Err(Misfit::HalfName { half: "account", len_bytes: 65, .. })));
    assert!(matches!(check("Acme:"), Err(Misfit::HalfName { half: "account", len_bytes: 0, .. })));
    assert!(matches!(check("Büro:ann"), Err(Misfit::TitleCharacter { character: 'ü', .. })));
}

#[test]
fn usb_ids_are_read_strictly() {
    for text in ["349e0300", "349e:030", "+49e:0300", "349e:0300:1", ""] {
        assert!(UsbId::try_from(text.to_owned()).is_err(), "{text}");
    }
}

#[test]
fn every_misfit_has_a_remedy() {
    let model = String::from("M");
    let fits = Bounds { min: 1, max: 2 };
    for misfit in [
        Misfit::Profile { model: model.clone(), profile: Profile::ZERO, last: 0 },
        Misfit::Hash { model: model.clone(), hash: Hash::Sha512, fits: vec![] },
        Misfit::Digits { model: model.clone(), digits: Digits::SIX, fits: vec![] },
        Misfit::Period { model: model.clone(), period: Period::SIXTY, fits: vec![] },
        Misfit::Hotp { model: model.clone() },
        Misfit::StartTime { model: model.clone(), t0: UnixTime(1) },
        Misfit::SeedLength { model: model.clone(), seed_len_bytes: 3, fits },
        Misfit::TitleNeeded { model: model.clone() },
        Misfit::Touch { model: model.clone() },
        Misfit::NoTitles { model: model.clone() },
        Misfit::TitleLength { model: model.clone(), title: "t".into(), len_bytes: 1, fits },
        Misfit::TitleCharacter { model: model.clone(), title: "t".into(), character: 't' },
        Misfit::HalfName { model: model.clone(), title: "t".into(), half: "account", len_bytes: 65, fits },
        Misfit::DisplayTimeout { model, seconds: 1, fits: vec![15, 30] },
    ] {
        assert!(misfit.remedy().len() > 10 && misfit.retry() == Retry::Never, "{misfit}");
    }
}
