//! The maps that all generations of the program share, and what the daemon
//! leaves word of itself in: made, and found again, in a pin folder.

use std::fs;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aya::Ebpf;
use aya::maps::{Array, Map, MapData, MapError, MapInfo, PerCpuArray};
use aya::sys::SyscallError;
use aya_obj::generated::bpf_map_type::{BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY};
use dns_glue_common::host::HostTable;
use dns_glue_common::maps;
use dns_glue_common::reason::COUNTER_SLOTS;

use super::pins::{PinFolder, PinsError, is_there, map_path, remove_if_there, system};

/// Octets of what the daemon leaves word of.
pub(super) const ABOUT_OCTETS: usize = 128 << 10;

/// A map by its shape. Keys are numbers of 32 bits.
#[derive(Debug)]
pub(super) struct SharedMap {
    /// Its name in the program and in the pin folder.
    pub(super) name: &'static str,
    kind: u32,
    value_octets: usize,
    entries: u32,
}

pub(super) static COUNTERS: SharedMap = SharedMap {
    name: maps::COUNTERS,
    kind: BPF_MAP_TYPE_PERCPU_ARRAY as u32,
    value_octets: size_of::<u64>(),
    entries: COUNTER_SLOTS as u32,
};
pub(super) static HOST: SharedMap = SharedMap {
    name: maps::HOST,
    kind: BPF_MAP_TYPE_ARRAY as u32,
    value_octets: size_of::<HostTable>(),
    entries: 2,
};
pub(super) static HOST_SELECTOR: SharedMap = SharedMap {
    name: maps::HOST_SELECTOR,
    kind: BPF_MAP_TYPE_ARRAY as u32,
    value_octets: size_of::<u32>(),
    entries: 1,
};
/// Not of the program: the daemon's word.
pub(super) static ABOUT: SharedMap = SharedMap {
    name: "ABOUT",
    kind: BPF_MAP_TYPE_ARRAY as u32,
    value_octets: ABOUT_OCTETS,
    entries: 1,
};

/// Those that the program uses.
static OF_THE_PROGRAM: [&SharedMap; 3] = [&COUNTERS, &HOST, &HOST_SELECTOR];

impl SharedMap {
    /// The map that is pinned in the folder of a layout, if one of this shape
    /// is.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    pub(super) fn find(&self, layout: &Path) -> Result<Option<MapData>, PinsError> {
        match self.look(layout)? {
            Some(Pin::Map(found)) if self.is_like(&found) => {
                let data = MapData::from_pin(map_path(layout, self));
                data.map(Some).map_err(|cause| self.refused(layout, cause))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn refused(&self, layout: &Path, cause: MapError) -> PinsError {
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
        self.pin(&data, path)?;
        Ok(data)
    }

    fn pin(&self, data: &MapData, path: &Path) -> Result<(), MapError> {
        data.pin(path).map_err(|error| MapError::PinError {
            name: Some(self.name.to_owned()),
            error,
        })
    }

    /// What is pinned under its name.
    ///
    /// # Errors
    ///
    /// It cannot be opened. That tells nothing of what it is: the process may
    /// have too few descriptors, or may not look.
    fn look(&self, layout: &Path) -> Result<Option<Pin>, PinsError> {
        let path = map_path(layout, self);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(system(&path, "look at it")(error)),
            // The kernel opens what it has pinned, which are files.
            Ok(found) if !found.is_file() => return Ok(Some(Pin::Other)),
            Ok(_) => {}
        }
        let info = MapInfo::from_pin(&path);
        info.map(|found| Some(Pin::Map(found)))
            .map_err(|cause| self.refused(layout, cause))
    }

    /// Whether what is pinned there, if anything, is a map of this shape.
    fn fits(&self, layout: &Path) -> Result<bool, PinsError> {
        Ok(match self.look(layout)? {
            None => true,
            Some(Pin::Map(found)) => self.is_like(&found),
            Some(Pin::Other) => false,
        })
    }

    fn is_like(&self, found: &MapInfo) -> bool {
        let kind = found.map_type().ok().map(|kind| kind as u32);
        kind == Some(self.kind)
            && found.key_size() as usize == size_of::<u32>()
            && found.value_size() as usize == self.value_octets
            && found.max_entries() == self.entries
    }
}

/// What may be pinned under the name of a map.
enum Pin {
    /// A map, of any shape.
    Map(MapInfo),
    /// No pin at all.
    Other,
}

/// A shared map, held open: its pin may go, the map stays.
#[derive(Debug)]
pub(super) struct HeldMap {
    map: &'static SharedMap,
    data: MapData,
    /// The kernel's number of it: no other map has that while it is held.
    id: u32,
}

impl HeldMap {
    /// The map of a pin folder; an empty one is made if it is not there.
    ///
    /// # Errors
    ///
    /// The kernel says no.
    pub(super) fn open(map: &'static SharedMap, folder: &PinFolder) -> Result<Self, PinsError> {
        let layout = folder.layout();
        let path = map_path(&layout, map);
        let is_there = is_there(&path)?;
        if !is_there {
            folder.note_made(path.clone());
        }
        let open = || {
            let data = if is_there {
                MapData::from_pin(&path)?
            } else {
                map.make(&path)?
            };
            let id = data.info()?.id();
            Ok(Self { map, data, id })
        };
        open().map_err(|cause| map.refused(&layout, cause))
    }

    /// Another handle of it.
    fn handle(&self) -> Result<MapData, MapError> {
        let descriptor = self.data.fd().as_fd().try_clone_to_owned();
        let descriptor = descriptor.map_err(|io_error| SyscallError {
            call: "fcntl",
            io_error,
        })?;
        MapData::from_fd(descriptor)
    }

    /// It as an array.
    pub(super) fn array<V: aya::Pod>(&self) -> Result<Array<MapData, V>, MapError> {
        Map::Array(self.handle()?).try_into()
    }

    /// It as an array with a value for each processor.
    pub(super) fn per_cpu_array(&self) -> Result<PerCpuArray<MapData, u64>, MapError> {
        Map::PerCpuArray(self.handle()?).try_into()
    }

    /// Pins it again where it was pinned, if nothing is there any more or
    /// another map is.
    ///
    /// # Errors
    ///
    /// The file system says no.
    pub(super) fn pin_again(&self, folder: &PinFolder) -> Result<(), PinsError> {
        let layout = folder.layout();
        let path = map_path(&layout, self.map);
        let there = match self.map.look(&layout) {
            Ok(Some(Pin::Map(found))) if found.id() == self.id => return Ok(()),
            // That is no reason to remove what may be ours.
            Err(error) if error.shortage().is_some() => return Ok(()),
            there => there?,
        };
        folder.make_again()?;
        remove_if_there(&path).map_err(system(&path, "remove it"))?;
        let pinned = self.map.pin(&self.data, &path);
        pinned.map_err(|cause| self.map.refused(&layout, cause))?;
        let what = match there {
            Some(Pin::Map(_)) => "another map was pinned in its place",
            Some(Pin::Other) => "something else is in its place",
            None => "its pin was removed",
        };
        log::warn!("map {}: {what}; pinned again", self.map.name);
        Ok(())
    }
}

/// The maps that all generations share, held open as long as this lives.
///
/// They are what the program on the interfaces uses. What is pinned under their
/// names is for others, and for the loader: before and after that they are
/// compared, so that no generation is loaded with others.
#[derive(Debug)]
pub struct SharedMaps {
    folder: Arc<PinFolder>,
    pub(super) counters: HeldMap,
    pub(super) host: HeldMap,
    pub(super) host_selector: HeldMap,
}

impl SharedMaps {
    /// Those of a pin folder; empty ones are made if they are not there.
    ///
    /// # Errors
    ///
    /// They cannot be made or opened.
    pub fn open(folder: &Arc<PinFolder>) -> Result<Self, PinsError> {
        Ok(Self {
            counters: HeldMap::open(&COUNTERS, folder)?,
            host: HeldMap::open(&HOST, folder)?,
            host_selector: HeldMap::open(&HOST_SELECTOR, folder)?,
            folder: Arc::clone(folder),
        })
    }

    fn all(&self) -> [&HeldMap; 3] {
        let Self {
            folder: _,
            counters,
            host,
            host_selector,
        } = self;
        [counters, host, host_selector]
    }

    /// Pins those again whose pins somebody has removed or replaced.
    ///
    /// # Errors
    ///
    /// The file system says no.
    pub fn pin_again(&self) -> Result<(), PinsError> {
        for held in self.all() {
            held.pin_again(&self.folder)?;
        }
        Ok(())
    }

    /// Where they are pinned, by their names in the program.
    pub(super) fn pins(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        let layout = self.folder.layout();
        let path = move |held: &HeldMap| (held.map.name, map_path(&layout, held.map));
        self.all().into_iter().map(path)
    }

    /// The name of the first that a loaded program does not use: it uses
    /// another map under that name, or none.
    ///
    /// # Errors
    ///
    /// The kernel does not tell.
    pub(super) fn find_other(&self, ebpf: &Ebpf) -> Result<Option<&'static str>, MapError> {
        for held in self.all() {
            let id = match ebpf.map(held.map.name) {
                Some(Map::Array(data) | Map::PerCpuArray(data)) => Some(data.info()?.id()),
                _ => None,
            };
            if id != Some(held.id) {
                return Ok(Some(held.map.name));
            }
        }
        Ok(None)
    }
}

/// Whether everything that is pinned in the folder of a layout is as this
/// version makes it, and all maps of the program are there or none: a program
/// that uses one which is no longer there would share the others with the next.
///
/// # Errors
///
/// Something there cannot be opened.
pub(super) fn fit(layout: &Path) -> Result<bool, PinsError> {
    let mut there = 0;
    for map in OF_THE_PROGRAM {
        if map.look(layout)?.is_some() {
            there += 1;
        }
        if !map.fits(layout)? {
            return Ok(false);
        }
    }
    Ok((there == 0 || there == OF_THE_PROGRAM.len()) && ABOUT.fits(layout)?)
}
