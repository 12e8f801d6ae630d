//! Map keys and values as aya takes them.

/// A key or value of a map.
///
/// aya has a marker trait of its own for what may be copied octet by octet; it
/// cannot be implemented for the types of dns-glue-common, only for this.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Value<T>(pub T);

// SAFETY: bytemuck::Pod is what aya asks for: no padding, every bit pattern
// valid, no pointers; repr(transparent) adds nothing.
unsafe impl<T: bytemuck::Pod> aya::Pod for Value<T> {}
