"""Who holds what, and at which price it is forced out."""
