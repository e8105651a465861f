//! The token that the command line describes.

use super::{
    args::{SimulateArgs, YesNo},
    error::SimulateError,
};
use crate::{
    domain::{Clock, CustomerKey},
    sim::{
        Challenges, Fault, Surroundings, Ticking, VirtualToken,
        molto2::{self, Generation},
        token2_otp,
        token2_single::{self, AutoOff, TimeSync},
        ykoath::{self, Make},
    },
};
use std::{fs, io, path::Path, sync::Arc, time::Duration};
use zeroize::Zeroizing;

/// What a model is to the simulation.
pub(super) enum Family {
    Single(TimeSync),
    Molto2(Generation),
    Key(Make),
    OtpKey(Carried),
}

/// What a Token2 key's reader carries.
pub(super) enum Carried {
    /// Commands of either form, as USB and NFC do.
    All,
    /// Short ones only: a card in a contact reader.
    Short,
}

/// token2-single.md sections 5 and 6, molto2.md section 1.
pub(super) fn family(model: &str) -> Option<Family> {
    Some(match model {
        "miniotp-2-i" | "otpc-p1-i" | "c302-i" => Family::Single(TimeSync::Unrestricted),
        "miniotp-3-i" | "miniotp-3-i-nb" | "c301-i" | "otpc-p2-i" | "otpc-p2-i-nb" => {
            Family::Single(TimeSync::Restricted)
        }
        "molto2-v1" => Family::Molto2(Generation::V1),
        "molto2-v2" => Family::Molto2(Generation::V2),
        "yubikey-5" => Family::Key(Make::YubiKey),
        "nitrokey-3" => Family::Key(Make::Nitrokey),
        "solo-2" => Family::Key(Make::Solo),
        "canokey" => Family::Key(Make::CanoKey),
        "token2-pin-plus" => Family::OtpKey(Carried::All),
        "token2-fido-card" => Family::OtpKey(Carried::Short),
        _ => return None,
    })
}

fn read_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, SimulateError> {
    let text = fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|source| SimulateError::KeyFile { path: path.to_owned(), source })?;
    match data_encoding::HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()) {
        Ok(key) if !key.is_empty() => Ok(Zeroizing::new(key)),
        Ok(_) | Err(_) => Err(SimulateError::KeyNotHex(path.to_owned())),
    }
}

/// The token that the command line describes, with its faults armed and its state taken up.
pub(super) fn make(args: &SimulateArgs, clock: Arc<dyn Clock>) -> Result<VirtualToken, SimulateError> {
    let family = family(&args.model).ok_or_else(|| SimulateError::UnknownModel(args.model.clone()))?;
    let key = args.key_file.as_deref().map(read_key).transpose()?;
    let surroundings = Surroundings::new(clock, Challenges::random());
    let ticking = Ticking { drift_s: args.drift, ppm: args.ppm };
    let token = match family {
        Family::Single(by_model) => {
            let time_sync = match args.restricted {
                None => by_model,
                Some(YesNo::Yes) => TimeSync::Restricted,
                Some(YesNo::No) => TimeSync::Unrestricted,
            };
            let mut settings = token2_single::Settings::new(args.serial.clone(), time_sync);
            if let (Some(key), Some(path)) = (&key, &args.key_file) {
                settings.key = key
                    .as_slice()
                    .try_into()
                    .map_err(|_| SimulateError::KeyLength { path: path.clone(), found: key.len() })?;
            }
            settings.ticking = ticking;
            settings.filled = args.filled;
            settings.locks_after = args.attempts;
            settings.auto_off = if args.auto_off { AutoOff::AfterTimeout } else { AutoOff::Never };
            VirtualToken::token2_single(settings, surroundings)
        }
        Family::Molto2(generation) => {
            let mut settings = molto2::Settings::new(args.serial.clone(), generation);
            if let Some(key) = &key {
                settings.customer_key = CustomerKey::new(key.as_slice());
            }
            settings.ticking = ticking;
            settings.attempts = args.attempts.unwrap_or(settings.attempts);
            VirtualToken::molto2(settings, surroundings)
        }
        Family::Key(make) => {
            let mut settings = ykoath::Settings::new(args.serial.clone(), make);
            settings.password = key.as_ref().map(|key| CustomerKey::new(key.as_slice()));
            VirtualToken::ykoath(settings, surroundings)
        }
        Family::OtpKey(carried) => {
            let as_made = token2_otp::Settings::new(args.serial.clone());
            let settings = token2_otp::Settings {
                short_only: matches!(carried, Carried::Short),
                counts: !args.no_counters,
                touch_to_write: args.touch_to_write,
                capacity: args.capacity.map_or(as_made.capacity, usize::from),
                patience: args.patience_ms.map_or(as_made.patience, |ms| Duration::from_millis(ms.into())),
                ..as_made
            };
            VirtualToken::token2_otp(settings, surroundings)
        }
    };
    if let Some(path) = &args.state {
        match fs::read_to_string(path).map(Zeroizing::new) {
            Ok(saved) => token.restore(&saved)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(SimulateError::StateFile { path: path.clone(), source }),
        }
    }
    if let Some(ms) = args.delay_ms {
        token.arm(Fault::Delay(Duration::from_millis(ms.into())));
    }
    args.faults.iter().for_each(|fault| token.arm(*fault));
    Ok(token)
}
