"""A server on this machine that speaks the protocols of five venues, with faults on demand. For tests
only."""
