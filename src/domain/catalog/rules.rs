//! What one file must satisfy by itself.

use super::CatalogError;
use crate::domain::{
    model::{Bounds, Driver, KeyNeeded, Model, folded},
    recipe::{Recipe, RecipeProfile, SeedFrom},
    target::Target,
    token::Serial,
};
use std::collections::BTreeSet;

/// Turns a list of rules into the first that is broken.
fn field_rules(file: &str, rules: &[(bool, &'static str, &'static str)]) -> Result<(), CatalogError> {
    match rules.iter().find(|(holds, ..)| !holds) {
        None => Ok(()),
        Some((_, field, fault)) => Err(CatalogError::Field { file: file.to_owned(), field, fault }),
    }
}

const NAME_FAULT: &str = "must be 1 to 32 lower-case letters, digits and hyphens";
const EMPTY: &str = "must not be empty";
const BOUNDS_FAULT: &str = "must have a min of at least 1 and a max that is not below it";

fn is_name(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn sound(bounds: Bounds, most: usize) -> bool {
    1 <= bounds.min && bounds.min <= bounds.max && bounds.max <= most
}

/// What the protocol of a family carries at the most, whatever a file says: seed bytes, title bytes, profiles. An OATH
/// applet takes seeds of any length, hashed where they are longer than a block; 128 is the longest block.
fn family_limits(driver: Driver) -> (usize, usize, u8) {
    match driver {
        Driver::Token2Single => (63, 0, 1),
        Driver::Molto2 => (63, 15, 100),
        Driver::Ykoath => (128, 64, 128),
        // Two names of 64 bytes and the colon that kiln writes between them.
        Driver::Token2Otp => (64, 129, 128),
    }
}

pub(super) fn check_model(file: &str, model: &Model) -> Result<(), CatalogError> {
    let (most_seed, most_title, most_profiles) = family_limits(model.driver);
    let recognised = &model.recognised_by;
    let is_prefix = |text: &String| (4..=32).contains(&text.len()) && text.parse::<Serial>().is_ok();
    field_rules(
        file,
        &[
            (is_name(&model.name), "name", NAME_FAULT),
            (!model.label.trim().is_empty(), "label", EMPTY),
            (!model.operator_first.trim().is_empty(), "operator_first", EMPTY),
            (
                (1..=most_profiles).contains(&model.profiles),
                "profiles",
                "must be 1 for a single-profile token, 1 to 100 for a Molto2, 1 to 128 for a key",
            ),
            (!model.hashes.is_empty(), "hashes", EMPTY),
            (!model.digits.is_empty(), "digits", EMPTY),
            (!model.periods.is_empty(), "periods", EMPTY),
            (!model.display_timeouts_s.is_empty() || !model.driver.has_clock(), "display_timeouts_s", EMPTY),
            (sound(model.seed_bytes, usize::MAX), "seed_bytes", BOUNDS_FAULT),
            (
                model.seed_bytes.max <= most_seed,
                "seed_bytes",
                "must not go past 63, the most that the wire carries (128 on a key with OATH applet, 64 on a Token2 key)",
            ),
            (model.title_bytes.is_none_or(|b| sound(b, usize::MAX)), "title_bytes", BOUNDS_FAULT),
            (
                model.title_bytes.is_none_or(|b| b.max <= most_title),
                "title_bytes",
                "must not go past what the wire carries: no title on a single-profile token, 15 bytes on a Molto2, 64 on a key with OATH applet, 129 on a Token2 key",
            ),
            (
                model.factory_filled_profiles.iter().all(|f| f.profile.number() < model.profiles),
                "factory_filled_profiles",
                "must name profiles that the model has",
            ),
            (
                recognised.serial_prefixes.iter().all(is_prefix),
                "serial_prefixes",
                "must be 4 to 32 letters, digits and hyphens each",
            ),
            (
                !recognised.serial_prefixes.is_empty()
                    || !recognised.usb_ids.is_empty()
                    || recognised.key_maker.is_some(),
                "recognised_by",
                "must name a serial prefix, a USB id or the maker of a key",
            ),
            (
                recognised.key_maker.is_some() == (model.driver == Driver::Ykoath),
                "key_maker",
                "must be there for a key with OATH applet, and only there",
            ),
            (
                (model.key == KeyNeeded::AppletPassword) == (model.driver == Driver::Ykoath),
                "key",
                "must be \"applet-password\" for a key with OATH applet, and only there",
            ),
            (
                (model.key == KeyNeeded::Nothing) == (model.driver == Driver::Token2Otp),
                "key",
                "must be \"nothing\" for a Token2 key, and only there",
            ),
            (model.aliases.iter().all(|alias| !folded(alias).is_empty()), "aliases", EMPTY),
        ],
    )
}

pub(super) fn check_recipe(file: &str, recipe: &Recipe) -> Result<(), CatalogError> {
    let numbers: BTreeSet<_> = recipe.profiles.iter().map(|profile| profile.number).collect();
    let from_file = recipe.profiles.iter().filter(|profile| profile.seed == SeedFrom::File);
    let lengths_fit = |profile: &RecipeProfile| match profile.seed {
        SeedFrom::File => profile.seed_bytes.is_none(),
        SeedFrom::Random => true,
    };
    field_rules(
        file,
        &[
            (is_name(&recipe.name), "name", NAME_FAULT),
            (!recipe.label.trim().is_empty(), "label", EMPTY),
            (!recipe.models.is_empty(), "models", EMPTY),
            (!recipe.profiles.is_empty(), "profile", "must stand at least once ([[profile]])"),
            (numbers.len() == recipe.profiles.len(), "number", "must differ from profile to profile"),
            (
                from_file.clone().count() <= 1,
                "seed",
                "may be \"file\" in one profile only: the same seed on two profiles would be no second factor of its own",
            ),
            (recipe.profiles.iter().all(lengths_fit), "seed_bytes", "goes with seed = \"random\" only"),
        ],
    )
}

pub(super) fn check_target(file: &str, target: &Target) -> Result<(), CatalogError> {
    field_rules(
        file,
        &[
            (is_name(&target.name), "name", NAME_FAULT),
            (!target.label.trim().is_empty(), "label", EMPTY),
            (!target.hashes.is_empty(), "hashes", EMPTY),
            (!target.digits.is_empty(), "digits", EMPTY),
            (!target.periods.is_empty() || target.hotp, "periods", "must not be empty where hotp is false"),
            (sound(target.seed_bytes, usize::MAX), "seed_bytes", BOUNDS_FAULT),
            (
                target.activation.is_none_or(|pace| pace.codes > 0 && pace.seconds > 0),
                "activation",
                "must let at least one code through in at least one second",
            ),
        ],
    )
}
