//! `kiln tokens [QUERY]`: the inventory.

use super::{
    Ask, CliError, Exit, Io,
    ask::answer,
    run::{Form, print_json},
    table::{Table, or_dash},
};
use crate::face::{Command, Page, PageOf, Reply, TokenLine};
use clap::Args;

/// The most that the station gives at once.
const LARGEST_PAGE: u32 = 1000;

/// Which page of a long list.
#[derive(Debug, Clone, Copy, Args)]
pub struct PageArgs {
    /// Show so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=i64::from(LARGEST_PAGE)))]
    pub limit: u32,
    /// Pass over so many
    #[arg(long, default_value_t = 0)]
    pub offset: u32,
    /// Show them all
    #[arg(long, conflicts_with_all = ["limit", "offset"])]
    pub all: bool,
}

impl PageArgs {
    /// Asks for the page, or for page after page, with `ask`.
    pub fn fetch<T>(
        self,
        mut ask: impl FnMut(Page) -> Result<PageOf<T>, CliError>,
    ) -> Result<PageOf<T>, CliError> {
        if !self.all {
            return ask(Page { offset: self.offset, limit: self.limit });
        }
        let mut all = ask(Page { offset: 0, limit: LARGEST_PAGE })?;
        while (all.items.len() as u64) < all.total {
            let offset = u32::try_from(all.items.len()).unwrap_or(u32::MAX);
            let next = ask(Page { offset, limit: LARGEST_PAGE })?;
            if next.items.is_empty() {
                break;
            }
            all.total = next.total;
            all.items.extend(next.items);
        }
        Ok(all)
    }

    /// Says on `io.err` how much more there is.
    pub fn tell_rest<T>(self, page: &PageOf<T>, io: &mut Io<'_>) -> Result<(), CliError> {
        let shown = page.items.len() as u64;
        if shown < page.total && !self.all {
            writeln!(
                io.err,
                "{shown} of {} shown; --all, or --limit and --offset, show the others",
                page.total
            )?;
        }
        Ok(())
    }
}

/// `kiln tokens`
#[derive(Debug, Args)]
pub struct TokensArgs {
    /// Only tokens with this text in their serial, user, model or batch
    pub query: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

/// How sure it is that the token shows the right codes, in a word.
pub fn proof(token: &TokenLine) -> String {
    if token.scrapped.is_some() { "scrapped".into() } else { or_dash(token.proof) }
}

/// Asks and prints.
pub fn run(args: TokensArgs, form: Form, io: &mut Io<'_>, station: &mut dyn Ask) -> Result<Exit, CliError> {
    let query = args.query.unwrap_or_default();
    let page = args.page.fetch(|page| {
        Ok(answer!(station, Command::Tokens { query: query.clone(), page }, Reply::Tokens(page) => page))
    })?;
    if form == Form::Json {
        print_json(io.out, &page)?;
        return Ok(Exit::Done);
    }
    if page.total == 0 {
        writeln!(
            io.err,
            "{}",
            if query.is_empty() { "no tokens on record yet" } else { "no such token on record" }
        )?;
    }
    let mut table = Table::new(&["SERIAL", "MODEL", ">PROFILES", "PROOF", "USER"]);
    for token in &page.items {
        table.row([
            token.serial.to_string(),
            or_dash(token.model.as_ref()),
            token.profiles.to_string(),
            proof(token),
            or_dash(token.upn.as_ref()),
        ]);
    }
    table.write(io.out)?;
    args.page.tell_rest(&page, io)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Desk, Scripted, token_line as line};

    #[test]
    fn the_inventory_is_a_table_and_says_what_it_does_not_show() {
        let station = Scripted::new([Reply::Tokens(PageOf { total: 3, items: vec![line("0012345678901")] })]);
        let mut desk = Desk::default();
        assert_eq!(desk.kiln("tokens alice --limit 1", &station), Exit::Done);
        assert_eq!(
            desk.out(),
            "SERIAL         MODEL        PROFILES  PROOF    USER\n\
             0012345678901  miniotp-2-i         1  written  alice@example.com\n"
        );
        assert_eq!(desk.err(), "1 of 3 shown; --all, or --limit and --offset, show the others\n");
        assert_eq!(
            station.asked(),
            [serde_json::json!({"do": "tokens", "query": "alice", "page": {"offset": 0, "limit": 1}})]
        );
    }

    #[test]
    fn all_of_them_come_page_by_page_as_one_list() {
        let page = |items| Reply::Tokens(PageOf { total: 3, items });
        let station = Scripted::new([page(vec![line("1"), line("2")]), page(vec![line("3")])]);
        let mut desk = Desk::default();
        assert_eq!(desk.kiln("tokens --all --json", &station), Exit::Done);
        let printed: PageOf<TokenLine> =
            serde_json::from_value(serde_json::from_str(&desk.out()).unwrap()).unwrap();
        assert_eq!(printed.items, ["1", "2", "3"].map(line));
        assert_eq!(station.asked()[1]["page"]["offset"], 2);
    }
}
