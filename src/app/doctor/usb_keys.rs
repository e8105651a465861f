//! Whether this account may use the OTP keys on USB. The kernel gives their `hidraw` nodes to root alone; a udev rule
//! gives them to a group, and to whoever sits at the machine.

use crate::{
    app::{catalog, sources},
    domain::{catalog::Catalog, model::UsbId},
    drivers::hid::{self, PluggedIn},
    face::{Check, Finding, Side},
    service::Home,
};
use std::{collections::BTreeSet, fs, path::Path};

/// The rule for the shipped models; its first line names its file.
const RULE: &str = include_str!("../../../dist/udev/70-kiln.rules");

/// Where administrators put rules, and where packages do.
const PLACES: &[&str] = &[
    "/etc/udev/rules.d/70-kiln.rules",
    "/usr/lib/udev/rules.d/70-kiln.rules",
    "/lib/udev/rules.d/70-kiln.rules",
];

/// What there is.
#[derive(Debug)]
pub struct Facts {
    /// Keys of known models.
    pub keys: Vec<PluggedIn>,
    /// The lines of the rule that would let the group use all known models.
    pub wanted: Vec<String>,
    /// Whether a rule with all those lines is installed; none: no rule of kiln's is.
    pub installed: Option<bool>,
}

/// Looks for keys of the models that the station of `home` knows, and for the rule.
pub fn look(home: &Home) -> Facts {
    // A file that can't be read is another check's news.
    let ids = sources::usb_keys(&catalog::load(home.profiles()).unwrap_or_else(|_| Catalog::built_in()));
    let wanted = rule(&ids);
    let installed = PLACES.iter().find_map(|place| fs::read_to_string(Path::new(place)).ok());
    Facts { keys: hid::plugged_in(&ids), installed: installed.map(|text| has_all(&text, &wanted)), wanted }
}

/// The shipped rule, and a line as its for each vendor that it lacks: of models that the operator has added.
fn rule(ids: &[UsbId]) -> Vec<String> {
    let shipped = RULE.lines().map(str::to_owned);
    let vendors: BTreeSet<u16> = ids.iter().map(|id| id.vendor).collect();
    let missing = vendors.into_iter().map(line).filter(|line| !RULE.lines().any(|shipped| shipped == line));
    shipped.chain(missing).collect()
}

fn line(vendor: u16) -> String {
    format!(
        r#"SUBSYSTEM=="hidraw", ATTRS{{idVendor}}=="{vendor:04x}", MODE="0660", GROUP="kiln", TAG+="uaccess""#
    )
}

fn has_all(installed: &str, wanted: &[String]) -> bool {
    wanted
        .iter()
        .filter(|line| !line.starts_with('#'))
        .all(|line| installed.lines().any(|has| has.trim() == line))
}

/// What the facts mean.
pub fn judge(side: Side, facts: &Facts) -> Finding {
    let check = Check::UsbKeys;
    let ports = |keys: &[&PluggedIn]| keys.iter().map(|key| key.port.as_str()).collect::<Vec<_>>().join(", ");
    let closed: Vec<&PluggedIn> = facts.keys.iter().filter(|key| !key.may_open).collect();
    let Some(first) = closed.first() else {
        let all: Vec<&PluggedIn> = facts.keys.iter().collect();
        return Finding::ok(
            side,
            check,
            match (all.as_slice(), facts.installed) {
                ([], Some(true)) => "no OTP key is on USB; the udev rule for them is there".to_owned(),
                ([], Some(false) | None) => {
                    "no OTP key is on USB (who may use one is told when one is there)".to_owned()
                }
                ([one], _) => format!("one OTP key is on USB, and may be used: {}", one.port),
                (many, _) => format!("{} OTP keys are on USB, and may be used: {}", many.len(), ports(many)),
            },
        );
    };
    let found =
        format!("this account may not open {} ({}: {})", ports(&closed), first.port, first.node.display());
    let means = "the key there cannot be burned";
    match facts.installed {
        Some(true) => Finding::fail(
            side,
            check,
            found,
            format!("{means}, although the udev rule is there"),
            "as root: usermod -aG kiln ACCOUNT; udevadm control --reload; then log in again (a service: restart it), \
             unplug the key and plug it in again",
        ),
        Some(false) | None => Finding::fail(
            side,
            check,
            found,
            format!("{means}: USB keys are root's until a udev rule gives them to a group"),
            "as root, put the lines below into /etc/udev/rules.d/70-kiln.rules, then: groupadd -f kiln; \
             usermod -aG kiln ACCOUNT; udevadm control --reload; log in again (a service: restart it), unplug the key \
             and plug it in again",
        )
        .with_lines(&facts.wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::Health;

    fn key(port: &str, may_open: bool) -> PluggedIn {
        PluggedIn { port: port.into(), node: "/dev/hidraw3".into(), may_open }
    }

    fn judged(keys: Vec<PluggedIn>, installed: Option<bool>) -> Finding {
        judge(Side::Client, &Facts { keys, wanted: rule(&[]), installed })
    }

    #[test]
    fn the_shipped_rule_is_for_all_shipped_models() {
        let ids = sources::usb_keys(&Catalog::built_in());
        assert_eq!(rule(&ids), RULE.lines().collect::<Vec<_>>());
        assert!(RULE.lines().any(|shipped| shipped == line(0x349E)), "Token2's");
        let theirs = UsbId { vendor: 0x1209, product: 1 };
        let more = rule(&[theirs]);
        assert_eq!(more.len(), RULE.lines().count() + 1);
        assert!(has_all(&more.join("\n"), &more) && !has_all(RULE, &more));
        assert!(has_all(RULE, &rule(&[])));
    }

    #[test]
    fn a_key_that_is_closed_to_this_account_prints_the_rule() {
        for installed in [None, Some(false)] {
            let finding = judged(vec![key("usb 1-2", true), key("usb 1-3", false)], installed);
            assert_eq!(finding.health, Health::Fail);
            assert!(finding.found.contains("usb 1-3") && !finding.found.contains("usb 1-2"), "{finding:?}");
            assert!(finding.lines.join("\n").contains("349e"));
            assert!(finding.remedy.unwrap().contains("/etc/udev/rules.d/70-kiln.rules"));
        }
        let finding = judged(vec![key("usb 1-3", false)], Some(true));
        assert_eq!((finding.health, finding.lines.len()), (Health::Fail, 0));
        assert!(finding.remedy.unwrap().contains("usermod"));
    }

    #[test]
    fn keys_that_may_be_used_are_well_whoever_saw_to_that() {
        for installed in [None, Some(false), Some(true)] {
            assert_eq!(judged(vec![], installed).health, Health::Ok);
            let finding = judged(vec![key("usb 1-2", true), key("usb 2-1", true)], installed);
            assert_eq!(finding.health, Health::Ok);
            assert!(finding.found.contains("usb 1-2, usb 2-1"), "{}", finding.found);
        }
    }
}
