"""Benchmarks against the fakes; `make bench` prints one table."""
