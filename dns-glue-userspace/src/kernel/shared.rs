//! The maps that all generations of the program share, and what the daemon
//! leaves word of itself in: made, and found again, in a pin folder.

use std::path::Path;

use aya::maps::{Array, Map, MapData, MapError, MapInfo, PerCpuArray};
use aya_obj::generated::bpf_map_type::{BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY};
use dns_glue_common::host::HostTable;
use dns_glue_common::maps;
use dns_glue_common::reason::COUNTER_SLOTS;

use super::pins::{PinFolder, PinsError, map_path};

/// Octets of what the daemon leaves word of.
pub(super) const ABOUT_OCTETS: usize = 128 << 10;

/// A map by its shape. Keys are numbers of 32 bits.
pub(super) struct SharedMap {
    /// Its name in the program and in the pin folder.
    pub(super) name: &'static str,
    kind: u32,
    value_octets: usize,
    entries: u32,
}

pub(super) const COUNTERS: SharedMap = SharedMap {
    name: maps::COUNTERS,
    kind: BPF_MAP_TYPE_PERCPU_ARRAY as u32,
    value_octets: size_of::<u64>(),
    entries: COUNTER_SLOTS as u32,
};
pub(super) const HOST: SharedMap = SharedMap {
    name: maps::HOST,
    kind: BPF_MAP_TYPE_ARRAY as u32,
    value_octets: size_of::<HostTable>(),
    entries: 2,
};
pub(super) const HOST_SELECTOR: SharedMap = SharedMap {
    name: maps::HOST_SELECTOR,
    kind: BPF_MAP_TYPE_ARRAY as u32,
    value_octets: size_of::<u32>(),
    entries: 1,
};
/// Not of the program: the daemon's word.
pub(super) const ABOUT: SharedMap = SharedMap {
    name: "ABOUT",
    kind: BPF_MAP_TYPE_ARRAY as u32,
    value_octets: ABOUT_OCTETS,
    entries: 1,
};

/// Those that the program uses.
pub(super) const OF_THE_PROGRAM: [SharedMap; 3] = [COUNTERS, HOST, HOST_SELECTOR];

impl SharedMap {
    /// The map of a pin folder; an empty one is made if it is not there.
    ///
    /// # Errors
    ///
    /// The kernel says no.
    fn open_or_make(&self, folder: &PinFolder) -> Result<MapData, PinsError> {
        let layout = folder.layout();
        let path = map_path(&layout, self);
        let data = if path.exists() {
            MapData::from_pin(&path)
        } else {
            self.make(&path)
        };
        data.map_err(|cause| self.refused(&layout, cause))
    }

    /// The map that is pinned in the folder of a layout, if one of this shape
    /// is.
    pub(super) fn find(&self, layout: &Path) -> Option<MapData> {
        let path = map_path(layout, self);
        let is_there = path.exists() && self.fits(layout);
        is_there.then(|| MapData::from_pin(path).ok()).flatten()
    }

    fn refused(&self, layout: &Path, cause: MapError) -> PinsError {
        PinsError::Map {
            path: layout.to_owned(),
            map: self.name,
            cause,
        }
    }

    fn make(&self, path: &Path) -> Result<MapData, MapError> {
        let shape = aya_obj::Map::new_from_params(
            self.kind,
            size_of::<u32>() as u32,
            self.value_octets as u32,
            self.entries,
            0,
        );
        let data = MapData::create(shape, self.name, None)?;
        data.pin(path).map_err(|error| MapError::PinError {
            name: Some(self.name.to_owned()),
            error,
        })?;
        Ok(data)
    }

    /// Whether what is pinned there, if anything, is a map of this shape.
    fn fits(&self, layout: &Path) -> bool {
        let path = map_path(layout, self);
        if !path.exists() {
            return true;
        }
        let Ok(found) = MapInfo::from_pin(&path) else {
            return false;
        };
        let kind = found.map_type().ok().map(|kind| kind as u32);
        kind == Some(self.kind)
            && found.key_size() as usize == size_of::<u32>()
            && found.value_size() as usize == self.value_octets
            && found.max_entries() == self.entries
    }
}

/// Whether everything that is pinned in the folder of a layout is as this
/// version makes it.
pub(super) fn fit(layout: &Path) -> bool {
    ABOUT.fits(layout) && OF_THE_PROGRAM.iter().all(|map| map.fits(layout))
}

/// A shared map as an array.
pub(super) fn array<V: aya::Pod>(
    map: &SharedMap,
    folder: &PinFolder,
) -> Result<Array<MapData, V>, PinsError> {
    let data = map.open_or_make(folder)?;
    let array = Map::Array(data).try_into();
    array.map_err(|cause| map.refused(&folder.layout(), cause))
}

/// A shared map as an array with a value for each processor.
pub(super) fn per_cpu_array(
    map: &SharedMap,
    folder: &PinFolder,
) -> Result<PerCpuArray<MapData, u64>, PinsError> {
    let data = map.open_or_make(folder)?;
    let array = Map::PerCpuArray(data).try_into();
    array.map_err(|cause| map.refused(&folder.layout(), cause))
}
