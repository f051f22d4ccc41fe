"""PagerDuty as an on-call source."""
