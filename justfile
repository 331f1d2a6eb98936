# Short names for what is done often. `just` lists them.

default:
    @just --list

# Serve on this machine, with data in ./otaru-data.
serve *options:
    cargo run --release -- serve {{options}}

# What has to hold before a push, without the slow suites.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo test --test it tidy

# Every suite, as continuous integration runs it.
test:
    ./test

# The vendors' SDKs against a server of their own.
judges:
    tests/clients/judge

# Servers that are killed at work, a hundred times, and disks that fail; --rounds N, --postgres-s3.
kill *options:
    cargo build
    tests/kill/judge {{options}}
    tests/kill/faults

# Every parser at a door, ten minutes each with mutated input; `just fuzz json --seconds 60` is one of them for a minute.
fuzz *options:
    fuzz/run {{options}}

# A million mutated requests at a release build.
hostile *options:
    cargo build --release --bin otaru
    OTARU_BINARY=target/release/otaru tests/hostile {{options}}

# The own API against its OpenAPI document.
schema *options:
    tests/schema/judge {{options}}

# Known holes in crates that are built in; needs the network.
advisories *options:
    tests/advisories {{options}}

# PostgreSQL, an S3 server, copies of Otaru and nginx on this machine, until Ctrl-C.
cluster *options:
    cargo build
    tests/cluster/setup
    tests/cluster/up {{options}}

# Write docs/openapi.json anew from the code.
openapi:
    OTARU_WRITE_OPENAPI=1 cargo test -p otaru-northbound openapi

# Start-up time and idle memory of a release build; `just measure --builds` builds from nothing, too.
measure *options:
    tests/measure {{options}}

# Ratios of Otaru to references that run beside it; `just bench --check` fails below a bar, `just bench lists --quick` tries one group.
bench *options:
    benches/run {{options}}
