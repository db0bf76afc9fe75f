# Everything that this repository can do, by name. Continuous integration runs the same recipes.

set positional-arguments

# List the recipes
default:
    @just --list --unsorted

# Start the server
run *ARGS:
    cargo run --release -p counter-server -- "$@"

# Print every count of a running server
watch *ARGS:
    @cargo run --release --quiet -p sockctl -- watch "$@"

# Increment the count of a running server
increment *ARGS:
    @cargo run --release --quiet -p sockctl -- increment "$@"

# Measure a broadcast to CLIENTS on a server of its own, with RATE increments per second for DURATION; MORE is for loadgen
loadtest clients="1000" rate="20" duration="10s" *MORE:
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --release -p counter-server
    cargo build --release -p loadgen
    # On Unix `cargo run` becomes the program: these process ids are those of the server and of loadgen.
    exec {server_says}< <(RUST_LOG=warn exec cargo run --release --quiet -p counter-server -- \
        --host 127.0.0.1 --port 0 --store memory --admin 127.0.0.1:0)
    started=($!)
    trap 'kill "${started[@]}" 2>/dev/null || true; wait' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    read -r -u "$server_says" running_on
    # In the background, because bash answers a signal during `wait`, but not while a command runs.
    cargo run --release --quiet -p loadgen -- broadcast \
        --url "${running_on##* }" --clients "$1" --rate "$2" --duration "$3" "${@:4}" &
    started+=($!)
    wait $!

# Watch a server under a little load in Prometheus (and Grafana, where it is installed): CLIENTS RATE PORT PORT
dashboard *ARGS:
    @bash tools/dashboard.sh "$@"

# Measure the packet codec and the fan-out with criterion
bench *ARGS:
    cargo bench -p benches -- "$@"

# Measure what durability costs: memory, file and Redis in turn; ROUNDS of SECONDS
stores *ARGS:
    cargo build --release -p counter-server
    cargo build --release -p loadgen
    node tools/stores.mjs "$@"

# Measure what receiving costs loadgen, a raw client and the stock JavaScript client; ROUNDS
generators *ARGS:
    cargo build --release -p counter-server
    cargo build --release -p loadgen
    cargo build --release -p peers
    [ -d tests/interop/node_modules ] || npm ci --prefix tests/interop
    node tools/generators.mjs "$@"

# Put many servers on one Redis, with thousands of clients at each: NODES CLIENTS RATE DURATION
nodes *ARGS:
    cargo build --release -p counter-server
    cargo build --release -p loadgen
    node tools/nodes.mjs "$@"

# Kill the server under load, again and again, and look for lost or invented increments
crash rounds="100":
    CRASH_ROUNDS="$1" cargo test -p counter-server --test it -- --nocapture store_crash

# Compare the server with its peers, one after the other, on this machine
compare *ARGS:
    #!/usr/bin/env bash
    set -euo pipefail
    for folder in benches/peers/*/package-lock.json; do
        folder=$(dirname "$folder")
        [ -d "$folder/node_modules" ] || npm ci --prefix "$folder"
    done
    cargo build --release -p counter-server
    cargo build --release -p peers
    cargo run --release --quiet -p peers --bin compare -- "$@"

# Install what the whole test suite needs, and run it
test:
    bash tools/test.sh

# Format, lint, document, and judge the dependencies
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features
    cargo deny --workspace check bans licenses sources

# Look for known vulnerabilities among the dependencies; fetches the database of RustSec
advisories:
    cargo deny --workspace check advisories

# Format the Rust code
fmt:
    cargo fmt --all
