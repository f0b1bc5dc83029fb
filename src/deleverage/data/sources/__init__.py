"""Venues as sources: what each one is asked for, and what its answers mean."""
