"""How strongly does an event call forth the next? Self-exciting (Hawkes) processes: fit, test, simulate."""
