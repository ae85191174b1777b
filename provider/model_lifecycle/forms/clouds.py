"""The form of what Amazon runs for a team."""

from __future__ import annotations

from typing import Any

from model_lifecycle.forms.fields import choice, connection_type, mapping, number, text, timeout, trust


def clouds() -> list[dict[str, Any]]:
    """``sagemaker_endpoint``; keys, region and TLS are those of the connection of type ``aws`` that it names."""
    fields = {
        "aws_conn_id": text("AWS connection", "Of type aws: where, and as whom; aws_default by default.",
                            "aws_default"),
        "bucket": text("S3 bucket", "For the models' files."),
        "prefix": text("Prefix in the bucket", "models by default.", "models"),
        "role_arn": text("Execution role", "The role with which the containers run.",
                         "arn:aws:iam::123456789012:role/models"),
        "image_uri": text("Image", "The containers' image."),
        "environment": mapping("Environment", "Of the containers."),
        "format": choice("Format", "Of the containers' requests; mlflow by default.", "mlflow", "csv"),
        "instance_type": text("Instance type", "Of each version.", "ml.m5.large"),
        "initial_instance_count": number("Instances", "Of each version; 1 by default.", minimum=1),
        "deployment_config": mapping("Deployment", "How an update shifts the traffic, and its alarms."),
        "deadline": number("Deadline in seconds", "For one change of the endpoint."),
        "trust": trust(),
        **timeout(),
    }  # fmt: skip
    return [
        connection_type(
            "sagemaker_endpoint",
            "sagemaker_endpoint.SagemakerEndpointHook",
            "Amazon SageMaker endpoint",
            fields,
            hidden=("host", "port", "schema", "login", "password"),
        )
    ]
