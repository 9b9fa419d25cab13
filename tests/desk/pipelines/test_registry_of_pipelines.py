"""Which pipelines there are."""

from smcdesk.project.config import load_config


def test_studies_are_pipelines_but_not_part_of_the_whole_road(house):
    from smcdesk import pipeline_registry

    pipeline_registry.select_symbols(load_config("test").parameters["symbols"])
    built = pipeline_registry.register_pipelines()
    assert {"sweep", "walkforward"} <= built.keys()
    assert not any(n.endswith(".sweep") for n in built["__default__"].datasets())
