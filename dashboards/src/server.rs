//! The dashboard of the server: is it well, and if not, what is it that fails.

use crate::dashboard::{Dashboard, Kind, Panel, Row, Unit, graph, number};
use crate::query::{Of, query};

const SERVER: Of = Of {
    selector: r#"instance=~"$instance""#,
};

pub(crate) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "counter-server",
        title: "counter-server",
        description: "Is the counter well? The first row says so; the others say what it is that fails.",
        variables: &[("instance", "label_values(counter_build_info, instance)")],
        rows: vec![
            overview(),
            increments(),
            broadcast(),
            connections(),
            store(),
            process(),
        ],
    }
}

fn row(title: &'static str, panels: impl Into<Vec<Panel>>) -> Row {
    Row {
        title,
        panels: panels.into(),
    }
}

fn overview() -> Row {
    row(
        "Overview",
        [
            number(
                "Count",
                "The newest committed count. It never goes down.",
                Unit::Number,
                query(SERVER.max("counter_value", ""), ""),
            ),
            number(
                "Clients",
                "Connected now, on all servers that are chosen.",
                Unit::Number,
                query(SERVER.sum("counter_connections", ""), ""),
            ),
            Panel {
                kind: Kind::Light,
                ..number(
                    "Store",
                    "Down: increments are refused; /ready says why. See the runbook, CounterStoreDown.",
                    Unit::Number,
                    query("min (counter_store_up{instance=~\"$instance\"})", ""),
                )
            },
            number(
                "Clients behind",
                "Sockets that are full at the moment. A few are slow readers.",
                Unit::Number,
                query(SERVER.sum("counter_connections_behind", ""), ""),
            )
            .red_from(10.0),
            number(
                "Count incidents",
                "In the time shown: the store came back with less than clients had seen.",
                Unit::Number,
                query(SERVER.increase("counter_store_incidents_total", ""), ""),
            )
            .red_from(0.5),
            number(
                "Version",
                "What runs. A `debug` build is no good for measuring.",
                Unit::Number,
                query(
                    "counter_build_info{instance=~\"$instance\"}",
                    "{{version}} {{profile}}",
                ),
            )
            .drawn(Kind::Names),
        ],
    )
}

fn increments() -> Row {
    row(
        "Increments",
        [
            graph(
                "Increments by result",
                "What clients sent. store_error: they were told that it was not counted. repeated_key: retries that \
                 were answered with the count of the first time.",
                Unit::PerSecond,
                [query(
                    SERVER.rate("counter_increments_total", "result"),
                    "{{result}}",
                )],
            ),
            graph(
                "Commit latency",
                "How long a batch took to be durable. Nobody is answered or shown a count before.",
                Unit::Seconds,
                SERVER.quantiles("counter_store_commit_seconds"),
            ),
            graph(
                "Increments per commit",
                "What arrives during a commit is the next batch, so the mean grows with the load and with slow commits.",
                Unit::Number,
                [
                    query(SERVER.mean("counter_store_batch_increments"), "mean"),
                    query(
                        SERVER.quantile(0.99, "counter_store_batch_increments"),
                        "p99",
                    ),
                ],
            ),
        ],
    )
}

fn broadcast() -> Row {
    row(
        "Broadcast",
        [
            graph(
                "Pass duration",
                "How long it takes to write what is new to all connections of a shard. A client waits for two passes \
                 at most.",
                Unit::Seconds,
                SERVER.quantiles("counter_broadcast_pass_seconds"),
            ),
            graph(
                "Counts and passes",
                "Together while the server has time. When counts are far above passes, they pile up during a pass and \
                 share it.",
                Unit::PerSecond,
                [
                    query(SERVER.rate("counter_broadcast_counts_total", ""), "counts"),
                    query(
                        SERVER.rate("counter_broadcast_pass_seconds_count", ""),
                        "passes",
                    ),
                ],
            ),
            graph(
                "Counts per pass",
                "1 while the server has time. More: counts pile up during a pass and share the next one.",
                Unit::Number,
                [
                    query(SERVER.mean("counter_broadcast_pass_counts"), "mean"),
                    query(
                        SERVER.quantile(0.99, "counter_broadcast_pass_counts"),
                        "p99",
                    ),
                ],
            ),
            graph(
                "Messages sent",
                "One per count and WebSocket.",
                Unit::PerSecond,
                [query(
                    SERVER.rate("counter_broadcast_frames_total", "instance"),
                    "{{instance}}",
                )],
            ),
            graph(
                "Bytes sent",
                "Of these messages, without TCP's own.",
                Unit::BytesPerSecond,
                [query(
                    SERVER.rate("counter_broadcast_bytes_total", "instance"),
                    "{{instance}}",
                )],
            ),
            graph(
                "Connections behind",
                "Full sockets that are being brought up to date. Growing: the network or this machine does not keep up.",
                Unit::Number,
                [query(
                    SERVER.sum("counter_connections_behind", "instance"),
                    "{{instance}}",
                )],
            ),
            graph(
                "Given up",
                "skipped: counts that somebody more than --max-behind behind was not sent. stalled: who took nothing for \
                 --stall-timeout was disconnected. unanswered: no room for an acknowledgement.",
                Unit::PerSecond,
                [
                    query(
                        SERVER.rate("counter_broadcast_skipped_counts_total", ""),
                        "skipped counts",
                    ),
                    query(
                        SERVER.rate("counter_connections_dropped_total", "reason"),
                        "{{reason}}",
                    ),
                ],
            ),
        ],
    )
}

fn connections() -> Row {
    row(
        "Connections",
        [
            graph(
                "Connected",
                "Clients by the transport that carries them and the Engine.IO protocol (3 is spoken by clients of \
                 version 2).",
                Unit::Number,
                [query(
                    SERVER.sum("counter_connections", "transport, protocol"),
                    "{{transport}}, protocol {{protocol}}",
                )],
            ),
            graph(
                "Opened",
                "By the transport that they began with; upgraded: went over from polling to WebSocket.",
                Unit::PerSecond,
                [
                    query(
                        SERVER.rate("counter_connections_opened_total", "transport"),
                        "{{transport}}",
                    ),
                    query(
                        SERVER.rate("counter_connection_upgrades_total", ""),
                        "upgraded",
                    ),
                ],
            ),
            graph(
                "Closed",
                "A high, narrow peak here with one in Opened right after it is a reconnect storm.",
                Unit::PerSecond,
                [query(
                    SERVER.rate("counter_connections_closed_total", "reason"),
                    "{{reason}}",
                )],
            ),
            graph(
                "Refused",
                "limit: --max-connections. origin: --allow-origin. request: no handshake, or a session that is gone.",
                Unit::PerSecond,
                [query(
                    SERVER.rate("counter_connections_refused_total", "reason"),
                    "{{reason}}",
                )],
            ),
            graph(
                "Handshake",
                "From accepting a WebSocket's connection to its first count. Clients give up after some seconds and try \
                 again, which makes a storm worse.",
                Unit::Seconds,
                SERVER.quantiles("counter_handshake_seconds"),
            ),
            graph(
                "TCP connections",
                "Whatever they carry, against --max-connections.",
                Unit::Number,
                [
                    query(
                        SERVER.sum("counter_tcp_connections", "instance"),
                        "{{instance}}",
                    ),
                    query(
                        SERVER.sum("counter_tcp_connections_limit", "instance"),
                        "limit of {{instance}}",
                    ),
                ],
            ),
        ],
    )
}

fn store() -> Row {
    row(
        "Store",
        [
            graph(
                "Store up",
                "By the store in use. 0: increments are refused.",
                Unit::Number,
                [query(
                    "counter_store_up{instance=~\"$instance\"} * on (job, instance) group_right () \
                     (counter_store_info == 1)",
                    "{{store}} of {{instance}}",
                )],
            ),
            graph(
                "Failed commits",
                "full: a disk or a quota takes no more. other: the log has the reason.",
                Unit::PerSecond,
                [query(
                    SERVER.rate("counter_store_errors_total", "cause"),
                    "{{cause}}",
                )],
            ),
            graph(
                "Connections to Redis",
                "Made again after the first one: each is an end of a connection that Redis or the network brought about.",
                Unit::PerSecond,
                [query(
                    SERVER.rate("counter_redis_reconnects_total", "instance"),
                    "{{instance}}",
                )],
            ),
        ],
    )
}

fn process() -> Row {
    row(
        "Process",
        [
            graph(
                "CPU",
                "Cores in use, by this process and by the kernel for it.",
                Unit::Number,
                [query(
                    SERVER.rate("process_cpu_seconds_total", "instance"),
                    "{{instance}}",
                )],
            ),
            graph(
                "Memory",
                "In RAM. About 18 KB per idle client; the kernel's buffers are not in it.",
                Unit::Bytes,
                [query(
                    SERVER.sum("process_resident_memory_bytes", "instance"),
                    "{{instance}}",
                )],
            ),
            graph(
                "File descriptors in use",
                "Of those that may be open. At 1 nobody can connect.",
                Unit::Share,
                [query(
                    "process_open_fds{instance=~\"$instance\"} / process_max_fds",
                    "{{instance}}",
                )],
            ),
            graph(
                "Runtime lag",
                "How late tasks run; 1 ms is the grain of timers. More: too little CPU, or a task that blocks.",
                Unit::Seconds,
                SERVER.quantiles("counter_runtime_lag_seconds"),
            ),
            graph(
                "Unknown events",
                "Events that are not `increment`: clients that were written for another server.",
                Unit::PerSecond,
                [query(
                    SERVER.rate("counter_unknown_events_total", "instance"),
                    "{{instance}}",
                )],
            ),
        ],
    )
}
