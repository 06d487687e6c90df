"""RabbitMQ as the services use it: consumer, outbox, dead letters, topology."""
