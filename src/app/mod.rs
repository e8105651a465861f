//! Composition: the one place that knows every part. Each of the programs that kiln is, the station, the demo and the
//! virtual token, is put together here from paths, a clock and a source of links.

pub mod simulate;
pub mod system_clock;
