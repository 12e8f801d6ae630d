//! What a zone was read from, to tell later whether it is still the same text.
//!
//! A text is kept as digests of its blocks: so a text that has changed near its
//! start, as every zone with another serial has, is known for another without
//! reading it all. The digests are of the octets that were parsed, and of none
//! that were read again: a file that changes while it is read is told from what
//! it becomes.
//!
//! What an `$INCLUDE` names follows from the text that it stands in, so equal
//! texts under the same paths, in their order, make the same zone.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Octets of a block.
const BLOCK: usize = 1 << 20;

/// A text without its octets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Digests {
    octets: u64,
    /// Of each block, the last perhaps shorter; 256 bits each, so that nobody
    /// finds another text with the same.
    blocks: Vec<blake3::Hash>,
}

/// The texts of a zone: its own file, and those that it includes.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    files: Vec<(PathBuf, Digests)>,
    /// Those that were no files: what they held nobody can read again.
    pipes: Vec<PathBuf>,
}

impl Texts {
    /// Whether whoever reads the zone again reads the same.
    #[must_use]
    pub fn are_unchanged(&self) -> bool {
        self.pipes.is_empty() && self.files_are_unchanged()
    }

    /// Whether the files are there and hold the same octets; pipes hold nothing.
    ///
    /// One that cannot be read is another: whoever reads it says why.
    #[must_use]
    pub fn files_are_unchanged(&self) -> bool {
        // A file stands behind those that it includes, and changes most.
        let mut files = self.files.iter().rev();
        files.all(|(path, digests)| is_unchanged(path, digests).unwrap_or(false))
    }

    /// Whether they are known to make the same zone as others.
    #[must_use]
    pub fn are_the_same_as(&self, others: &Self) -> bool {
        let are_files = self.pipes.is_empty() && others.pipes.is_empty();
        are_files && self.files == others.files
    }

    /// Those that cannot be read again.
    #[must_use]
    pub fn pipes(&self) -> &[PathBuf] {
        &self.pipes
    }

    /// Adds a file that was read to its end.
    pub(super) fn add_file<R>(&mut self, path: &Path, text: Digesting<R>) {
        self.files.push((path.to_path_buf(), text.finish()));
    }

    /// Adds a pipe that was read to its end.
    pub(super) fn add_pipe(&mut self, path: &Path) {
        self.pipes.push(path.to_path_buf());
    }
}

/// Reads no further than the first block that differs.
fn is_unchanged(path: &Path, digests: &Digests) -> io::Result<bool> {
    // Asked before it is opened: a pipe that is opened and closed again takes
    // its writer along.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() != digests.octets {
        return Ok(false);
    }
    let mut file = File::open(path)?;
    let mut block = Vec::with_capacity(BLOCK);
    for digest in &digests.blocks {
        block.clear();
        (&mut file).take(BLOCK as u64).read_to_end(&mut block)?;
        if blake3::hash(&block) != *digest {
            return Ok(false);
        }
    }
    // It may have grown since.
    Ok(file.read(&mut [0])? == 0)
}

/// Takes note of what is read.
pub(super) struct Digesting<R> {
    source: R,
    /// Of the block under way.
    hasher: blake3::Hasher,
    /// Octets that are missing from it.
    missing: usize,
    digests: Digests,
}

impl<R> Digesting<R> {
    /// Nothing read yet.
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            hasher: blake3::Hasher::new(),
            missing: BLOCK,
            digests: Digests::default(),
        }
    }

    fn note(&mut self, mut octets: &[u8]) {
        self.digests.octets += octets.len() as u64;
        while !octets.is_empty() {
            let (now, later) = octets.split_at(octets.len().min(self.missing));
            self.hasher.update(now);
            self.missing -= now.len();
            if self.missing == 0 {
                self.end_block();
            }
            octets = later;
        }
    }

    fn end_block(&mut self) {
        self.digests.blocks.push(self.hasher.finalize());
        self.hasher.reset();
        self.missing = BLOCK;
    }

    fn finish(mut self) -> Digests {
        if self.missing < BLOCK {
            self.end_block();
        }
        self.digests
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.note(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// A file of this process that goes with the test.
    struct Scratch(PathBuf);

    impl Scratch {
        fn holding(name: &str, octets: &[u8]) -> Self {
            let name = format!("dns-glue-texts-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::write(&path, octets).expect("a file");
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _gone = fs::remove_file(&self.0);
        }
    }

    /// Reads so many octets at a time.
    fn noted(path: &Path, at_once: usize) -> Texts {
        let mut text = Digesting::new(File::open(path).expect("a file"));
        let mut buffer = vec![0; at_once];
        while text.read(&mut buffer).expect("octets") != 0 {}
        let mut texts = Texts::default();
        texts.add_file(path, text);
        texts
    }

    #[test]
    fn every_octet_counts_however_the_text_was_read() {
        for octets in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7] {
            let mut text: Vec<u8> = (0..octets).map(|at| (at % 251) as u8).collect();
            let scratch = Scratch::holding("octets", &text);
            let Scratch(path) = &scratch;
            let texts = noted(path, 65_537);
            assert!(texts.are_the_same_as(&noted(path, BLOCK + 3)), "{octets}");
            assert!(texts.are_unchanged(), "{octets}");
            for at in [0, octets / 2, octets.saturating_sub(1)] {
                let Some(octet) = text.get_mut(at) else {
                    continue;
                };
                *octet ^= 1;
                fs::write(path, &text).expect("a file");
                assert!(!texts.are_unchanged(), "{octets}, {at}");
                text[at] ^= 1;
            }
            fs::write(path, &text).expect("a file");
            assert!(texts.are_unchanged(), "{octets}");
            let mut file = File::options().append(true).open(path).expect("a file");
            file.write_all(b"x").expect("it grows");
            assert!(!texts.are_unchanged(), "{octets}");
        }
    }

    /// Beside a pipe a file tells less than the zone.
    #[test]
    fn with_a_pipe_among_them_they_are_never_the_same() {
        let scratch = Scratch::holding("pipe", b"text");
        let mut texts = noted(&scratch.0, 10);
        texts.add_pipe(Path::new("/dev/fd/63"));
        assert!(texts.files_are_unchanged() && !texts.are_unchanged());
        assert!(!texts.are_the_same_as(&texts.clone()));
        assert!(!texts.are_the_same_as(&noted(&scratch.0, 10)));
        fs::write(&scratch.0, b"next").expect("a file");
        assert!(!texts.files_are_unchanged());
    }

    #[test]
    fn what_is_gone_or_no_file_is_another() {
        let scratch = Scratch::holding("gone", b"text");
        let texts = noted(&scratch.0, 10);
        fs::remove_file(&scratch.0).expect("it was there");
        assert!(!texts.are_unchanged());
        fs::create_dir(&scratch.0).expect("a folder");
        assert!(!texts.are_unchanged());
        fs::remove_dir(&scratch.0).expect("it was there");
    }
}
