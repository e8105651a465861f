//! What a ticket may hold of a diagnosis: no seed, no code, no serial in full.

use super::{
    cause::Cause,
    finding::{Diagnosis, Finding},
};
use std::fmt::Write;

impl Diagnosis {
    /// A text to paste into a ticket. Names a token by the last four characters of its serial, and no code or seed.
    pub fn report(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("writing to a string does not fail");
        text
    }

    fn write(&self, to: &mut String) -> std::fmt::Result {
        writeln!(to, "kiln {} diagnosis", env!("CARGO_PKG_VERSION"))?;
        if let Some(subject) = &self.subject {
            if let Some(serial) = &subject.serial {
                let model = subject.model.as_deref().unwrap_or("model not on record");
                writeln!(to, "token      …{} profile {}, {model}", serial.last_four(), subject.profile)?;
            }
            writeln!(to, "recorded   {}", subject.recorded)?;
            if let Some(server) = &subject.server {
                writeln!(to, "server     {server}")?;
            }
            if subject.codes > 0 {
                writeln!(to, "given      {} (not repeated here)", count(subject.codes, "code"))?;
            }
        }
        if self.findings.is_empty() {
            writeln!(to, "finding    none")?;
        }
        for (rank, finding) in (1..).zip(self.findings.iter().take(3)) {
            write!(
                to,
                "finding {rank}  {:.1} %  {}",
                finding.posterior * 100.0,
                names(&finding.causes, " + ")
            )?;
            if !finding.equivalent.is_empty() {
                write!(to, " (or {})", names(&finding.equivalent, ", "))?;
            }
            writeln!(to)?;
            writeln!(to, "           {}", redacted(finding, &finding.what))?;
            let own = self.subject.as_ref().and_then(|subject| subject.serial.as_ref());
            if let Some(token) = finding.token.as_ref().filter(|token| Some(&token.serial) != own) {
                writeln!(to, "           token …{} profile {}", token.serial.last_four(), token.profile)?;
            }
        }
        match (&self.why_ask, self.findings.first()) {
            (Some(why), _) => writeln!(to, "next       ask for another code: {why}")?,
            (None, Some(first)) => writeln!(to, "next       {}", redacted(first, &first.remedy))?,
            (None, None) => {}
        }
        for affected in &self.also_affected {
            writeln!(to, "check too  {}", without_serials(affected, None))?;
        }
        let (candidates, accidental) = self.searched.iter().fold((0u64, 0.0), |(n, hits), stage| {
            (n.saturating_add(stage.candidates), hits + stage.accidental)
        });
        writeln!(to, "searched   {candidates} candidates, {accidental:.1e} accidental hits to be expected")?;
        for stage in &self.searched {
            writeln!(to, "           {}", stage.what)?;
        }
        Ok(())
    }
}

fn names(causes: &[Cause], between: &str) -> String {
    causes.iter().map(|cause| cause.name()).collect::<Vec<_>>().join(between)
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The text without serials: its own token's, and any word that looks like one.
fn redacted(finding: &Finding, text: &str) -> String {
    without_serials(text, finding.token.as_ref().map(|token| token.serial.as_str()))
}

fn without_serials(text: &str, own: Option<&str>) -> String {
    let words = text.split(' ').map(|word| {
        let bare = word.trim_end_matches([',', ':', ';', ')']);
        let digits = bare.bytes().filter(u8::is_ascii_digit).count();
        let is_serial = own == Some(bare) || digits >= 8 && bare.bytes().all(|b| b.is_ascii_alphanumeric());
        if is_serial {
            format!("…{}{}", &bare[bare.len().saturating_sub(4)..], &word[bare.len()..])
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use crate::{
        diagnose::{Evidence, Known, Neighbour, Place, Read, Windows, diagnose},
        domain::{Catalog, Parameters, Profile, Seed, UnixTime, otp},
    };

    #[test]
    fn a_report_holds_no_code_and_no_serial_in_full() {
        let (seed, other) = (Seed::new([7; 20]), Seed::new([8; 20]));
        let catalog = Catalog::built_in();
        let parameters = Parameters::standard();
        let at = UnixTime(1_772_625_600);
        let codes: Vec<_> =
            [0, 30].iter().map(|s| otp::code_at(&other, &parameters, at.plus(*s)).unwrap()).collect();
        let shown: Vec<String> = codes.iter().map(ToString::to_string).collect();
        let known = Known {
            serial: Some("86596000000001".parse().unwrap()),
            target: catalog.target("entra"),
            ..Known::bare(&seed, parameters)
        };
        let neighbour = Neighbour {
            serial: "86596000000002".parse().unwrap(),
            profile: Profile::ZERO,
            seed: other,
            parameters,
            drift: None,
            place: Place::BurnOrder(1),
        };
        let evidence = Evidence::new(codes, Read::First(at)).unwrap();
        let diagnosis =
            diagnose(&known, &evidence, Windows::default(), &mut std::iter::once(neighbour)).unwrap();
        let report = diagnosis.report();
        assert!(report.contains("other-token (or batch-shift)") && report.contains("…0002"), "{report}");
        assert!(report.contains("Entra ID") && report.contains("token      …0001 profile 0"), "{report}");
        for hidden in shown.iter().map(String::as_str).chain(["86596000000001", "86596000000002"]) {
            assert!(!report.contains(hidden), "{hidden} in {report}");
        }
    }
}
