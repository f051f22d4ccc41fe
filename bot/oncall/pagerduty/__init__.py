"""PagerDuty as an on-call source."""

from bot.oncall.pagerduty.source import PagerDuty

__all__ = ["PagerDuty"]
