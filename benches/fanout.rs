//! The fan-out without sockets: building frames, and one pass over connections in memory.

use std::hint::black_box;

use counter_server::bench::{Pass, build_run};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("build_run");
    for counts in [1, 200, 2_000] {
        group.throughput(Throughput::Elements(counts));
        group.bench_with_input(
            BenchmarkId::from_parameter(counts),
            &counts,
            |bencher, &counts| {
                bencher.iter(|| build_run(black_box(1_000_000), counts));
            },
        );
    }
    group.finish();
}

fn pass(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pass");
    for connections in [1_000, 10_000] {
        group.throughput(Throughput::Elements(connections));
        let mut pass = Pass::new(connections as usize);
        group.bench_function(BenchmarkId::from_parameter(connections), |bencher| {
            bencher.iter(|| pass.advance(black_box(1)));
        });
    }
    group.finish();
}

criterion_group!(benches, frames, pass);
criterion_main!(benches);
