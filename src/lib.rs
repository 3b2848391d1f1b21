//! sigveil.
