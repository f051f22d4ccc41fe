"""The use-cases: all that people and time can do, one short module for each."""
