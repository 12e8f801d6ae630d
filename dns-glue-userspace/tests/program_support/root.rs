//! What only root may do.

use dns_glue::testbed::needs;

/// Whether the test can run: see [`needs::root`].
pub fn is_root() -> bool {
    needs::root("running an XDP program")
}
