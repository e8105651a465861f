//! The vault: its holders, its keys, and that no seed lies open.

use super::*;

#[test]
fn a_vault_is_made_once_and_keeps_a_holder() {
    let bench = Bench::new();
    let holder = |name: &str| Holder {
        name: name.into(),
        kind: HolderKind::Passphrase,
        recipient: None,
        file: vec![1, 2, 3],
    };
    let check = bench.key.seal_check().unwrap();
    assert!(matches!(bench.store.add_holder(holder("ada"), &stamp(1)), Err(VaultRefused::NoVault)));
    bench.store.init_vault(check.clone(), holder("ada"), &stamp(1)).unwrap();
    let again = bench.store.init_vault(check.clone(), holder("eve"), &stamp(1));
    assert!(matches!(again, Err(VaultRefused::AlreadyMade)));
    assert!(matches!(bench.store.remove_holder("ada", &stamp(2)), Err(VaultRefused::LastHolder(_))));
    assert!(matches!(bench.store.remove_holder("bob", &stamp(2)), Err(VaultRefused::NoHolder(_))));
    assert!(matches!(bench.store.add_holder(holder("ada"), &stamp(2)), Err(VaultRefused::HolderExists(_))));
    bench.store.add_holder(holder("bob"), &stamp(3)).unwrap();
    bench.store.remove_holder("ada", &stamp(4)).unwrap();
    let bench = bench.reopened();
    assert_eq!(bench.store.holders().unwrap(), [holder("bob")]);
    assert!(bench.key.fits(&bench.store.vault_check().unwrap().unwrap()));
}

#[test]
fn customer_keys_are_kept_sealed_by_name() {
    let bench = Bench::new();
    let key = CustomerKey::new(*b"TOKEN2MOLTO1-KEY");
    let (sealed, print) = (bench.key.seal_key("plant", &key).unwrap(), bench.key.key_fingerprint(&key));
    let add = || bench.store.add_key("plant", sealed.clone(), print, &stamp(2));
    assert!(matches!(add(), Err(VaultRefused::NoVault)));
    let holder = Holder { name: "ada".into(), kind: HolderKind::Age, recipient: None, file: vec![0] };
    bench.store.init_vault(bench.key.seal_check().unwrap(), holder, &stamp(1)).unwrap();
    add().unwrap();
    assert!(matches!(add(), Err(VaultRefused::KeyExists(_))));
    let kept = bench.store.key("plant").unwrap().unwrap();
    assert_eq!(bench.key.open_key("plant", &kept.sealed).unwrap().expose(), b"TOKEN2MOLTO1-KEY");
    assert_eq!((kept.fingerprint, kept.added_by.as_str()), (print, "ada"));
    assert_eq!(bench.store.keys().unwrap(), [kept]);
    assert!(bench.store.key("other").unwrap().is_none());
}

#[test]
fn no_seed_is_in_any_file_in_any_spelling() {
    let bench = Bench::new();
    let jobs = bench.running("b", (1..=3).map(|number| bench.job(number)).collect());
    bench.burn(jobs[0], "A1");
    let mut bytes = Vec::new();
    for file in std::fs::read_dir(bench.home.path()).unwrap() {
        bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle));
    assert!(holds(b"user1@example.com"), "the search finds what is there, in the WAL too");
    for number in 1..=3 {
        let seed = raw_seed(number);
        assert!(!bytes.windows(20).any(|window| window == seed));
        assert!(!holds(data_encoding::HEXLOWER.encode(&seed).as_bytes()));
        assert!(!holds(data_encoding::BASE32_NOPAD.encode(&seed).as_bytes()));
        assert!(!holds(data_encoding::BASE64_NOPAD.encode(&seed).as_bytes()));
        let kept = bench.store.seed_sealed(seed_id(number)).unwrap().unwrap();
        assert_eq!(bench.key.open_seed(kept.id, &kept.sealed).unwrap().expose(), seed, "and it is kept");
    }
}
