"""What does one position mean on a venue: margin, liquidation price, and what would be done to it?"""
