"""The kinds of targets and on-call sources that there are."""
