"""Once a month, about the month that has ended."""

from __future__ import annotations

try:
    from airflow.sdk import CronDataIntervalTimetable
except ImportError:  # before Airflow 3.2
    from airflow.timetables.interval import CronDataIntervalTimetable  # type: ignore[assignment]

MONTHLY = CronDataIntervalTimetable("@monthly", timezone="UTC")
