//! `kiln otp secret`: a random seed.

use super::{Exit, Io, OtpError, print_json, xml};
use crate::{
    cli::seed_input::Format,
    domain::{Seed, seed_text},
};
use serde::Serialize;
use zeroize::Zeroizing;

/// Arguments of `kiln otp secret`.
#[derive(Debug, Clone, clap::Args)]
pub struct SecretArgs {
    /// Length of the seed in bytes
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..))]
    bytes: u8,
    /// How to spell it
    #[arg(long, value_name = "FORMAT", default_value = "base32")]
    format: Format,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print the adapter's document `<Secret>…</Secret>`, in base32
    #[arg(long, conflicts_with_all = ["json", "format"])]
    xml: bool,
}

#[derive(Serialize)]
struct Shape<'a> {
    secret: &'a str,
    encoding: String,
    bytes: usize,
}

pub(super) fn run(args: &SecretArgs, io: &mut Io<'_>) -> Result<Exit, OtpError> {
    if args.xml {
        return xml::answer(io, |_| {
            let seed = random(args.bytes)?;
            Ok(xml::Answer::Secret(seed_text::base32(&seed)))
        });
    }
    let seed = random(args.bytes)?;
    if seed.len_bytes() < Seed::RFC_MIN_BYTES {
        io.note(seed_text::Note::Short { bytes: seed.len_bytes() })?;
    }
    let text = seed_text::encode(&seed, args.format.into());
    if args.json {
        let encoding = seed_text::Encoding::from(args.format).to_string();
        print_json(&Shape { secret: &text, encoding, bytes: seed.len_bytes() }, io)?;
    } else {
        writeln!(io.out, "{}", *text)?;
    }
    Ok(Exit::Done)
}

fn random(bytes: u8) -> Result<Seed, OtpError> {
    let mut buffer = Zeroizing::new(vec![0; usize::from(bytes)]);
    getrandom::fill(&mut buffer).map_err(OtpError::Random)?;
    Ok(Seed::new(buffer.as_slice()))
}
