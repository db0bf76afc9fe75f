//! The dashboard of a load test: what the clients saw, what the server did meanwhile, and whether the
//! generator itself can be believed.

use crate::dashboard::{Dashboard, Kind, Panel, Row, Unit, graph, number};
use crate::query::{Of, query};

const RUN: Of = Of {
    selector: r#"run=~"$run""#,
};

/// Load tests are usually run against one server; all that Prometheus knows are shown.
const SERVER: Of = Of {
    selector: r#"job="counter-server""#,
};

pub(crate) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "load-test",
        title: "Load test",
        description: "A run of `loadgen --metrics`: what its clients saw, what the server did meanwhile, and whether \
                      the run itself is valid.",
        variables: &[("run", "label_values(loadgen_clients, run)")],
        rows: vec![
            verdict(),
            latency(),
            delivery(),
            connections(),
            server(),
            generator(),
        ],
    }
}

fn verdict() -> Row {
    Row {
        title: "Verdict",
        panels: vec![
            number(
                "Verdict",
                "Whether the figures of the run can be believed. `invalid`: the generator itself was the bottleneck.",
                Unit::Number,
                query(
                    "max by (run, verdict) (loadgen_verdict{run=~\"$run\"}) == 1",
                    "{{verdict}}",
                ),
            )
            .drawn(Kind::Names),
            number(
                "Broadcast latency p99",
                "From the planned instant of an increment to its arrival at a client.",
                Unit::Seconds,
                query(RUN.quantile(0.99, "loadgen_broadcast_latency_seconds"), ""),
            ),
            number(
                "Lost",
                "Deliveries that a client should have had and never did.",
                Unit::Number,
                query(RUN.sum("loadgen_deliveries_lost_total", ""), ""),
            )
            .red_from(1.0),
            number(
                "Repeated or out of order",
                "Deliveries that came twice, or after a later one.",
                Unit::Number,
                query(
                    format!(
                        "{} + {}",
                        RUN.sum("loadgen_deliveries_repeated_total", ""),
                        RUN.sum("loadgen_deliveries_out_of_order_total", "")
                    ),
                    "",
                ),
            )
            .red_from(1.0),
            number(
                "Disconnected",
                "Connections that the server or the network ended.",
                Unit::Number,
                query(RUN.sum("loadgen_disconnects_total", ""), ""),
            )
            .red_from(1.0),
            number(
                "Clients",
                "Connected now, those that do not read on purpose included.",
                Unit::Number,
                query(
                    "sum (loadgen_clients{run=~\"$run\", state=~\"held|stopped\"})",
                    "",
                ),
            ),
        ],
    }
}

fn latency() -> Row {
    Row {
        title: "Latency",
        panels: vec![
            graph(
                "Broadcast latency",
                "From the planned instant of an increment, not from when it was sent: a generator or a server that is \
                 late is not excused.",
                Unit::Seconds,
                RUN.quantiles("loadgen_broadcast_latency_seconds"),
            ),
            Panel {
                kind: Kind::HeatMap,
                ..graph(
                    "Broadcast latency, all of it",
                    "A second band above the first is a group of clients that is served late.",
                    Unit::Seconds,
                    [RUN.buckets("loadgen_broadcast_latency_seconds")],
                )
            },
            graph(
                "Acknowledgement latency",
                "From the planned instant to the answer at the emitter.",
                Unit::Seconds,
                RUN.quantiles("loadgen_ack_latency_seconds"),
            ),
        ],
    }
}

fn delivery() -> Row {
    Row {
        title: "Delivery",
        panels: vec![
            graph(
                "Emits",
                "Sent falls behind scheduled when the generator or the server does not keep up.",
                Unit::PerSecond,
                [
                    query(RUN.rate("loadgen_emits_scheduled_total", ""), "scheduled"),
                    query(RUN.rate("loadgen_emits_sent_total", ""), "sent"),
                ],
            ),
            graph(
                "Deliveries",
                "Every increment should reach every client.",
                Unit::PerSecond,
                [
                    query(
                        RUN.rate("loadgen_deliveries_expected_total", ""),
                        "expected",
                    ),
                    query(
                        RUN.rate("loadgen_deliveries_received_total", ""),
                        "received",
                    ),
                ],
            ),
            graph(
                "Faults of delivery",
                "All of them are 0 with a server that keeps its word.",
                Unit::PerSecond,
                ["lost", "repeated", "out_of_order"].map(|fault| {
                    let counter = format!("loadgen_deliveries_{fault}_total");
                    query(RUN.rate(&counter, ""), &fault.replace('_', " "))
                }),
            ),
        ],
    }
}

fn connections() -> Row {
    Row {
        title: "Connections",
        panels: vec![
            graph(
                "Clients by state",
                "opening, held, stopped (connected, but not reading on purpose), gone (refused or disconnected).",
                Unit::Number,
                [query(RUN.sum("loadgen_clients", "state"), "{{state}}")],
            ),
            graph(
                "Connect time",
                "From the start of an attempt until the client is in the namespace.",
                Unit::Seconds,
                RUN.quantiles("loadgen_connect_seconds"),
            ),
            graph(
                "Reconnects",
                "Connections made again after one was lost.",
                Unit::PerSecond,
                [query(
                    RUN.rate("loadgen_reconnects_total", ""),
                    "reconnects",
                )],
            ),
        ],
    }
}

fn server() -> Row {
    Row {
        title: "Server",
        panels: vec![
            graph(
                "Server latency",
                "Commit and broadcast as the server itself measures them. Where clients see much more, the time is lost \
                 in between: full sockets, the network, the generator.",
                Unit::Seconds,
                [
                    query(
                        SERVER.quantile(0.99, "counter_store_commit_seconds"),
                        "commit p99",
                    ),
                    query(
                        SERVER.quantile(0.99, "counter_broadcast_pass_seconds"),
                        "pass p99",
                    ),
                    query(
                        SERVER.quantile(0.99, "counter_runtime_lag_seconds"),
                        "runtime lag p99",
                    ),
                ],
            ),
            graph(
                "Server CPU per message",
                "CPU time of the server for each message that it sent: the steadiest figure to compare servers by.",
                Unit::Seconds,
                [query(
                    format!(
                        "{} / {}",
                        SERVER.rate("process_cpu_seconds_total", ""),
                        SERVER.rate("counter_broadcast_frames_total", "")
                    ),
                    "CPU per message",
                )],
            ),
            graph(
                "Server memory",
                "In RAM; the kernel's buffers are not in it.",
                Unit::Bytes,
                [query(
                    SERVER.sum("process_resident_memory_bytes", "instance"),
                    "{{instance}}",
                )],
            ),
        ],
    }
}

fn generator() -> Row {
    Row {
        title: "Generator",
        panels: vec![
            graph(
                "Send lag",
                "How late the generator sent what was planned. It is part of the latency that is reported; when it is \
                 most of it, the run says more about the generator than about the server.",
                Unit::Seconds,
                RUN.quantiles("loadgen_send_lag_seconds"),
            ),
            graph(
                "Scheduling lag",
                "How late the generator's own threads run: too little CPU.",
                Unit::Seconds,
                RUN.quantiles("loadgen_scheduling_lag_seconds"),
            ),
            graph(
                "Open files",
                "Of those that the generator's processes may have open.",
                Unit::Share,
                [query(
                    format!(
                        "{} / {}",
                        RUN.max("loadgen_open_fds", "worker"),
                        RUN.max("loadgen_max_fds", "worker")
                    ),
                    "worker {{worker}}",
                )],
            ),
        ],
    }
}
