"""The language that people type behind /access. Pure."""
