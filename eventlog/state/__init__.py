"""What the owner of a partition knows of its orders: hot, cold, and as of an earlier offset."""
