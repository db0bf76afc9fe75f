#!/usr/bin/env bash
# A server, a little load on it, and a Prometheus that watches both, with the rules and alerts of dashboards/; Grafana
# too where it is installed. Prints where to look, and ends everything when it ends.
#
#     bash tools/dashboard.sh [CLIENTS [RATE [PROMETHEUS_PORT [GRAFANA_PORT]]]]
set -euo pipefail
cd "$(dirname "$0")/.."
clients=${1:-200} rate=${2:-10} prometheus=127.0.0.1:${3:-9090} grafana=127.0.0.1:${4:-3001}

for program in prometheus curl; do
    if ! command -v "$program" >/dev/null; then
        echo "error: $program is missing; install it with: bash tools/test.sh" >&2
        exit 1
    fi
done

scratch=$(mktemp -d)
started=()
end() {
    kill "${started[@]}" 2>/dev/null || true
    wait
    rm -r "$scratch"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# answers NAME PID URL: waits until the process answers there, and fails when it ends instead.
answers() {
    until curl --silent --fail --max-time 2 --output "$scratch/answer" "$3"; do
        if ! kill -0 "$2" 2>/dev/null; then
            echo "error: $1 ended; what it said is above; if its port is in use, give another, as in: just dashboard 200 10 9092 3002" >&2
            exit 1
        fi
        sleep 0.2
    done
}

# One call each, because packages that are built together share features that they do not need alone.
for package in counter-server loadgen dashboards; do
    cargo build --release -p "$package"
done

# On Unix `cargo run` becomes the program: these process ids are those of the server and of loadgen.
exec {server_says}< <(RUST_LOG=warn exec cargo run --release --quiet -p counter-server -- \
    --host 127.0.0.1 --port 0 --store "file:$scratch/counter.redb" --admin 127.0.0.1:0)
started+=($!)
read -r -u "$server_says" server
read -r -u "$server_says" metrics

exec {load_says}< <(exec cargo run --release --quiet -p loadgen -- broadcast --quiet --metrics 127.0.0.1:0 \
    --url "${server##* }" --clients "$clients" --rate "$rate" --duration 12h 2>&1 >"$scratch/report")
started+=($!)
read -r -u "$load_says" load
if [[ $load != "metrics on "* ]]; then
    echo "$load" >&2
    exit 1
fi

cp dashboards/prometheus/*.rules.yml "$scratch"
target() { sed 's|.*http://||; s|/metrics||' <<<"$1"; }
sed "s/127.0.0.1:9464/$(target "$metrics")/; s/127.0.0.1:9465/$(target "$load")/; s/_interval: 5s/_interval: 1s/" \
    dashboards/prometheus/prometheus.yml >"$scratch/prometheus.yml"
mkdir "$scratch/consoles"
cargo run --release --quiet -p dashboards -- links >"$scratch/consoles/dashboards.html"
prometheus --config.file="$scratch/prometheus.yml" --storage.tsdb.path="$scratch/data" \
    --web.listen-address="$prometheus" --web.console.templates="$scratch/consoles" --log.level=warn &
started+=($!)
answers prometheus $! "http://$prometheus/-/ready"

echo
echo "the page          ${server##* }"
echo "server's metrics  ${metrics##* }"
echo "load's metrics    ${load##* }"
echo "Prometheus        http://$prometheus"

if command -v grafana-server >/dev/null; then
    PROMETHEUS_URL=http://$prometheus DASHBOARDS=$PWD/dashboards/grafana \
        GF_PATHS_PROVISIONING=$PWD/dashboards/grafana/provisioning GF_PATHS_DATA=$scratch/grafana \
        GF_PATHS_LOGS=$scratch/grafana GF_LOG_LEVEL=error \
        GF_SERVER_HTTP_ADDR=${grafana%:*} GF_SERVER_HTTP_PORT=${grafana#*:} \
        GF_AUTH_ANONYMOUS_ENABLED=true GF_AUTH_ANONYMOUS_ORG_ROLE=Admin \
        grafana-server --homepath "${GRAFANA_HOME:-/usr/share/grafana}" &
    started+=($!)
    answers grafana $! "http://$grafana/api/health"
    echo "Grafana           http://$grafana/dashboards"
else
    echo "Grafana           not installed; its panels as pages of Prometheus: http://$prometheus/consoles/dashboards.html"
fi
echo
echo "Ctrl-C ends all of it."
wait -n
