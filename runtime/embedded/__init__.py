"""A real Kafka broker and a real Postgres server from packages, for development and tests."""
