//! What the daemon leaves word of in the pin folder, for those who ask when it
//! is gone.

use std::path::Path;

use aya::maps::{Array, Map, MapData, MapError};

use super::pins::{PinFolder, PinsError, layouts};
use super::shared::{ABOUT, ABOUT_OCTETS, HeldMap};
use super::value::Value;

/// The word: a text, ended by the first octet that is 0.
type Word = Value<[u8; ABOUT_OCTETS]>;

/// Where the daemon leaves word.
pub struct About {
    map: Array<MapData, Word>,
    held: HeldMap,
}

impl About {
    /// Octets of the longest text.
    pub const MAX_OCTETS: usize = ABOUT_OCTETS;

    /// Of a pin folder.
    ///
    /// # Errors
    ///
    /// The map cannot be made.
    pub fn open(folder: &PinFolder) -> Result<Self, PinsError> {
        let held = HeldMap::open(&ABOUT, folder)?;
        let refused = |cause| ABOUT.refused(&folder.layout(), cause);
        let map = held.array().map_err(refused)?;
        Ok(Self { map, held })
    }

    /// Pins it again if somebody has removed or replaced its pin.
    ///
    /// # Errors
    ///
    /// The file system says no.
    pub fn pin_again(&self, folder: &PinFolder) -> Result<(), PinsError> {
        self.held.pin_again(folder)
    }

    /// Leaves a text in place of the last one.
    ///
    /// # Errors
    ///
    /// It is too long, or the map cannot be written.
    pub fn write(&mut self, text: &str) -> std::io::Result<()> {
        let mut word: Box<[u8; ABOUT_OCTETS]> = bytemuck::zeroed_box();
        let place = word.get_mut(..text.len());
        place
            .ok_or(std::io::ErrorKind::FileTooLarge)?
            .copy_from_slice(text.as_bytes());
        self.map
            .set(0, Value(*word), 0)
            .map_err(std::io::Error::other)
    }
}

/// The texts in a pin folder, of all layouts that this version can read.
///
/// # Errors
///
/// The folder or a map cannot be read.
pub(super) fn words(root: &Path) -> Result<Vec<String>, PinsError> {
    let words = layouts(root)?.into_iter().map(|layout| read(&layout));
    words.filter_map(Result::transpose).collect()
}

/// The text in the folder of a layout, if there is one.
///
/// # Errors
///
/// The map cannot be opened or read.
pub(super) fn read(layout: &Path) -> Result<Option<String>, PinsError> {
    let Some(data) = ABOUT.find(layout)? else {
        return Ok(None);
    };
    let refused = |cause| ABOUT.refused(layout, cause);
    let map: Array<MapData, Word> = Map::Array(data).try_into().map_err(refused)?;
    text_of(&map).map_err(refused)
}

fn text_of(map: &Array<MapData, Word>) -> Result<Option<String>, MapError> {
    let Value(word) = map.get(&0, 0)?;
    let text = word.split(|octet| *octet == 0).next().unwrap_or_default();
    let text = String::from_utf8(text.to_vec()).ok();
    Ok(text.filter(|text| !text.is_empty()))
}
