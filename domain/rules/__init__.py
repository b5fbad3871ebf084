"""The rules of the shop: one module per topic, one small function per command."""
