//! The store's rules, on a real file.
