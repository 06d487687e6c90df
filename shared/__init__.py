"""What every service needs and none owns: contracts, topology, the consumer, the outbox, settings, telemetry."""
