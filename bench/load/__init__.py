"""What the load benchmarks share: seeds, baselines, monitors, the oracle."""
