"""Facts that access rests on: shifts, groups, people, and whose an account is."""
