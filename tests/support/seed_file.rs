//! Seed files as servers and vendors write them, with seeds of the test's own.

use std::fmt::Write as _;

/// One line.
#[derive(Debug, Clone)]
pub struct Line {
    /// The user.
    pub upn: String,
    /// The token.
    pub serial: String,
    /// Its seed.
    pub seed: Vec<u8>,
    /// In seconds.
    pub period: u32,
    /// What the model column says.
    pub model: String,
}

impl Line {
    /// For user number `user`, with a random seed of 20 bytes and a period of 30 s.
    pub fn new(user: u32, serial: &str, model: &str) -> Self {
        Self {
            upn: format!("user{user}@example.com"),
            serial: serial.to_owned(),
            seed: random(20),
            period: 30,
            model: model.to_owned(),
        }
    }

    /// The seed as the file has it.
    pub fn base32(&self) -> String {
        data_encoding::BASE32_NOPAD.encode(&self.seed)
    }
}

/// Random bytes.
pub fn random(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

/// Entra ID's six columns, as its documentation spells them.
pub fn entra(lines: &[Line]) -> String {
    let mut text = String::from("upn,serial number,secret key,time interval,manufacturer,model\n");
    for line in lines {
        let Line { upn, serial, period, model, .. } = line;
        let _ = writeln!(text, "{upn},{serial},{},{period},Token2,{model}", line.base32());
    }
    text
}
