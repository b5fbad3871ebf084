"""What an order is and may do. Pure: the standard library only, no clock, no ids, no I/O."""
