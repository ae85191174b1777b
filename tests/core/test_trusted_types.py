"""The list of types, beside the list of skops itself and the estimators of the scikit-learn that is installed."""

from __future__ import annotations

import sys

from model_lifecycle.core.trust import TrustPolicy
from model_lifecycle.core.trusted_types import CLOUDPICKLE_GLOBALS, PICKLE_GLOBALS, SKOPS_TYPES, is_data_type
from tests.models import quiet


@quiet()
def skops_own():
    from skops.io import _trusted_types as own

    return own


def test_whatever_skops_holds_safe_passes_but_for_rare_functions():
    own, policy = skops_own(), TrustPolicy()
    names = {*own.SKLEARN_ESTIMATOR_TYPE_NAMES, *own.SKLEARN_INTERNAL_TYPE_NAMES, *own.NUMPY_DTYPE_TYPE_NAMES}
    names |= {*own.NUMPY_UFUNC_TYPE_NAMES, *own.PRIMITIVE_TYPE_NAMES, *own.CONTAINER_TYPE_NAMES}
    assert sorted(name for name in names if not policy.allows_skops_type(name)) == []
    assert policy.allows_skops_type("scipy.special._ufuncs.expit")
    assert sum(map(policy.allows_skops_type, own.SCIPY_UFUNC_TYPE_NAMES)) >= 15


def test_nothing_passes_that_skops_warns_of():
    with quiet():
        from skops.io.exceptions import UNTRUSTED_TYPE_REASONS
    assert not any(map(TrustPolicy().allows_skops_type, UNTRUSTED_TYPE_REASONS))


def test_every_name_of_the_list_that_is_installed_is_what_it_seems():
    """None of them is a module, and none is the same object as something that acts."""
    import builtins
    import importlib
    import os
    import subprocess

    acting = {builtins.eval, builtins.exec, builtins.getattr, os.system, subprocess.Popen, importlib.import_module}
    for full in sorted((SKOPS_TYPES | PICKLE_GLOBALS) - CLOUDPICKLE_GLOBALS):
        module, _, name = full.rpartition(".")
        if module in sys.modules and hasattr(sys.modules[module], name):
            found = getattr(sys.modules[module], name)
            assert not isinstance(found, type(os)), full
            assert not any(found is one for one in acting), full


def test_a_name_is_an_estimator_only_in_its_own_package():
    assert is_data_type("sklearn.svm.SVC")
    assert is_data_type("sklearn.svm._private.of_another_release.SVC")
    for name in ("sklearn.SVC", "svm.SVC", "sklearn.pipeline.SVC", "notsklearn.svm.SVC", "sklearn.svm.svc", ""):
        assert not is_data_type(name), name
