//! The count and the keys that it remembers, in memory: what `memory` keeps and `file` writes down.
//!
//! A batch is planned first and applied when it is durable, so that a commit that failed leaves no
//! trace here.

use std::collections::{HashMap, VecDeque};

use super::{Batch, Committed, Key, prunable};

/// A key and the count of the increment that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) count: u64,
    pub(crate) key: Key,
}

/// The count, and the newest keys in the order of their counts.
#[derive(Debug)]
pub(crate) struct Ledger {
    count: u64,
    max_keys: usize,
    counts: HashMap<Key, u64>,
    order: VecDeque<Remembered>,
}

/// What a batch would change.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) committed: Committed,
    pub(crate) added: Vec<Remembered>,
    /// How many of the oldest keys go.
    forgotten: usize,
}

impl Ledger {
    /// A ledger with `count` and the keys of before, in the order of their counts.
    pub(crate) fn new(
        count: u64,
        max_keys: usize,
        keys: impl IntoIterator<Item = Remembered>,
    ) -> Self {
        let order: VecDeque<_> = keys.into_iter().collect();
        let counts = order.iter().map(|it| (it.key.clone(), it.count)).collect();
        Self {
            count,
            max_keys,
            counts,
            order,
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    #[cfg(test)]
    pub(crate) fn keys(&self) -> Vec<Remembered> {
        self.order.iter().cloned().collect()
    }

    /// Numbers the increments of a batch.
    pub(crate) fn plan(&self, batch: &Batch) -> Plan {
        let mut count = self.count.max(batch.at_least);
        let mut fresh = HashMap::new();
        let mut added = Vec::new();
        let counts: Vec<u64> = batch
            .keys
            .iter()
            .map(|key| {
                let Some(key) = key else {
                    count += 1;
                    return count;
                };
                let seen = self
                    .counts
                    .get(key)
                    .filter(|&&seen| seen > batch.forget_until);
                if let Some(&seen) = seen.or_else(|| fresh.get(key)) {
                    return seen;
                }
                count += 1;
                fresh.insert(key, count);
                added.push(Remembered {
                    count,
                    key: key.clone(),
                });
                count
            })
            .collect();
        Plan {
            forgotten: self.prunable(added.len(), batch.forget_until),
            committed: Committed {
                newest: count,
                counts,
                stored: self.count,
            },
            added,
        }
    }

    /// How many of the oldest keys go when so many are added.
    fn prunable(&self, added: usize, forget_until: u64) -> usize {
        let most = prunable(added).min(self.order.len());
        let excess = (self.order.len() + added).saturating_sub(self.max_keys);
        let old = self.order.iter().take(most);
        let old = old.take_while(|it| it.count <= forget_until).count();
        old.max(excess).min(most)
    }

    /// The keys that go with `plan`.
    pub(crate) fn forgotten(&self, plan: &Plan) -> impl Iterator<Item = &Remembered> {
        self.order.iter().take(plan.forgotten)
    }

    /// Makes the plan come true.
    pub(crate) fn apply(&mut self, plan: Plan) -> Committed {
        for gone in self.order.drain(..plan.forgotten) {
            // A key that came again after its time has a newer count now.
            if self.counts.get(&gone.key) == Some(&gone.count) {
                self.counts.remove(&gone.key);
            }
        }
        let added = plan.added.iter().map(|it| (it.key.clone(), it.count));
        self.counts.extend(added);
        self.order.extend(plan.added);
        self.count = plan.committed.newest;
        plan.committed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(keys: &[Option<&str>]) -> Batch {
        let keys = keys.iter().map(|key| key.and_then(Key::new)).collect();
        Batch {
            keys,
            ..Batch::default()
        }
    }

    fn commit(ledger: &mut Ledger, batch: &Batch) -> Vec<u64> {
        let plan = ledger.plan(batch);
        ledger.apply(plan).counts
    }

    #[test]
    fn a_key_counts_once_in_one_batch_and_across_batches() {
        let mut ledger = Ledger::new(0, 10, []);
        let first = batch(&[Some("a"), None, Some("a"), Some("b")]);
        assert_eq!(commit(&mut ledger, &first), [1, 2, 1, 3]);
        let second = batch(&[Some("b"), Some("c"), Some("a")]);
        assert_eq!(commit(&mut ledger, &second), [3, 4, 1]);
        assert_eq!(ledger.count(), 4);
    }

    #[test]
    fn a_plan_that_is_not_applied_leaves_no_trace() {
        let mut ledger = Ledger::new(7, 10, []);
        ledger.plan(&batch(&[Some("a"), None]));
        assert_eq!(commit(&mut ledger, &batch(&[Some("a")])), [8]);
    }

    #[test]
    fn only_the_newest_keys_are_remembered() {
        let mut ledger = Ledger::new(0, 2, []);
        commit(&mut ledger, &batch(&[Some("a"), Some("b"), Some("c")]));
        commit(&mut ledger, &batch(&[None]));
        assert_eq!(ledger.order.len(), 2);
        assert_eq!(ledger.counts.len(), 2);
        assert_eq!(commit(&mut ledger, &batch(&[Some("c")])), [3]);
        assert_eq!(commit(&mut ledger, &batch(&[Some("a")])), [5]);
    }

    #[test]
    fn a_key_counts_again_after_its_time_and_is_then_remembered_anew() {
        let mut ledger = Ledger::new(0, 10, []);
        commit(&mut ledger, &batch(&[Some("a"), Some("b")]));
        let later = Batch {
            forget_until: 1,
            ..batch(&[Some("a"), Some("b")])
        };
        assert_eq!(commit(&mut ledger, &later), [3, 2]);
        assert_eq!(commit(&mut ledger, &later), [3, 2]);
        assert_eq!(ledger.order.len(), 2);
    }

    #[test]
    fn a_count_below_what_was_shown_is_raised() {
        let mut ledger = Ledger::new(5, 10, []);
        let shown = Batch {
            at_least: 9,
            ..batch(&[None])
        };
        let plan = ledger.plan(&shown);
        let committed = ledger.apply(plan);
        assert_eq!((committed.stored, committed.newest), (5, 10));
        assert_eq!(committed.counts, [10]);
    }
}
