//! The tables of a generation that is loaded, read where they lie: in its maps.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd as _, OwnedFd};
use std::slice;
use std::sync::Arc;

use bytemuck::Pod;
use dns_glue_common::index::{Bucket, Depths, HashSecret};
use dns_glue_common::maps;
use dns_glue_common::referral::Slab;

use super::fill::{Access, Window};
use super::load::{Loaded, array_fd};
use super::{LoadError, memory};
use crate::compile::{Generation, Tables};

/// What the maps do not tell of themselves.
pub(super) struct Shape {
    buckets: usize,
    slabs: usize,
    /// In the memory of the program alone; it does not leave the host.
    secret: Box<HashSecret>,
    depths: Depths,
}

impl Shape {
    pub(super) fn of(generation: &Generation) -> Self {
        let (buckets, slabs) = memory::entries(generation);
        Self {
            buckets: buckets as usize,
            slabs: slabs as usize,
            secret: generation.secret.clone(),
            depths: generation.depths,
        }
    }
}

/// The maps `INDEX` and `PIECES` of a loaded generation; they stay as long as
/// this does.
pub struct TableMaps {
    index: OwnedFd,
    pieces: OwnedFd,
    shape: Arc<Shape>,
}

impl TableMaps {
    /// Those of a generation.
    ///
    /// # Errors
    ///
    /// There are no descriptors left.
    pub fn of(loaded: &Loaded) -> Result<Self, LoadError> {
        let open = |name| {
            let map = array_fd(&loaded.ebpf, name)?.try_clone_to_owned();
            map.map_err(|cause| LoadError::Read { map: name, cause })
        };
        Ok(Self {
            index: open(maps::INDEX)?,
            pieces: open(maps::PIECES)?,
            shape: Arc::clone(&loaded.shape),
        })
    }

    /// Maps them into memory, where they take none of their own.
    ///
    /// # Errors
    ///
    /// The kernel says no.
    pub fn view(self) -> Result<TableView, LoadError> {
        fn view<T: Pod>(
            name: &'static str,
            map: &OwnedFd,
            count: usize,
        ) -> Result<View<T>, LoadError> {
            View::of(map, count).map_err(|cause| LoadError::Read { map: name, cause })
        }
        let Self {
            index,
            pieces,
            shape,
        } = self;
        Ok(TableView {
            buckets: view(maps::INDEX, &index, shape.buckets)?,
            slabs: view(maps::PIECES, &pieces, shape.slabs)?,
            shape,
        })
    }
}

/// The tables of a loaded generation in memory.
pub struct TableView {
    buckets: View<Bucket>,
    slabs: View<Slab>,
    shape: Arc<Shape>,
}

impl TableView {
    /// The tables.
    pub fn tables(&self) -> Tables<'_> {
        Tables {
            buckets: self.buckets.entries(),
            slabs: self.slabs.entries(),
            secret: &self.shape.secret,
            depths: &self.shape.depths,
        }
    }
}

/// The first entries of an array map that nobody writes to any more.
struct View<T> {
    window: Window,
    count: usize,
    entries: PhantomData<T>,
}

impl<T: Pod> View<T> {
    fn of(map: &OwnedFd, count: usize) -> io::Result<Self> {
        // As in `fill_array`: entries lie as in a slice, and begin with a page.
        const { assert!(size_of::<T>().is_multiple_of(8) && align_of::<T>() <= 8) };
        let window = Window::map(map.as_fd(), count * size_of::<T>(), Access::Read)?;
        Ok(Self {
            window,
            count,
            entries: PhantomData,
        })
    }

    fn entries(&self) -> &[T] {
        // SAFETY: mapped readable for so many entries until the drop, of a type
        // that all octets are valid for. They were filled and frozen before the
        // program was loaded, which does not write to them, so nobody does.
        unsafe { slice::from_raw_parts(self.window.start().as_ptr().cast(), self.count) }
    }
}
