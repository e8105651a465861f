//! `kiln drift resync`: tokens put down one after another get their clocks right again, as a batch with a record of its
//! own, which `kiln drift swept` shows.

use super::{
    Ask, CliError, Exit, Io,
    ask::answer,
    moment,
    run::{Form, print_json},
    table::{Table, or_dash, plain},
    tokens::PageArgs,
};
use crate::domain::{DriftSeconds, Profile, Serial};
use crate::face::{BatchDetail, Command, NewSweep, Reply, SweptView};
use clap::Args;

/// Laid out by hand for 80 columns.
pub const EXAMPLES: &str = "\
  kiln drift resync 86596100000001     this token, as soon as it lies there
  kiln drift resync --batch spring     all of a batch, one after another
  kiln drift resync --threshold 5      all on record, where more than 5 s off
  kiln drift resync 86596100000001 --display-timeout 30s       a delivered one

Clocks are set from the station's own. Tokens that kiln does not know stay as
they are, and are named. A single-profile token takes the time only together
with its display timeout, which it tells nobody: of tokens that kiln did not
burn, look how long the display stays on and say it, once. Pause, go on and
end a sweep with kiln batch pause, start and cancel.";

/// `kiln drift resync`
#[derive(Debug, Args)]
pub struct ResyncArgs {
    /// Only these tokens; without any, all that are on record
    #[arg(value_name = "SERIAL")]
    serials: Vec<Serial>,
    /// Only tokens that hold something of this batch
    #[arg(long, value_name = "NAME")]
    batch: Option<String>,
    /// Set clocks that are further off than this, 0 whatever they show; otherwise more than 2 s for tokens that are
    /// named, else more than a third of what the token's server forgives
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(..=86_400))]
    threshold: Option<u32>,
    /// Only the clock of this profile, on tokens that have one for each; all on record otherwise
    #[arg(long, value_name = "N")]
    profile: Option<u8>,
    /// How long the displays of delivered tokens stay on (15s, 30s, 60s, 120s), where that is not on record; kept with
    /// each. Of tokens that are named it replaces what was said before
    #[arg(long, value_name = "DURATION", value_parser = timeout)]
    display_timeout: Option<u16>,
    /// What the sweep is called; otherwise "resync-" and the day
    #[arg(long)]
    name: Option<String>,
}

/// `kiln drift swept`
#[derive(Debug, Args)]
pub struct SweptArgs {
    /// The sweep's name
    name: String,
    #[command(flatten)]
    page: PageArgs,
}

fn timeout(text: &str) -> Result<u16, String> {
    let seconds = moment::seconds(text)?;
    u16::try_from(seconds).map_err(|_| format!("no display stays on for {text}"))
}

/// Asks and prints.
pub fn run(args: ResyncArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    let sweep = NewSweep {
        name: args.name,
        threshold_s: args.threshold,
        of_batch: args.batch,
        serials: args.serials,
        profile: args.profile.map(Profile::new),
        display_timeout_s: args.display_timeout,
    };
    let batch = answer!(station, Command::Resync(sweep), Reply::Batch(batch) => batch);
    match form {
        Form::Json => print_json(io.out, &batch)?,
        Form::Text => tell(&batch, io)?,
    }
    Ok(Exit::Done)
}

fn tell(batch: &BatchDetail, io: &mut Io<'_>) -> Result<(), CliError> {
    let name = plain(&batch.batch.name);
    let sweep = batch.batch.sweep.as_deref().cloned().unwrap_or_default();
    writeln!(io.err, "sweep {name} runs: it sets the clocks of {}", plain(&sweep.of_whom()))?;
    let hands = match sweep.serials {
        1 => "put the token down, and leave it until the slot says take",
        _ => "put the tokens down one after another, each until its slot says take",
    };
    writeln!(io.err, "{hands}; look on with: kiln watch")?;
    if sweep.serials == 0 {
        writeln!(
            io.err,
            "what became of each: kiln drift swept {name}; end it with: kiln batch cancel {name}"
        )?;
    }
    Ok(())
}

/// Asks and prints what became of each token.
pub fn swept(args: &SweptArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    let swept = args.page.fetch(|page| {
        let command = Command::Swept { name: args.name.clone(), page };
        Ok(answer!(station, command, Reply::Swept(swept) => swept))
    })?;
    if form == Form::Json {
        print_json(io.out, &swept)?;
        return Ok(Exit::Done);
    }
    if swept.items.is_empty() {
        writeln!(io.err, "no token came to it yet")?;
    }
    swept_table(&swept.items).write(io.out)?;
    args.page.tell_rest(&swept, io)?;
    Ok(Exit::Done)
}

fn swept_table(swept: &[SweptView]) -> Table {
    let mut table = Table::new(&["SERIAL", "OUTCOME", ">BEFORE", ">AFTER", "AT", "REASON"]);
    for one in swept {
        table.row([
            one.serial.to_string(),
            one.outcome.clone(),
            or_dash(one.before_ms.map(DriftSeconds::from_millis)),
            or_dash(one.after_ms.map(DriftSeconds::from_millis)),
            one.at.floor_second().to_string(),
            one.reason.clone().unwrap_or_default(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, NOW, Scripted, batch};
    use crate::domain::Policy;
    use crate::face::{JobCounts, PageOf, SweepView};

    fn made(sweep: SweepView) -> Reply {
        let mut batch = batch("june", "running", JobCounts::default());
        batch.sweep = Some(Box::new(sweep));
        Reply::Batch(Box::new(BatchDetail {
            batch,
            policy: Policy::default(),
            recipe: None,
            login_target: None,
            key: None,
            source: None,
        }))
    }

    #[test]
    fn a_sweep_is_asked_for_as_said() {
        let mut desk = Desk::default();
        let station =
            Scripted::new([made(SweepView { serials: 2, threshold_ms: Some(5000), ..SweepView::default() })]);
        let line = "drift resync 86596100000001 86596100000002 --threshold 5 --batch spring --name june";
        assert_eq!(desk.kiln(line, &station), Exit::Done);
        let asked = serde_json::json!({
            "do": "resync", "name": "june", "threshold_s": 5, "of_batch": "spring",
            "serials": ["86596100000001", "86596100000002"], "profile": null, "display_timeout_s": null,
        });
        assert_eq!(station.asked(), [asked]);
        assert_eq!(
            desk.err(),
            "sweep june runs: it sets the clocks of 2 tokens, where they are off by more than 5 s\n\
             put the tokens down one after another, each until its slot says take; look on with: kiln watch\n"
        );
    }

    #[test]
    fn a_display_timeout_is_said_in_words() {
        for (word, seconds) in [("30s", 30), ("2m", 120)] {
            let station = Scripted::new([made(SweepView::default())]);
            let line = format!("drift resync --display-timeout {word}");
            assert_eq!(Desk::default().kiln(&line, &station), Exit::Done);
            assert_eq!(station.asked()[0]["display_timeout_s"], seconds);
        }
        for wrong in ["30", "20h", "soon"] {
            assert!(timeout(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_open_sweep_says_how_it_ends() {
        let mut desk = Desk::default();
        let station =
            Scripted::new([made(SweepView { of_batch: Some("spring".into()), ..SweepView::default() })]);
        assert_eq!(desk.kiln("drift resync --batch spring", &station), Exit::Done);
        assert!(
            desk.err().contains("the tokens of batch spring, where they are off by more than a third"),
            "{}",
            desk.err()
        );
        assert!(desk.err().contains("kiln batch cancel june"), "{}", desk.err());
    }

    #[test]
    fn what_became_of_each_token_is_listed() {
        let one = |serial: &str, outcome: &str, before, after, reason: Option<&str>| SweptView {
            serial: serial.parse().unwrap(),
            at: NOW,
            before_ms: before,
            after_ms: after,
            outcome: outcome.into(),
            reason: reason.map(str::to_owned),
        };
        let items = vec![
            one("86596100000001", "set", Some(-75_240), Some(400), None),
            one("86596100000002", "refused", Some(31_000), None, Some("no key")),
        ];
        let mut desk = Desk::default();
        let station = Scripted::new([Reply::Swept(PageOf { total: 2, items })]);
        assert_eq!(desk.kiln("drift swept june", &station), Exit::Done);
        assert_eq!(
            desk.out(),
            "SERIAL          OUTCOME   BEFORE   AFTER  AT                    REASON\n\
             86596100000001  set      -75.2 s  +0.4 s  2026-01-02T03:04:05Z\n\
             86596100000002  refused  +31.0 s       -  2026-01-02T03:04:05Z  no key\n"
        );
    }
}
