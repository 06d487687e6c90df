"""Local start-up: PostgreSQL from a wheel and a private RabbitMQ node, as any user, beside any others."""
