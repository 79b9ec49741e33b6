"""The day before in short, for staff, and when it is due. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, tzinfo

from bot.i18n import say
from bot.stats.render import day_labels, grouped, percent, ranked
from bot.stats.report import Bucket, Report
from bot.stats.span import local


def next_due(now: int, at: str, zone: tzinfo) -> tuple[date, int]:
    """The next time (ms, after `now`) that clocks show `at`, and the local day it belongs to.

    A time that clocks skip is due as much after the gap as it would have been; one that they show
    twice is due at the first.
    """
    today = local(now, zone).date()
    hour, minute = (int(part) for part in at.split(":"))
    for day in (today, today + timedelta(days=1), today + timedelta(days=2)):
        moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
        if (due := round(moment.timestamp() * 1000)) > now:
            return day, due
    raise AssertionError("a local day is never longer than two of its dates")


def digest(report: Report, before: Report, locale: str) -> str:
    """Volume and how it changed, failures, gaps. Both reports are of one day."""
    name = f"{report.span.last:%Y}-{day_labels(report, locale)[-1]}"
    lines = [say(locale, "digest.title", day=name, zone=str(report.zone)), ""]
    lines += _volume(report.whole, before.whole, locale)
    lines += _rest(report, locale)
    lines += ranked("digest.gaps", report.extras.unanswered, locale)
    return "\n".join(lines)


def _volume(whole: Bucket, before: Bucket, locale: str) -> Iterator[str]:
    last = grouped(before.requests)
    if not whole.requests:
        yield say(locale, "digest.none", before=last)
        return
    change = _change(whole.requests, before.requests, locale)
    yield say(locale, "digest.requests", count=grouped(whole.requests), before=last, change=change)
    yield say(
        locale,
        "digest.answered",
        rate=percent(whole.success_rate),
        before=percent(before.success_rate),
    )
    yield say(locale, "digest.failed", count=grouped(whole.failed), before=grouped(before.failed))
    unknown, then = (one.routes.get("abstained", 0) for one in (whole, before))
    yield say(locale, "digest.unknown", count=grouped(unknown), before=grouped(then))


def _change(now: int, before: int, locale: str) -> str:
    """By what share it grew or shrank; nothing where there was nothing, or nothing changed."""
    if not before or now == before:
        return ""
    share = f"{abs(now - before) / before:.0%}"
    return say(locale, "digest.more" if now > before else "digest.less", share=share)


def _rest(report: Report, locale: str) -> Iterator[str]:
    extras = report.extras
    if extras.dead:
        yield say(locale, "digest.dead", count=grouped(extras.dead))
    if extras.score is not None:
        verdicts = grouped(extras.good + extras.bad)
        yield say(locale, "digest.feedback", score=percent(extras.score), count=verdicts)
