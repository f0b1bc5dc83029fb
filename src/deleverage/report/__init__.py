"""What people look at: the note, its figures, and the screen at the end of a run."""
