//! Whether this Redis keeps what it acknowledges.
//! <https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/>

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd};
use tracing::warn;

/// Warns where a crash of Redis could take back an acknowledged count, or memory pressure all of it.
pub(super) async fn check(connection: &mut MultiplexedConnection) {
    let settings: RedisResult<HashMap<String, String>> = cmd("CONFIG")
        .arg("GET")
        .arg(&["appendonly", "appendfsync", "maxmemory-policy"])
        .query_async(connection)
        .await;
    match settings {
        Ok(settings) => {
            for problem in problems(&settings) {
                warn!("{problem}");
            }
        }
        Err(error) => warn!(
            %error,
            "cannot check the settings of Redis: an acknowledged count survives its crash only with \
             appendonly yes and appendfsync always"
        ),
    }
}

fn problems(settings: &HashMap<String, String>) -> Vec<String> {
    let is = |name| settings.get(name).map_or("unknown", String::as_str);
    let mut problems = Vec::new();
    for (name, wanted) in [("appendonly", "yes"), ("appendfsync", "always")] {
        if is(name) != wanted {
            problems.push(format!(
                "Redis has {name} {}: a crash of it can take back acknowledged counts; set {name} {wanted}",
                is(name)
            ));
        }
    }
    let policy = is("maxmemory-policy");
    if policy.starts_with("allkeys") {
        problems.push(format!(
            "Redis has maxmemory-policy {policy}: it may drop the count when memory is short; set \
             noeviction"
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_that_can_lose_a_count_is_named() {
        let settings = |pairs: &[(&str, &str)]| {
            let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
            pairs.iter().map(owned).collect()
        };
        let safe = [
            ("appendonly", "yes"),
            ("appendfsync", "always"),
            ("maxmemory-policy", "noeviction"),
        ];
        assert!(problems(&settings(&safe)).is_empty());
        let unsafe_ = [
            ("appendonly", "no"),
            ("appendfsync", "everysec"),
            ("maxmemory-policy", "allkeys-lru"),
        ];
        assert_eq!(problems(&settings(&unsafe_)).len(), 3);
    }
}
