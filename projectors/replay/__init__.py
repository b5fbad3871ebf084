"""From the log into new generations, and whether they hold the same rows: rebuild and verify."""
