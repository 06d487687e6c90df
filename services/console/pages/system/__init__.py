"""The page of the system: services, queues, dead letters, replays."""
