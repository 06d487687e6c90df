"""The rules of retries: schedules, the limit of each receiving domain, fingerprints of unknown texts. No I/O."""
