//! The count in the process, lost at its end.

use std::future::ready;

use super::ledger::Ledger;
use super::{Batch, Committing, Store};

/// Keeps the count as long as the process lives.
#[derive(Debug)]
pub(crate) struct Memory(Ledger);

impl Memory {
    pub(crate) fn new(max_keys: usize) -> Self {
        Self(Ledger::new(0, max_keys, []))
    }
}

impl Store for Memory {
    fn commit(&mut self, batch: Batch) -> Committing<'_> {
        let plan = self.0.plan(&batch);
        Box::pin(ready(Ok(self.0.apply(plan))))
    }
}
