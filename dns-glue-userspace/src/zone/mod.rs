//! Zones: from text to records, and from records to zone cuts.
