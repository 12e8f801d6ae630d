//! The counters: one for every outcome, summed over the processors.

use aya::{
    Ebpf,
    maps::{Map, MapData, MapError, PerCpuArray},
};
use dns_glue_common::maps::COUNTERS;
use dns_glue_common::reason::Reason;

use super::LoadError;
use super::shared::SharedMaps;

/// The counter map.
pub struct Counters(PerCpuArray<MapData, u64>);

impl Counters {
    /// Those of all generations.
    ///
    /// # Errors
    ///
    /// There is no descriptor for another handle.
    pub fn open(maps: &SharedMaps) -> Result<Self, MapError> {
        Ok(Self(maps.counters.per_cpu_array()?))
    }

    /// Those of a map that was found; `None` if it is of another kind.
    pub(super) fn of(data: MapData) -> Option<Self> {
        Map::PerCpuArray(data).try_into().ok().map(Self)
    }

    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, LoadError> {
        let map = ebpf
            .take_map(COUNTERS)
            .ok_or(LoadError::Missing(COUNTERS))?;
        Ok(Self(map.try_into()?))
    }

    /// Packets since the map was made, by outcome, in the order of [`Reason::ALL`].
    ///
    /// The numbers are read one after the other while packets come in, so
    /// their sum is not a number of packets at one moment.
    ///
    /// # Errors
    ///
    /// The map cannot be read.
    pub fn read(&self) -> Result<Vec<(Reason, u64)>, MapError> {
        Reason::ALL
            .iter()
            .map(|reason| Ok((*reason, self.sum(*reason)?)))
            .collect()
    }

    fn sum(&self, reason: Reason) -> Result<u64, MapError> {
        let values = self.0.get(&(reason as u32), 0)?;
        Ok(values.iter().copied().fold(0, u64::wrapping_add))
    }
}
