"""The pages that tell of a bug check or a broken rule."""
