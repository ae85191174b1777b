"""The house guards itself: what Airflow is told is true, every module has its test, and every public name its text."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import jsonschema
import pytest

from model_lifecycle.get_provider_info import get_provider_info

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "provider" / "model_lifecycle"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
INFO = get_provider_info()

# Proven elsewhere than in a test file of their own name; the list may only shrink.
OVERLOOKED = {
    "connection_forms.py": "tests/house/test_house.py",
    "core/actions.py": "tests/core/test_rollout.py",
    "get_provider_info.py": "tests/house/test_house.py",
    "hooks/registry.py": "tests/hooks/test_mlflow.py",
    "hooks/serving.py": "tests/hooks/test_open_inference.py",
    "stores/base.py": "tests/stores/test_local.py",
    "operators/base.py": "tests/operators/test_upload.py",
    "operators/release.py": "tests/operators/test_deploy.py",
    "sensors/base.py": "tests/sensors/test_version.py",
    "stores/webhdfs_calls.py": "tests/stores/test_webhdfs.py",
    "stores/webhdfs_errors.py": "tests/stores/test_webhdfs.py",
    "stores/webhdfs_namespace.py": "tests/stores/test_webhdfs.py",
    "stores/webhdfs_quota.py": "tests/stores/test_webhdfs.py",
    "stores/webhdfs_transfer.py": "tests/stores/test_webhdfs.py",
}


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


def test_the_provider_info_is_what_airflows_schema_asks_for():
    import airflow

    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)


def test_the_provider_is_found_under_its_distribution_name():
    found = {entry.dist.name for entry in entry_points(group="apache_airflow_provider") if entry.dist}
    assert INFO["package-name"] in found


def test_every_dotted_path_of_the_provider_info_can_be_imported():
    for path in _dotted_paths(INFO):
        module, _, name = path.rpartition(".")
        try:
            import_module(path)
        except ModuleNotFoundError:
            assert hasattr(import_module(module), name), path


def _dotted_paths(value: object) -> list[str]:
    if isinstance(value, dict):
        return [path for part in value.values() for path in _dotted_paths(part)]
    if isinstance(value, list):
        return [path for part in value for path in _dotted_paths(part)]
    return [value] if isinstance(value, str) and value.startswith("model_lifecycle.") else []


@pytest.mark.parametrize("room", ["hooks", "operators", "sensors", "triggers"])
def test_the_provider_info_lists_every_module_that_offers_a_class_to_airflow(room):
    bases = {"hooks": "Hook", "operators": "Operator", "sensors": "Sensor", "triggers": "Trigger"}
    listed = {name for part in INFO[room] for name in part["python-modules"]}
    offering = {
        dotted(path)
        for path in MODULES
        if path.parent.name == room and path.name != "base.py" and _classes_ending(path, bases[room])
    }
    assert offering - listed == set()


def _classes_ending(path: Path, ending: str) -> list[str]:
    tree = ast.parse(path.read_text())
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef) and node.name.endswith(ending)]


def test_importing_everything_a_dag_author_uses_loads_nothing_heavy():
    heavy = ["mlflow", "pandas", "numpy", "scipy", "sklearn", "boto3", "botocore", "hdfs", "fastapi", "pyarrow", "grpc"]
    modules = [name for room in ("operators", "sensors", "triggers", "hooks") for part in INFO[room]
               for name in part["python-modules"]]  # fmt: skip
    modules += ["model_lifecycle.core.rollout", "model_lifecycle.core.monitoring", "model_lifecycle.core.checks"]
    code = (
        "import sys, airflow.sdk\n"
        "before = set(sys.modules)\n"
        f"for name in {modules!r}: __import__(name)\n"
        f"print(sorted({heavy!r} & (set(sys.modules) - before)))".replace(f"{heavy!r} &", f"set({heavy!r}) &")
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_module_has_its_test():
    missing = []
    for path in MODULES:
        name = str(path.relative_to(PACKAGE))
        if name.startswith("testing/") or name.endswith("__main__.py"):
            continue
        expected = OVERLOOKED.get(name, f"tests/{path.parent.relative_to(PACKAGE)}/test_{path.name}")
        if not (ROOT / expected).exists():
            missing.append(f"{name}: {expected}")
    assert missing == []


def test_nothing_is_overlooked_that_has_a_test_of_its_own():
    own = [name for name in OVERLOOKED if (ROOT / "tests" / Path(name).parent / f"test_{Path(name).name}").exists()]
    assert own == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_public_name_is_documented(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module"
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


def test_nothing_bears_a_name_that_says_nothing():
    empty = re.compile(r"manager|engine|helper|utils?\b|common|service", re.IGNORECASE)
    named = [
        f"{path.relative_to(PACKAGE)}: {node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and empty.search(node.name)
    ]
    assert named == []
    assert [path.name for path in MODULES if empty.search(path.name)] == []


def test_every_templated_field_is_an_argument_and_an_attribute():
    for module in [name for room in ("operators", "sensors") for part in INFO[room] for name in part["python-modules"]]:
        for name, kind in vars(import_module(module)).items():
            if not isinstance(kind, type) or kind.__module__ != module or not hasattr(kind, "template_fields"):
                continue
            if getattr(kind, "__abstractmethods__", None):
                continue
            arguments = _arguments(kind)
            assert set(kind.template_fields) <= arguments, name


def _arguments(kind: type) -> set[str]:
    import inspect

    found: set[str] = set()
    for base in kind.__mro__:
        if base.__module__.startswith("model_lifecycle") and "__init__" in vars(base):
            found |= set(inspect.signature(inspect.unwrap(vars(base)["__init__"])).parameters)
    return found


def test_the_readme_names_every_operator_and_sensor():
    readme = (ROOT / "README.md").read_text()
    listed = [name for room in ("operators", "sensors") for part in INFO[room] for name in part["python-modules"]]
    classes = [
        name
        for module in listed
        for name in _classes_ending(PACKAGE.parent / (module.replace(".", "/") + ".py"), ("Operator", "Sensor"))  # type: ignore[arg-type]
        if name != "ReleaseOperator"
    ]
    assert [name for name in classes if name not in readme] == []
