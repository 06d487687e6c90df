"""The benchmarks. Each measures a ratio to a ceiling of the same run; see README.md."""
