"""The rules of each house, dated and sourced."""
