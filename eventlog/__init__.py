"""The log: the only package that imports Kafka clients and generated Protobuf."""
