//! Durations in nanoseconds with three significant digits, 1 µs to 1 hour (`HdrHistogram`). Merging is exact: what two
//! threads or processes recorded adds up bucket by bucket.

use hdrhistogram::serialization::{
    Deserializer as HdrDeserializer, Serializer as _, V2DeflateSerializer,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::{MICROSECOND, Nanos, SECOND};

const LONGEST: Nanos = 3_600 * SECOND;

#[derive(Clone)]
pub(crate) struct Histogram(hdrhistogram::Histogram<u64>);

impl Default for Histogram {
    fn default() -> Self {
        let bounded = hdrhistogram::Histogram::new_with_bounds(MICROSECOND, LONGEST, 3);
        Self(bounded.expect("the bounds are in order and three digits are possible"))
    }
}

impl Histogram {
    pub(crate) fn record(&mut self, duration: Nanos) {
        self.record_n(duration, 1);
    }

    pub(crate) fn record_n(&mut self, duration: Nanos, times: u64) {
        self.0.saturating_record_n(duration, times);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.0
            .add(&other.0)
            .expect("all histograms have the same bounds");
    }

    /// Takes out values that are in it, and puts others in.
    pub(crate) fn replace(&mut self, values: &Self, others: &Self) {
        self.0
            .subtract(&values.0)
            .expect("the values were recorded in both alike");
        self.merge(others);
    }

    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    pub(crate) fn percentile(&self, percent: f64) -> Nanos {
        self.0.value_at_percentile(percent)
    }

    pub(crate) fn mean(&self) -> f64 {
        self.0.mean()
    }

    pub(crate) fn min(&self) -> Nanos {
        self.0.min()
    }

    pub(crate) fn max(&self) -> Nanos {
        self.0.max()
    }

    pub(crate) fn hdr(&self) -> &hdrhistogram::Histogram<u64> {
        &self.0
    }

    /// The V2 format with deflate: a few hundred bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let written = V2DeflateSerializer::new().serialize(&self.0, &mut bytes);
        written.expect("a Vec takes whatever is written");
        bytes
    }

    pub(crate) fn from_bytes(mut bytes: &[u8]) -> Result<Self, String> {
        let read = HdrDeserializer::new().deserialize(&mut bytes);
        read.map(Self)
            .map_err(|error| format!("not a histogram: {error}"))
    }
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_bytes().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        Self::from_bytes(&bytes).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(durations: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        for &duration in durations {
            histogram.record(duration);
        }
        histogram
    }

    proptest! {
        #[test]
        fn merging_is_the_same_as_recording_everything_in_one(
            one in prop::collection::vec(0..7_200 * SECOND, 0..200),
            two in prop::collection::vec(0..7_200 * SECOND, 0..200),
        ) {
            let mut merged = of(&one);
            let over_the_wire: Histogram = serde_json::from_value(serde_json::json!(of(&two)))?;
            merged.merge(&over_the_wire);
            let all = of(&[one, two].concat());
            prop_assert_eq!(merged.hdr(), all.hdr());
        }

        #[test]
        fn a_value_is_kept_within_a_thousandth_or_a_microsecond(value in 0..LONGEST) {
            let kept = of(&[value]).percentile(50.0);
            prop_assert!(kept.abs_diff(value) <= (value / 1_000).max(MICROSECOND), "{} for {}", kept, value);
        }
    }
}
