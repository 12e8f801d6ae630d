//! Two days of the root zone, and a third version that tells who gave it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::conform::zones::unpack;

/// The files of the two days.
const DAYS: [&str; 2] = ["root-2026010500.zone", "root-2026010601.zone"];

/// Unpacks the two days into `folder`, and makes the version of the server
/// behind: the first day with every TTL a second longer. `None` if `data` has
/// not got them.
///
/// # Errors
///
/// A file cannot be unpacked, read or written.
pub fn versions(data: &Path, folder: &Path) -> Result<Option<[PathBuf; 3]>> {
    let packed = DAYS.map(|day| data.join(format!("{day}.xz")));
    if !packed.iter().all(|path| path.exists()) {
        return Ok(None);
    }
    let [first, second] = DAYS.map(|day| folder.join(day));
    unpack(&packed[0], &first)?;
    unpack(&packed[1], &second)?;
    let behind = folder.join("root-behind.zone");
    let text = std::fs::read_to_string(&first);
    let text = text.with_context(|| format!("read {}", first.display()))?;
    let lines: Option<String> = text.lines().map(later).collect();
    let lines = lines.with_context(|| format!("{}: a line without TTL", first.display()))?;
    std::fs::write(&behind, lines).with_context(|| format!("write {}", behind.display()))?;
    Ok(Some([first, second, behind]))
}

/// A line of owner, TTL, class, type and data, with a second more.
fn later(line: &str) -> Option<String> {
    let (owner, rest) = line.split_once(char::is_whitespace)?;
    let (ttl, rest) = rest.trim_start().split_once(char::is_whitespace)?;
    let ttl: u32 = ttl.parse().ok()?;
    Some(format!("{owner} {} {rest}\n", ttl + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_added_to_the_ttl_only() {
        let line = "com.\t\t172800\tIN\tNS\t172800.gtld-servers.net.";
        let later = later(line).expect("it has a TTL");
        assert_eq!(later, "com. 172801 IN\tNS\t172800.gtld-servers.net.\n");
        assert_eq!(super::later("com. IN NS a."), None);
    }
}
