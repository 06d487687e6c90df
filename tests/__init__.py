"""The tests: domain rules as unit tests, the services against a real RabbitMQ and a real PostgreSQL."""
