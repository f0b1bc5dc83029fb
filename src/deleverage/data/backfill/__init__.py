"""Past data fetched from those who publish them: archives, venues, and publishers of macro series."""
