"""What the property tests share: worlds, steps, and a driver that works through the Python face."""
