"""Servers with memory that stand in for vendors in the sandbox and in tests. They know nothing of the bot."""
