from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One real Prefect server, on a database of its own, for all flows that tests run in this process."""
    import flows  # noqa: F401 (sets Prefect's environment before it is imported)
    from flows.server import temporary_server

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        with temporary_server() as known:
            from prefect.settings import temporary_settings

            with temporary_settings(known):
                yield
