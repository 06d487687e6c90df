"""RabbitMQ for clients and services alike: connections with time limits, confirmed publishing, stream reading."""
