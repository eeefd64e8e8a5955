"""Benchmarks: each measures popback beside its own bound or baseline, in one run. None of them is a test."""
