//! What can be typed: the tree of verbs with its help texts.
//!
//! `S` stands for the arguments of `kiln simulate`, which speak of virtual tokens: `app` puts them in, since the verbs
//! here know nothing that lies under a station.

use super::{
    activate::ActivateVerb,
    alarms::AlarmsArgs,
    audit::AuditVerb,
    batch::BatchVerb,
    clock::ClockArgs,
    collect::CollectVerb,
    completions::CompletionsArgs,
    device::DeviceVerb,
    diagnose::DiagnoseArgs,
    doctor::DoctorArgs,
    drift::DriftArgs,
    entra_errors::EntraErrorsArgs,
    export::ExportArgs,
    holder::HolderVerb,
    import::ImportArgs,
    init::InitArgs,
    key::KeyVerb,
    man::ManArgs,
    otp::{OtpArgs, OtpVerb},
    otp_read::OtpReadArgs,
    run::Form,
    slots::SlotsArgs,
    stop::StationVerb,
    token::TokenArgs,
    tokens::TokensArgs,
    unlock::UnlockArgs,
    verify::VerifyArgs,
    watch::WatchArgs,
    when::WhenArgs,
    whose::WhoseArgs,
};
use crate::domain::Serial;
use clap::{Args, Parser, Subcommand};

/// Laid out by hand for 80 columns.
const EXAMPLES: &str = "\
A first batch:
  kiln init                                make the vault
  kiln import tokens.csv --batch spring    seeds to burn
  kiln batch start spring                  let the slots take them
  kiln watch                               put tokens on the readers, look on
  kiln verify SERIAL CODE                  prove that a token is right
  kiln export --format entra --batch spring -o spring.csv

Exit status: 0 done; 1 the answer is no; 2 what was asked makes no sense;
3 the environment (a locked vault, no permission, no station). Data goes to
standard output, everything else to standard error.";

/// A station that writes seeds onto OTP hardware tokens
///
/// Without a verb kiln opens its screen on a terminal; elsewhere it shows the state of the station and what to do
/// next. The station runs in the background; the first verb that needs it starts it.
#[derive(Debug, Parser)]
#[command(
    name = "kiln",
    version,
    max_term_width = 100,
    after_help = EXAMPLES
)]
pub struct Cli<S: Args> {
    /// What holds for all verbs.
    #[command(flatten)]
    pub global: Global,
    /// The verb; none: the state and the next steps.
    #[command(subcommand)]
    pub verb: Option<Verb<S>>,
}

/// What holds for all verbs.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Global {
    /// Print data as JSON, one value on a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Only look: whatever would change something is refused
    #[arg(long, global = true)]
    pub read_only: bool,
    /// No screen: what happens in sentences, and a few typed words; for screen readers
    #[arg(long)]
    pub plain: bool,
}

impl Global {
    /// How data is printed.
    pub fn form(self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }
}

/// Every verb.
#[derive(Debug, Subcommand)]
pub enum Verb<S: Args> {
    /// A verb that asks a station.
    #[command(flatten)]
    Asks(Asks),
    /// A verb that is a station, or part of one.
    #[command(flatten)]
    Hosts(Hosts<S>),
    /// What is wrong with the station, the readers, the clock, and what to do
    Doctor(DoctorArgs),
    /// Made of the command line itself.
    #[command(flatten)]
    Papers(Papers),
    /// Seeds, codes and QR codes, without a station or a token; the codes of a key on a slot
    #[command(subcommand)]
    Otp(Otp),
    /// Why is a code rejected?
    Diagnose(Box<DiagnoseArgs>),
    /// Be the station, or end it
    #[command(subcommand)]
    Station(StationVerb),
}

/// `kiln otp`: all but one of its verbs ask nobody.
#[derive(Debug, Subcommand)]
pub enum Otp {
    /// By [`super::run_otp`].
    #[command(flatten)]
    Alone(OtpVerb),
    /// Show the codes of the key with an OATH applet (YubiKey, Nitrokey, Solo, CanoKey) that lies on a slot
    Read(OtpReadArgs),
}

/// Verbs that ask a station, and start it where none runs.
#[derive(Debug, Subcommand)]
pub enum Asks {
    /// Make the vault, which keeps the seeds encrypted, and its first holder
    Init(InitArgs),
    /// Open the vault: burns, imports and exports need it
    Unlock(UnlockArgs),
    /// Close the vault; burns in hand end first
    Lock,
    /// Who can open the vault
    #[command(subcommand)]
    Holder(HolderVerb),
    /// Read seeds from a file: to burn them, or to record what tokens hold
    Import(ImportArgs),
    /// Batches: what is burned, and in which order
    #[command(subcommand)]
    Batch(BatchVerb),
    /// The state of the station: one look
    Status,
    /// What wants a person, until it is read or over
    Alarms(AlarmsArgs),
    /// What happens, as it happens
    Watch(WatchArgs),
    /// The inventory
    Tokens(TokensArgs),
    /// All about one token
    Token(TokenArgs),
    /// Prove that a token shows the right code
    Verify(VerifyArgs),
    /// `kiln diagnose --token`, which shares its word with a verb that asks nobody.
    #[command(skip)]
    Diagnose(Box<DiagnoseArgs>, Serial),
    /// Which token of the inventory shows this code?
    Whose(WhoseArgs),
    /// When did a token show this code?
    When(WhenArgs),
    /// The tokens' clocks: how they run, and when they will be too far off for their servers
    Drift(DriftArgs),
    /// Write what is burned, in a server's format
    Export(Box<ExportArgs>),
    /// Codes for a server that takes an uploaded token only after it was given one
    #[command(subcommand)]
    Activate(ActivateVerb),
    /// What Entra ID said about an upload, mapped back to tokens
    EntraErrors(EntraErrorsArgs),
    /// The slots, and names for them that stay
    Slots(SlotsArgs),
    /// Serials of tokens, tapped, scanned or typed
    #[command(subcommand)]
    Collect(CollectVerb),
    /// Factory reset and customer-key change of a token
    #[command(subcommand)]
    Device(DeviceVerb),
    /// The station's own clock, which tokens are set from
    Clock(ClockArgs),
    /// Customer keys, by name, in the vault
    #[command(subcommand)]
    Key(KeyVerb),
    /// The log of who did what when
    #[command(subcommand)]
    Audit(AuditVerb),
    /// `kiln otp read`, which shares its first word with verbs that ask nobody.
    #[command(skip)]
    OtpRead(OtpReadArgs),
    /// `kiln station stop`, which shares its first word with a verb that asks nobody.
    #[command(skip)]
    StationStop,
}

/// Verbs that write what is made of the command line itself.
#[derive(Debug, Subcommand)]
pub enum Papers {
    /// A script that lets a shell complete kiln's verbs and options
    Completions(CompletionsArgs),
    /// The manual pages
    Man(ManArgs),
}

/// Verbs that compose something and run until it ends.
#[derive(Debug, Subcommand)]
pub enum Hosts<S: Args> {
    /// All of it, on virtual tokens, in a throw-away home
    Demo(DemoArgs),
    /// One virtual token, behind a virtual reader of pcscd
    Simulate(S),
    /// `kiln station run`.
    #[command(skip)]
    StationRun {
        /// Go to the background once ready.
        detached: bool,
    },
}

/// `kiln demo`
#[derive(Debug, Clone, Copy, Args)]
pub struct DemoArgs {
    /// No screen: events as lines, and a summary; ends by itself
    #[arg(long)]
    pub headless: bool,
    /// How many slots
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub slots: u16,
    /// How many tokens
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub tokens: u32,
}

/// Where a command line is carried out.
#[derive(Debug)]
pub enum Route<S: Args> {
    /// By [`super::run`], with a connection to a station; `None` is `kiln` alone.
    Asks(Option<Asks>),
    /// By [`super::run_otp`].
    Otp(OtpArgs),
    /// By [`super::run_doctor`], with what `app` can look at.
    Doctor(DoctorArgs),
    /// By [`super::run_papers`], with the tree that `app` completes.
    Papers(Papers),
    /// By [`super::run_diagnose`].
    Diagnose(Box<DiagnoseArgs>),
    /// By `app`.
    Hosts(Hosts<S>),
}

impl<S: Args> Cli<S> {
    /// Where it is carried out.
    pub fn route(self) -> (Global, Route<S>) {
        let route = match self.verb {
            None => Route::Asks(None),
            Some(Verb::Asks(asks)) => Route::Asks(Some(asks)),
            Some(Verb::Otp(Otp::Alone(verb))) => Route::Otp(OtpArgs { verb }),
            Some(Verb::Otp(Otp::Read(args))) => Route::Asks(Some(Asks::OtpRead(args))),
            Some(Verb::Diagnose(args)) => match args.token.clone() {
                Some(serial) => Route::Asks(Some(Asks::Diagnose(args, serial))),
                None => Route::Diagnose(args),
            },
            Some(Verb::Doctor(args)) => Route::Doctor(args),
            Some(Verb::Papers(papers)) => Route::Papers(papers),
            Some(Verb::Hosts(hosts)) => Route::Hosts(hosts),
            Some(Verb::Station(StationVerb::Stop)) => Route::Asks(Some(Asks::StationStop)),
            Some(Verb::Station(StationVerb::Run { detached })) => {
                Route::Hosts(Hosts::StationRun { detached })
            }
        };
        (self.global, route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    use crate::cli::testing::NoArgs;

    fn parse(line: &str) -> Result<Cli<NoArgs>, clap::Error> {
        Cli::try_parse_from(std::iter::once("kiln").chain(line.split_whitespace()))
    }

    #[test]
    fn the_tree_of_verbs_is_sound() {
        Cli::<NoArgs>::command().debug_assert();
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for line in [
            "import f --batch a --inventory",
            "import f --inventory --key k",
            "import f --batch a --hash md5",
            "import f --batch a --on-foreign maybe",
            "import f --batch a --seen 1",
            "import f --batch a --encoding ascii",
            "entra-errors",
            "import",
            "batch new a --count 0 --model m --recipe r",
            "batch show a --state gone",
            "holder add a --age age1x --ssh f",
            "unlock --identity f --passphrase-file g",
            "init --ssh f --passphrase-file g",
            "key add a",
            "key add a --hex --ascii",
            "drift resync --threshold -3",
            "drift resync --threshold soon",
            "drift swept",
            "token",
            "token 1 allow 1 --replace",
            "token allow 1",
            "token allow 1 --replace --try-key",
            "token 8.65962E+13",
            "verify 1",
            "export",
            "export --format xls",
            "clock override",
            "clock override --for 30",
            "tokens --limit 0",
            "alarms read",
            "alarms read 3 --all",
            "tokens --all --limit 5",
            "demo --slots 0",
            "completions",
            "completions cmd",
            "drift --before soon",
            "drift --batch a show 0012",
            "station",
            "fire",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn each_verb_is_carried_out_where_it_belongs() {
        for (line, asks) in [
            ("", true),
            ("init --age age1x --name safe", true),
            ("unlock -i key", true),
            ("lock", true),
            ("holder list", true),
            ("import - --inventory --dry-run", true),
            ("batch list", true),
            ("status --read-only", true),
            ("alarms", true),
            ("alarms read 3 4", true),
            ("watch --until-done a", true),
            ("tokens alice --all", true),
            ("token 0012", true),
            ("token scrap 0012", true),
            ("drift resync --batch a --threshold 0", true),
            ("drift resync 0012 0013 --profile 3", true),
            ("drift swept a --limit 3", true),
            ("verify 0012 123456", true),
            ("drift alice --before 2027-06-01 --all", true),
            ("drift show 0012", true),
            ("export --format report -o -", true),
            ("entra-errors errors.csv", true),
            ("clock override --for 2h", true),
            ("key list", true),
            ("audit show --limit 3", true),
            ("station stop", true),
            ("station run", false),
            ("doctor --no-start", false),
            ("completions fish", false),
            ("man pages", false),
            ("demo --headless --slots 3 --tokens 200", false),
        ] {
            let (_, route) = parse(line).unwrap_or_else(|error| panic!("{line}: {error}")).route();
            assert_eq!(matches!(route, Route::Asks(_)), asks, "{line}: {route:?}");
        }
        assert!(matches!(
            parse("station run --detached").unwrap().route().1,
            Route::Hosts(Hosts::StationRun { detached: true })
        ));
    }

    #[test]
    fn json_and_read_only_may_stand_before_or_after_the_verb() {
        for line in
            ["--json --read-only status", "status --json --read-only", "batch --json list --read-only"]
        {
            let global = parse(line).unwrap().global;
            assert!(global.json && global.read_only, "{line}");
        }
        for line in ["--json otp code", "otp --json code", "otp code --json"] {
            let Route::Otp(otp) = parse(line).unwrap().route().1 else { panic!("{line}") };
            assert!(format!("{otp:?}").contains("json: true"), "{line}");
        }
    }

    #[test]
    fn help_that_is_laid_out_by_hand_fits_80_columns() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.lines().all(|line| line.chars().count() <= 80), "{}: {help}", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Cli::<NoArgs>::command());
    }
}
