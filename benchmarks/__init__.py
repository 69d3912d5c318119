"""Speed and memory of the workbench; ``python -m benchmarks`` writes docs/performance.md."""
