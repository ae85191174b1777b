"""The scorer's modules import MLflow, which warns while it is imported; warnings are errors in tests."""

from tests.models import quiet

with quiet():
    import mlflow.pyfunc
    import mlflow.pyfunc.loaders.code_model
    import mlflow.sklearn  # noqa: F401
