"""deleverage: the open engine of leveraged markets and of what forces them down."""

__version__ = "0.1.0"
