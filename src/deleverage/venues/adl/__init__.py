"""Auto-deleveraging as pure policies: who gives up how much of what was won."""
