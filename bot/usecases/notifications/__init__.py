"""Messages: cards, alerts and notes, kept equal to what they are about."""
