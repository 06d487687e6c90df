"""PostgreSQL as the services use it: pool, named queries, migrations, searches."""
