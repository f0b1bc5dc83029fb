"""What each venue's REST interface gives of the past, read from its own answers."""
