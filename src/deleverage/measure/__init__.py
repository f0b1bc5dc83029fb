"""What happened, from tables of observations: pure functions."""
