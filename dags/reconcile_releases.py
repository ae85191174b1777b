"""Bring to an end what nobody works on any more: releases whose task was killed for good, deleted, or marked as failed.

A rollback, a promotion, and a version that was proven and only had to be watched are finished; every other release is
rolled back. Leave it switched on: it costs one look at the ledger of each endpoint.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param
from pendulum import datetime

from model_lifecycle.operators.reconcile import ReconcileReleasesOperator

with DAG(
    dag_id="reconcile_releases",
    description="Finish or roll back the releases whose task is dead",
    schedule=timedelta(minutes=5),
    start_date=datetime(2013, 1, 1),
    catchup=False,
    max_active_runs=1,
    params={
        "grace": Param(
            120,
            type="integer",
            minimum=0,
            title="Grace",
            description="Seconds that a release must have been still: a task that is just ending is left alone.",
        ),
    },
    tags=["model-lifecycle", "example", "rollout"],
    doc_md=__doc__,
) as dag:
    # [START reconcile]
    ReconcileReleasesOperator(task_id="reconcile", grace="{{ params.grace }}")
    # [END reconcile]
