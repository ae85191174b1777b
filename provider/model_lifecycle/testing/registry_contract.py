"""What every model registry must do; inherit :class:`RegistryContract` and give it a ``new_registry`` fixture."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from threading import Barrier

import pytest

from model_lifecycle.core.errors import Conflict, Invalid, NotFound
from model_lifecycle.core.models import ModelUri, ModelVersion
from model_lifecycle.hooks.registry import DIGEST_TAG, ModelRegistryHook

NewRegistry = Callable[[], ModelRegistryHook]
RACERS = 8
BAD_NAMES = ["", ".", "..", "../up", "a/b", "a:b", "a b", "%2e%2e", "-dash", "a\n", "ä", "x" * 129, "a'b", 'a"b', "a`b"]


def digest_of(text: str) -> str:
    """A SHA-256 to register under."""
    return sha256(text.encode()).hexdigest()


def artifact_of(name: str, text: str) -> str:
    """Where an artifact with that digest might lie."""
    return f"webhdfs://namenode:9870/models/{name}/{digest_of(text)}"


def register(registry: ModelRegistryHook, name: str, text: str = "one", **kwargs: object) -> ModelVersion:
    """Register an artifact that stands for ``text``."""
    return registry.register(name, artifact_of(name, text), digest_of(text), **kwargs)  # type: ignore[arg-type]


class RegistryContract:
    """The contract of :class:`ModelRegistryHook`, each sentence a test.

    A subclass, or its module, has two fixtures: ``new_registry``, a function that makes one more hook on the same
    registry, and ``model``, a name that no other test uses.
    """

    @pytest.fixture
    def registry(self, new_registry: NewRegistry) -> ModelRegistryHook:
        """One hook on the registry under test."""
        return new_registry()

    def test_the_first_registration_makes_the_model_and_version_1(
        self, registry: ModelRegistryHook, model: str
    ) -> None:
        made = register(registry, model, tags={"git_commit": "4f1c2e"}, description="monthly", link="https://a.b/c")
        assert (made.name, made.version, made.uri) == (model, 1, f"models:/{model}/1")
        assert (made.artifact_uri, made.digest) == (artifact_of(model, "one"), digest_of("one"))
        assert made.tags == {"git_commit": "4f1c2e", DIGEST_TAG: digest_of("one")}
        assert registry.get(ModelUri(model, version=1)) == made

    def test_registering_the_same_digest_again_returns_the_same_version(
        self, registry: ModelRegistryHook, model: str
    ) -> None:
        first = register(registry, model)
        assert register(registry, model, tags={"later": "yes"}) == first
        assert len(registry.search(model)) == 1

    def test_another_digest_makes_another_version(self, registry: ModelRegistryHook, model: str) -> None:
        register(registry, model, "one")
        assert register(registry, model, "two").version == 2
        assert [found.version for found in registry.search(model)] == [2, 1]

    def test_a_digest_of_an_older_version_is_still_found(self, registry: ModelRegistryHook, model: str) -> None:
        first = register(registry, model, "one")
        register(registry, model, "two")
        assert register(registry, model, "one") == first
        assert registry.get_by_digest(model, digest_of("one")) == first

    def test_the_same_digest_under_another_host_is_the_same_version(
        self, registry: ModelRegistryHook, model: str
    ) -> None:
        first = register(registry, model)
        moved = artifact_of(model, "one").replace("namenode:9870", "nn1:9870,nn2:9870")
        assert registry.register(model, moved, digest_of("one")) == first

    def test_the_same_digest_under_another_path_is_a_conflict(self, registry: ModelRegistryHook, model: str) -> None:
        register(registry, model)
        with pytest.raises(Conflict, match="another artifact"):
            registry.register(model, "webhdfs://namenode:9870/elsewhere", digest_of("one"))
        assert len(registry.search(model)) == 1

    def test_racing_registrars_get_one_answer_and_leave_one_version(
        self, new_registry: NewRegistry, model: str
    ) -> None:
        registries = [new_registry() for _ in range(RACERS)]
        barrier = Barrier(RACERS)

        def race(registry: ModelRegistryHook) -> ModelVersion:
            barrier.wait()
            return register(registry, model)

        with ThreadPoolExecutor(RACERS) as pool:
            answers = list(pool.map(race, registries))
        assert len({(answer.name, answer.version, answer.digest) for answer in answers}) == 1
        assert [found.version for found in registries[0].search(model)] == [answers[0].version]

    @pytest.mark.parametrize("digest", ["", "abc", "A" * 64, "g" * 64, None])
    def test_what_is_no_digest_is_refused(self, registry: ModelRegistryHook, model: str, digest: str) -> None:
        with pytest.raises(Invalid, match="digest"):
            registry.register(model, artifact_of(model, "one"), digest)

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_a_bad_model_name_is_refused_by_every_verb(self, registry: ModelRegistryHook, name: str) -> None:
        for verb in (
            lambda: register(registry, name),
            lambda: registry.get(ModelUri(name, version=1)),
            lambda: registry.get_by_digest(name, digest_of("one")),
            lambda: registry.search(name),
            lambda: registry.set_alias(name, "champion", 1),
            lambda: registry.delete_alias(name, "champion"),
            lambda: registry.set_tags(name, 1, {"a": "b"}),
            lambda: registry.attach_file(name, 1, "report.html", b"", "text/html"),
        ):
            with pytest.raises(Invalid, match="model name"):
                verb()

    def test_tags_that_are_no_text_are_left_out_or_refused(self, registry: ModelRegistryHook, model: str) -> None:
        made = register(registry, model, tags={"absent": None, "present": "", "longest": "x" * 5000})
        assert "absent" not in made.tags
        assert made.tags["present"] == ""
        assert made.tags["longest"] == "x" * 5000
        for bad in ({"long": "x" * 5001}, {"number": 5}, {5: "text"}, {"": "x"}):
            with pytest.raises(Invalid, match="tag"):
                register(registry, model, "two", tags=bad)
        assert len(registry.search(model)) == 1

    def test_the_digest_cannot_be_overwritten_by_a_tag(self, registry: ModelRegistryHook, model: str) -> None:
        made = register(registry, model, tags={DIGEST_TAG: digest_of("other")})
        assert made.digest == digest_of("one")
        with pytest.raises(Invalid, match="digest"):
            registry.set_tags(model, 1, {DIGEST_TAG: digest_of("other")})

    def test_what_does_not_exist_is_not_found(self, registry: ModelRegistryHook, model: str) -> None:
        for uri in (ModelUri(model, version=1), ModelUri(model, alias="champion")):
            with pytest.raises(NotFound, match=model):
                registry.get(uri)
        assert registry.search(model) == []
        assert registry.get_by_digest(model, digest_of("one")) is None
        register(registry, model)
        for uri in (ModelUri(model, version=2), ModelUri(model, alias="champion")):
            with pytest.raises(NotFound):
                registry.get(uri)
        assert registry.get_by_digest(model, digest_of("two")) is None

    def test_search_takes_all_tags_together(self, registry: ModelRegistryHook, model: str) -> None:
        register(registry, model, "one", tags={"dag": "retrain", "month": "1"})
        register(registry, model, "two", tags={"dag": "retrain", "month": 'it\'s "2" `now`'})
        assert [found.version for found in registry.search(model, {"dag": "retrain"})] == [2, 1]
        assert [found.version for found in registry.search(model, {"dag": "retrain", "month": "1"})] == [1]
        assert [found.version for found in registry.search(model, {"month": 'it\'s "2" `now`'})] == [2]
        assert registry.search(model, {"dag": "retrain", "month": "3"}) == []

    def test_search_does_not_confuse_models(self, registry: ModelRegistryHook, model: str) -> None:
        register(registry, model)
        register(registry, f"{model}_2")
        assert [found.name for found in registry.search(model)] == [model]

    def test_an_alias_is_set_moved_and_read_back(self, registry: ModelRegistryHook, model: str) -> None:
        register(registry, model, "one")
        register(registry, model, "two")
        for version in (1, 1, 2):
            registry.set_alias(model, "champion", version)
            found = registry.get(ModelUri(model, alias="champion"))
            assert (found.version, found.aliases) == (version, ("champion",))
        registry.set_alias(model, "previous", 1)
        assert {found.version: found.aliases for found in registry.search(model)} == {
            1: ("previous",),
            2: ("champion",),
        }

    def test_an_alias_of_a_missing_version_is_not_found_and_nothing_moves(
        self, registry: ModelRegistryHook, model: str
    ) -> None:
        with pytest.raises(NotFound):
            registry.set_alias(model, "champion", 1)
        register(registry, model)
        registry.set_alias(model, "champion", 1)
        with pytest.raises(NotFound):
            registry.set_alias(model, "champion", 2)
        assert registry.get(ModelUri(model, alias="champion")).version == 1

    def test_an_alias_is_deleted_as_often_as_one_likes(self, registry: ModelRegistryHook, model: str) -> None:
        registry.delete_alias(model, "champion")
        register(registry, model)
        registry.set_alias(model, "champion", 1)
        registry.set_alias(model, "previous", 1)
        registry.delete_alias(model, "champion")
        registry.delete_alias(model, "champion")
        assert registry.get(ModelUri(model, version=1)).aliases == ("previous",)

    @pytest.mark.parametrize("alias", ["", "a b", "a/b", "..", "ä", "latest", "Latest", "v3"])
    def test_a_bad_alias_is_refused(self, registry: ModelRegistryHook, model: str, alias: str) -> None:
        register(registry, model)
        with pytest.raises(Invalid, match="alias"):
            registry.set_alias(model, alias, 1)
        assert registry.get(ModelUri(model, version=1)).aliases == ()

    def test_tags_are_added_and_replaced(self, registry: ModelRegistryHook, model: str) -> None:
        register(registry, model, tags={"a": "1", "b": "1"})
        registry.set_tags(model, 1, {"b": "2", "c": "3"})
        assert registry.get(ModelUri(model, version=1)).tags == {
            DIGEST_TAG: digest_of("one"),
            "a": "1",
            "b": "2",
            "c": "3",
        }
        with pytest.raises(NotFound):
            registry.set_tags(model, 2, {"a": "1"})

    def test_the_page_of_a_version_holds_no_credentials(self, registry: ModelRegistryHook, model: str) -> None:
        url = registry.version_url(model, 3)
        assert url is None or ("@" not in url and model in url and "3" in url)

    def test_a_file_keeps_its_address_when_it_is_replaced(self, registry: ModelRegistryHook, model: str) -> None:
        register(registry, model)
        first = registry.attach_file(model, 1, "reports/2013-12/report.html", b"<p>one", "text/html")
        assert "@" not in first
        assert registry.attach_file(model, 1, "reports/2013-12/report.html", b"<p>two", "text/html") == first
        assert registry.attach_file(model, 1, "reports/2014-01/report.html", b"<p>one", "text/html") != first

    def test_files_of_two_versions_do_not_meet(self, registry: ModelRegistryHook, model: str) -> None:
        register(registry, model, "one")
        register(registry, model, "two")
        urls = {registry.attach_file(model, version, "report.json", b"{}", "application/json") for version in (1, 2)}
        assert len(urls) == 2

    def test_a_file_of_a_missing_version_is_not_found(self, registry: ModelRegistryHook, model: str) -> None:
        with pytest.raises(NotFound):
            registry.attach_file(model, 1, "report.json", b"{}", "application/json")

    @pytest.mark.parametrize("path", ["", "..", "../up", "a//b", "/a", "a b", "a/../b", "%2e%2e/a", "ä.html"])
    def test_a_bad_path_is_refused(self, registry: ModelRegistryHook, model: str, path: str) -> None:
        register(registry, model)
        with pytest.raises(Invalid, match="not allowed"):
            registry.attach_file(model, 1, path, b"", "text/html")
