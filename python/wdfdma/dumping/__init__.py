"""Dumps of a machine and its objects, as text, HTML and JSON."""
