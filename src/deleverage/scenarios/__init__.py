"""Embedded scenarios, one TOML file each; every figure marked and sourced."""
