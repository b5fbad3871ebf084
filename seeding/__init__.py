"""Real-looking orders: data sets, their way through the command API, and the reckoning after it."""
