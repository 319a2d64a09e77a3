"""Scenarios as programs in C, as tests of pytest, and as short JSON."""
