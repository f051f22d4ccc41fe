"""PagerDuty as a source of who is on call."""

from bot.oncall.pagerduty.source import PagerDuty

__all__ = ["PagerDuty"]
