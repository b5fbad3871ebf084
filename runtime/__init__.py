"""What every process needs and no order knows: settings, telemetry, positions, embedded servers."""
