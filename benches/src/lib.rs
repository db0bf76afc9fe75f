//! Criterion benches; see the files beside `src`.
