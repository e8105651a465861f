//! The words for what can be written, and which options belong to which.

use crate::{
    cli::seed_input::Format as Spelling,
    face::{Clocked, DuoKind, ExportFormat},
};
use clap::{Args, ValueEnum};

/// What can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Entra ID's hardware OATH CSV
    Entra,
    /// Microsoft Graph, body of a bulk upload of hardwareOathDevices
    Graph,
    /// Deepnet tseeds.csv: serial and seed of time-based tokens
    Tseeds,
    /// Deepnet hseeds.csv: serial and seed of counter-based tokens
    Hseeds,
    /// DualShield XML of time-based tokens (tseeds.xml)
    #[value(alias = "dualshield")]
    TseedsXml,
    /// DualShield XML of counter-based tokens (hseeds.xml)
    HseedsXml,
    /// PSKC, RFC 6030: plain, or with --pskc-password or --pskc-key
    Pskc,
    /// privacyIDEA's OATH CSV
    Privacyidea,
    /// The fields of Okta's factor call as a table
    Okta,
    /// Lines to paste into Duo: TOTP, 6 digits
    #[value(name = "duo-totp6")]
    DuoTotp6,
    /// Lines to paste into Duo: TOTP, 8 digits
    #[value(name = "duo-totp8")]
    DuoTotp8,
    /// Lines to paste into Duo: HOTP, 6 digits
    #[value(name = "duo-hotp6")]
    DuoHotp6,
    /// Lines to paste into Duo: HOTP, 8 digits
    #[value(name = "duo-hotp8")]
    DuoHotp8,
    /// Key URIs (otpauth://), one in each line
    KeyUris,
    /// QR codes for print, one HTML page
    QrSheet,
    /// QR codes, a PNG picture of each in the directory -o DIR
    QrPng,
    /// Labels for tokens (serial, user, titles, Code 128): no seeds
    Labels,
    /// One line for each profile: no seeds
    Report,
}

/// Choices that a format leaves.
#[derive(Debug, Default, Args)]
pub struct FormatArgs {
    /// entra: spell the fourth column `timeinterval`, as older pages do
    #[arg(long, help_heading = "Choices of a format")]
    old_interval_column: bool,
    /// tseeds, hseeds, okta: how seeds are spelled [default: base32; hseeds: hex]
    #[arg(long, value_name = "SPELLING", help_heading = "Choices of a format")]
    spelling: Option<Spelling>,
    /// pskc: spell hashes and encrypt as privacyIDEA understands
    #[arg(long, help_heading = "Choices of a format")]
    pub(super) for_privacyidea: bool,
    /// tseeds-xml, hseeds-xml: the manufacturer's code [default: DN]
    #[arg(long, value_name = "CODE", help_heading = "Choices of a format")]
    manufacturer_code: Option<String>,
    /// tseeds-xml, hseeds-xml: the product's code [default for tseeds-xml: ST]
    #[arg(long, value_name = "CODE", help_heading = "Choices of a format")]
    product_code: Option<String>,
    /// okta: the factor profile's id
    #[arg(long, value_name = "ID", help_heading = "Choices of a format")]
    factor_profile: Option<String>,
    /// labels: a QR code of the serial instead of Code 128
    #[arg(long, help_heading = "Choices of a format")]
    qr: bool,
    /// labels: an HTML page to print, instead of SVG
    #[arg(long, help_heading = "Choices of a format")]
    html: bool,
}

impl Format {
    /// What the station is asked for.
    pub fn face(self, args: &FormatArgs) -> ExportFormat {
        let encoding = args.spelling.map(Into::into);
        let xml = |kind| ExportFormat::DualShieldXml {
            kind,
            manufacturer_code: args.manufacturer_code.clone(),
            product_code: args.product_code.clone(),
        };
        match self {
            Self::Entra => ExportFormat::EntraCsv { old_interval_column: args.old_interval_column },
            Self::Graph => ExportFormat::GraphJson,
            Self::Tseeds => ExportFormat::DeepnetCsv { kind: Clocked::Time, encoding },
            Self::Hseeds => ExportFormat::DeepnetCsv { kind: Clocked::Counter, encoding },
            Self::TseedsXml => xml(Clocked::Time),
            Self::HseedsXml => xml(Clocked::Counter),
            Self::Pskc => ExportFormat::Pskc { for_privacyidea: args.for_privacyidea },
            Self::Privacyidea => ExportFormat::PrivacyideaCsv,
            Self::Okta => ExportFormat::OktaCsv { encoding, factor_profile: args.factor_profile.clone() },
            Self::DuoTotp6 => ExportFormat::Duo { kind: DuoKind::Totp6 },
            Self::DuoTotp8 => ExportFormat::Duo { kind: DuoKind::Totp8 },
            Self::DuoHotp6 => ExportFormat::Duo { kind: DuoKind::Hotp6 },
            Self::DuoHotp8 => ExportFormat::Duo { kind: DuoKind::Hotp8 },
            Self::KeyUris => ExportFormat::KeyUris,
            Self::QrSheet => ExportFormat::QrSheet,
            Self::QrPng => ExportFormat::QrCodes,
            Self::Labels => ExportFormat::Labels { qr: args.qr, html: args.html },
            Self::Report => ExportFormat::Report,
        }
    }

    /// The first option that was given and belongs to other formats, with those.
    pub fn foreign_option(self, args: &FormatArgs) -> Option<(&'static str, &'static str)> {
        let deepnet = matches!(self, Self::TseedsXml | Self::HseedsXml);
        let spelled = matches!(self, Self::Tseeds | Self::Hseeds | Self::Okta);
        [
            (args.old_interval_column, self == Self::Entra, "--old-interval-column", "entra"),
            (args.spelling.is_some(), spelled, "--spelling", "tseeds, hseeds and okta"),
            (args.for_privacyidea, self == Self::Pskc, "--for-privacyidea", "pskc"),
            (args.manufacturer_code.is_some(), deepnet, "--manufacturer-code", "tseeds-xml and hseeds-xml"),
            (args.product_code.is_some(), deepnet, "--product-code", "tseeds-xml and hseeds-xml"),
            (args.factor_profile.is_some(), self == Self::Okta, "--factor-profile", "okta"),
            (args.qr, self == Self::Labels, "--qr", "labels"),
            (args.html, self == Self::Labels, "--html", "labels"),
        ]
        .into_iter()
        .find(|(given, belongs, ..)| *given && !belongs)
        .map(|(_, _, option, formats)| (option, formats))
    }

    /// Whether a server reads it, so that there is something to look at before it is written.
    pub fn is_for_servers(self) -> bool {
        !matches!(self, Self::Labels | Self::Report)
    }
}
