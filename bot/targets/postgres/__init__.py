"""PostgreSQL as a target: membership in a role."""
