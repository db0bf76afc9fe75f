//! Values on the command line that are more than text.

use std::time::Duration;

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write 10s, 500ms or 1m"))
}

fn positive(text: &str, what: &str) -> Result<f64, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| format!("{what} is a number above 0"))
}

pub(crate) fn rate(text: &str) -> Result<f64, String> {
    positive(text, "a rate per second").and_then(|rate| {
        if rate <= 1e6 {
            Ok(rate)
        } else {
            Err("more than a million per second is beyond one emitting thread".into())
        }
    })
}

pub(crate) fn share(text: &str) -> Result<f64, String> {
    positive(text, "a share").and_then(|share| {
        if share <= 1.0 {
            Ok(share)
        } else {
            Err("a share is at most 1".into())
        }
    })
}

pub(crate) fn tolerance(text: &str) -> Result<f64, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "a tolerance is a number from 0".into())
}
