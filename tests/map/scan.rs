//! Which paths a Rust source file names. Not a parser of Rust, only of what the map's guard needs: comments, strings
//! and lifetimes are skipped, `use` trees are unfolded, `self::` and `super::` are resolved, and for each path it is
//! told whether it stands in test code.

/// A path that a file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The path's parts. A path into the crate itself starts with `crate`, however it was written; a glob ends in `*`.
    pub path: Vec<String>,
    /// The line of its first part, from 1.
    pub line: usize,
    /// Whether it stands under `#[cfg(test)]`.
    pub in_test: bool,
}

impl Named {
    /// The path as one would write it.
    pub fn text(&self) -> String {
        self.path.join("::")
    }
}

/// Every path in `source`, in order. `module` is where the file stands in the crate: `["drivers", "pcsc"]` for
/// `src/drivers/pcsc.rs`.
pub fn paths(source: &str, module: &[&str]) -> Vec<Named> {
    let module = module.iter().map(|part| (*part).to_owned()).collect();
    let mut walk =
        Walk { tokens: tokens(source), at: 0, module, scopes: Vec::new(), pending: false, found: vec![] };
    walk.run();
    walk.found
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Word(String),
    /// `::`
    Sep,
    Sign(char),
}

#[derive(Debug, Clone)]
struct Token {
    kind: Kind,
    line: usize,
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let peek = |at: usize| chars.get(at).copied().unwrap_or('\0');
    let (mut out, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let start = at;
        let kind = match chars[at] {
            '/' if peek(at + 1) == '/' => {
                while at < chars.len() && chars[at] != '\n' {
                    at += 1;
                }
                None
            }
            '/' if peek(at + 1) == '*' => {
                at = after_block_comment(&chars, at);
                None
            }
            '"' => {
                at = after_string(&chars, at);
                None
            }
            '\'' if peek(at + 1) == '\\' => {
                at += 3;
                while at < chars.len() && chars[at] != '\'' {
                    at += 1;
                }
                at += 1;
                None
            }
            '\'' if peek(at + 2) == '\'' => {
                at += 3;
                None
            }
            // A lifetime: its name is no path.
            '\'' => {
                at += 1;
                while is_word(peek(at)) {
                    at += 1;
                }
                None
            }
            ':' if peek(at + 1) == ':' => {
                at += 2;
                Some(Kind::Sep)
            }
            c if is_word(c) => {
                while is_word(peek(at)) {
                    at += 1;
                }
                let word: String = chars[start..at].iter().collect();
                if let Some(end) = after_prefixed_string(&chars, at, &word) {
                    at = end;
                    None
                } else if word == "r" && peek(at) == '#' {
                    // A raw identifier: the word follows.
                    at += 1;
                    None
                } else {
                    (!c.is_ascii_digit()).then_some(Kind::Word(word))
                }
            }
            c => {
                at += 1;
                (!c.is_whitespace()).then_some(Kind::Sign(c))
            }
        };
        out.extend(kind.map(|kind| Token { kind, line }));
        line += chars[start..at.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    out
}

fn after_block_comment(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// `at` is at the opening quote.
fn after_string(chars: &[char], mut at: usize) -> usize {
    at += 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The end of a string that starts with the word before `at` as its prefix: `b"…"`, `r#"…"#`, `cr"…"`.
fn after_prefixed_string(chars: &[char], at: usize, word: &str) -> Option<usize> {
    if !matches!(word, "b" | "c" | "r" | "br" | "cr") {
        return None;
    }
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + hashes) != Some(&'"') {
        return None;
    }
    if !word.ends_with('r') {
        return (hashes == 0).then(|| after_string(chars, at));
    }
    let mut end = at + hashes + 1;
    while end < chars.len() {
        let closes = chars[end] == '"'
            && chars[end + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
        end += 1;
        if closes {
            return Some(end + hashes);
        }
    }
    Some(end)
}

/// What an opening bracket opened.
struct Scope {
    module: Option<String>,
    test: bool,
}

struct Walk {
    tokens: Vec<Token>,
    at: usize,
    module: Vec<String>,
    scopes: Vec<Scope>,
    /// `#[cfg(test)]` was seen; the item it belongs to has not ended yet.
    pending: bool,
    found: Vec<Named>,
}

impl Walk {
    fn kind(&self, ahead: usize) -> Option<&Kind> {
        self.tokens.get(self.at + ahead).map(|token| &token.kind)
    }

    fn sign(&self, ahead: usize, c: char) -> bool {
        self.kind(ahead) == Some(&Kind::Sign(c))
    }

    fn word(&self, ahead: usize) -> Option<&str> {
        match self.kind(ahead) {
            Some(Kind::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn in_test(&self) -> bool {
        self.pending || self.scopes.iter().any(|scope| scope.test)
    }

    fn run(&mut self) {
        while let Some(kind) = self.kind(0).cloned() {
            match kind {
                Kind::Sign('#') => self.attribute(),
                Kind::Sign('{') => self.open(None),
                // Inside round and square brackets a semicolon ends no item.
                Kind::Sign('(' | '[') => {
                    let test = self.in_test();
                    self.scopes.push(Scope { module: None, test });
                    self.at += 1;
                }
                Kind::Sign(close @ ('}' | ')' | ']')) => {
                    self.scopes.pop();
                    if close == '}' {
                        self.pending = false;
                    }
                    self.at += 1;
                }
                Kind::Sign(';') => {
                    self.pending = false;
                    self.at += 1;
                }
                Kind::Word(word) if word == "mod" && self.word(1).is_some() && self.sign(2, '{') => {
                    let name = self.word(1).map(str::to_owned);
                    self.at += 2;
                    self.open(name);
                }
                Kind::Word(word) if word == "use" => {
                    self.at += 1;
                    self.tree(&[]);
                }
                Kind::Word(_) => self.tree(&[]),
                Kind::Sep | Kind::Sign(_) => self.at += 1,
            }
        }
    }

    fn open(&mut self, module: Option<String>) {
        let test = std::mem::take(&mut self.pending);
        self.scopes.push(Scope { module, test });
        self.at += 1;
    }

    /// `#[…]` or `#![…]`, to its closing bracket.
    fn attribute(&mut self) {
        self.at += 1;
        let inner = self.sign(0, '!');
        self.at += usize::from(inner);
        if !self.sign(0, '[') {
            return;
        }
        let (mut depth, mut words) = (0, Vec::new());
        while let Some(kind) = self.kind(0) {
            match kind {
                Kind::Sign('[') => depth += 1,
                Kind::Sign(']') => depth -= 1,
                Kind::Word(word) => words.push(word.clone()),
                Kind::Sep | Kind::Sign(_) => {}
            }
            self.at += 1;
            if depth == 0 {
                break;
            }
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if matches!(words[..], ["cfg", "test"] | ["cfg", "all", "test", ..]) {
            match self.scopes.last_mut() {
                Some(scope) if inner => scope.test = true,
                _ => self.pending = true,
            }
        }
    }

    /// A path, or a `use` tree, under `prefix`.
    fn tree(&mut self, prefix: &[String]) {
        let mut path = prefix.to_vec();
        let Some(line) = self.tokens.get(self.at).map(|token| token.line) else { return };
        self.at += usize::from(self.kind(0) == Some(&Kind::Sep));
        loop {
            if self.sign(0, '{') && (path.len() > prefix.len() || prefix.is_empty()) {
                return self.group(&path);
            }
            if self.sign(0, '*') {
                path.push("*".to_owned());
                self.at += 1;
                break;
            }
            let Some(word) = self.word(0).map(str::to_owned) else { break };
            path.push(word);
            self.at += 1;
            if self.kind(0) != Some(&Kind::Sep) {
                break;
            }
            self.at += 1;
        }
        // `crate` alone is a visibility (`pub(crate)`), unless it is imported under another name.
        if path.len() > 1 || path[..] != ["crate"] || self.word(0) == Some("as") {
            self.record(path, line);
        }
    }

    fn group(&mut self, prefix: &[String]) {
        self.at += 1;
        while self.kind(0).is_some() && !self.sign(0, '}') {
            let before = self.at;
            if self.word(0) == Some("as") {
                self.at += 2;
            } else if self.sign(0, ',') {
                self.at += 1;
            } else {
                self.tree(prefix);
            }
            // Whatever this is, it must not hold up the scan.
            self.at += usize::from(self.at == before);
        }
        self.at += 1;
    }

    fn record(&mut self, mut path: Vec<String>, line: usize) {
        if path.is_empty() {
            return;
        }
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        if matches!(path[0].as_str(), "self" | "super") && path.len() > 1 {
            let mut base = self.module.clone();
            base.extend(self.scopes.iter().filter_map(|scope| scope.module.clone()));
            let ups = path.iter().take_while(|part| matches!(part.as_str(), "self" | "super")).count();
            let supers = path[..ups].iter().filter(|part| *part == "super").count();
            base.truncate(base.len().saturating_sub(supers));
            path = std::iter::once("crate".to_owned()).chain(base).chain(path.drain(ups..)).collect();
        }
        if !path.is_empty() {
            let in_test = self.in_test();
            self.found.push(Named { path, line, in_test });
        }
    }
}
