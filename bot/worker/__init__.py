"""The loop that claims jobs and runs them, what decides which run next, and what revokes without it."""
