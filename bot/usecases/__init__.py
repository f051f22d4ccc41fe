"""What people and time can do: one short module a story."""
