//! A corpus in one file: each input as its length, 16 bits, and its octets.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

/// The most inputs that are kept, so that the file stays small and its replay
/// short.
const MOST: usize = 400;

/// Writes the inputs of a folder into one file, the shortest first, as many as
/// are kept; returns how many.
///
/// # Errors
/// When a file cannot be read or written, or an input is longer than 65535
/// octets.
pub fn pack(folder: &Path, file: &Path) -> Result<usize> {
    let mut inputs = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry.context("read a folder")?.path();
        inputs.push(fs::read(&path).with_context(|| format!("read {}", path.display()))?);
    }
    inputs.sort_by_key(|input| (input.len(), input.clone()));
    inputs.truncate(MOST);
    let octets = packed(&inputs)?;
    fs::write(file, octets).with_context(|| format!("write {}", file.display()))?;
    Ok(inputs.len())
}

/// Writes the inputs of a file into a folder, as files of their own; does
/// nothing if there is no such file.
///
/// # Errors
/// When a file cannot be read or written.
pub fn unpack(file: &Path, folder: &Path) -> Result<()> {
    if !file.exists() {
        return Ok(());
    }
    let octets = fs::read(file).with_context(|| format!("read {}", file.display()))?;
    for (number, input) in inputs(&octets).enumerate() {
        let path = folder.join(format!("kept-{number:04}"));
        fs::write(&path, input).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

fn packed(inputs: &[Vec<u8>]) -> Result<Vec<u8>> {
    let mut octets = Vec::new();
    for input in inputs {
        let length = u16::try_from(input.len()).context("an input is too long")?;
        octets.extend(length.to_be_bytes());
        octets.extend(input);
    }
    Ok(octets)
}

fn inputs(mut octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = octets.split_first_chunk::<2>()?;
        let (input, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        octets = rest;
        Some(input)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let all = vec![vec![], vec![1], vec![0xff; 700], b"text\n".to_vec()];
        let octets = packed(&all).expect("short inputs");
        assert!(inputs(&octets).eq(all.iter().map(Vec::as_slice)));
        assert!(packed(&[vec![0; 65_536]]).is_err());
    }
}
