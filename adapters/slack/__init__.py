"""Slack: events to intakes and frames to messages; the only room that knows slack_bolt."""
