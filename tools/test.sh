#!/usr/bin/env bash
# Installs what the whole test suite needs, as far as it is missing, and runs all of it.
#
# As root or with sudo, on Debian or Ubuntu; asks nothing; leaves no service running. What is there already is left
# alone, so a second run installs nothing. Elsewhere install the packages named in `system_packages` yourself.
# Ends with one line per part; exits 1 when one of them failed.

set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

die() {
    echo "error: $*" >&2
    exit 1
}

have() {
    command -v "$1" >/dev/null
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# --- what is installed -----------------------------------------------------------------------------------------------

# need PACKAGE COMMAND…: PACKAGE is missing when COMMAND fails.
need() {
    "${@:2}" >/dev/null 2>&1 || missing+=("$1")
}

system_packages() {
    local missing=()
    need build-essential cc --version
    need pkg-config pkg-config --version
    need libssl-dev pkg-config --exists openssl # rust_socketio uses native-tls
    need python3-venv python3 -c 'import ensurepip'
    need nodejs node --version
    need npm npm --version
    need redis-server redis-server --version
    need nginx env PATH="$PATH:/usr/sbin" nginx -v
    need prometheus promtool --version
    need chromium chromium --version
    need curl curl --version
    [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
    node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' ||
        die "node $(node --version) is too old; install node 20 or newer from https://nodejs.org"
}

apt_install() {
    have apt-get || die "missing: $*; no apt-get here, install them with the package manager of this system"
    as_root true 2>/dev/null || die "missing: $*; run this as root, or first: sudo apt-get install $*"
    echo "installing $*"
    forbid_services
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get install -qq --no-install-recommends "$@" >/dev/null
    allow_services
    # Nor shall they start at the next boot. Most packages have no unit.
    if have systemctl; then
        for package; do as_root systemctl disable "$package" >/dev/null 2>&1 || true; done
    fi
}

# Debian starts a daemon together with its package, unless this file says 101.
policy=/usr/sbin/policy-rc.d

forbid_services() {
    trap allow_services EXIT
    if [ -e $policy ]; then as_root mv $policy $policy.before-tests; fi
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
}

allow_services() {
    trap - EXIT
    as_root rm $policy
    if [ -e $policy.before-tests ]; then as_root mv $policy.before-tests $policy; fi
}

cargo_tools() {
    have cargo || die "cargo is missing; install Rust from https://rustup.rs"
    cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
    cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
    if ! have just; then
        echo "installing just"
        # PyPI has the binary; building it takes minutes.
        local scratch
        scratch=$(mktemp -d)
        python3 -m venv "$scratch"
        "$scratch/bin/pip" install --quiet --disable-pip-version-check rust-just
        install -D "$scratch/bin/just" "${CARGO_HOME:-$HOME/.cargo}/bin/just"
        rm -r "$scratch"
    fi
    if ! have cargo-deny; then
        echo "installing cargo-deny: it is built from source, which takes a few minutes"
        CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug cargo-deny
    fi
}

# What lock files and requirements name, where they are newer than what was installed from them.
language_packages() {
    local file folder
    while read -r file; do
        folder=$(dirname "$file")
        case $file in
        *.json)
            [ "$folder/node_modules/.package-lock.json" -nt "$file" ] && continue
            echo "installing the npm packages of $folder"
            npm ci --no-audit --no-fund --loglevel=error --prefix "$folder"
            ;;
        *.txt)
            [ "$folder/.venv/installed" -nt "$file" ] && continue
            echo "installing the Python packages of $folder"
            python3 -m venv "$folder/.venv"
            "$folder/.venv/bin/pip" install --quiet --disable-pip-version-check -r "$file"
            touch "$folder/.venv/installed"
            ;;
        esac
    done < <(find benches tests tools crates \( -name node_modules -o -name .venv \) -prune -o \
        \( -name package-lock.json -o -name requirements.txt \) -print)
}

# --- what is run -----------------------------------------------------------------------------------------------------

summary=()
outcome=0

# part NAME COMMAND…: runs it, and goes on after a failure, so that one run shows all of them.
part() {
    local start=$SECONDS result=ok
    printf '\n== %s: %s\n' "$1" "${*:2}"
    "${@:2}" || { result=FAILED outcome=1; }
    note "$1" "$result" $((SECONDS - start))
}

note() {
    summary+=("$(printf '%-8s %-6s %5d s' "$@")")
}

system_packages
cargo_tools
language_packages
note install ok $SECONDS

part check just check
part rust cargo test --workspace --no-fail-fast
part features cargo test -p counter-server -p loadgen --features counter-server/failpoints,loadgen/rust-socketio \
    --test it -- store_failpoints second_driver
part interop npm test --prefix tests/interop

note total "" $SECONDS
printf '\n'
printf '%s\n' "${summary[@]}"
exit $outcome
