"""Setting up what the services run on: RabbitMQ, PostgreSQL, and the files that are generated from the code."""
