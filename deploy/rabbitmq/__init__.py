"""RabbitMQ as it is set up: the topology declared, users made, messages searched."""
